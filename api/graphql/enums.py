"""The enums of the domain under their own names, described by their own words, and those that only the API knows."""

from enum import Enum, StrEnum
from inspect import getdoc

import strawberry

from adapters.outbound import DeliveryState
from adapters.records import JobState
from gitops.changes import ActorKind, JobKind
from gitops.commits import CommitKind, SignatureState
from gitops.operations.rollbacks import RollbackScope
from gitops.problems import ConflictCode
from gitops.rollouts import HealthStatus, OperationPhase, RolloutPhase, SyncStatus
from gitops.services import VariableScope
from gitops.values import ChangeKind


def _said(enum: type[Enum]) -> str:
    """Its docstring on one line."""
    return " ".join((getdoc(enum) or "").split())


for _enum in (
    ActorKind,
    ChangeKind,
    CommitKind,
    ConflictCode,
    HealthStatus,
    JobKind,
    JobState,
    OperationPhase,
    RollbackScope,
    RolloutPhase,
    SignatureState,
    SyncStatus,
    VariableScope,
):
    strawberry.enum(_enum, description=_said(_enum))
strawberry.enum(DeliveryState, name="WebhookDeliveryState", description=_said(DeliveryState))


@strawberry.enum(description="What an item of projectEvents is about; a SNAPSHOT is exactly one item.")
class ProjectEventKind(StrEnum):
    """What an item of projectEvents is about; a SNAPSHOT is exactly one item."""

    SNAPSHOT = "SNAPSHOT"
    JOB = "JOB"
    COMMIT = "COMMIT"
    STATUS = "STATUS"
    DEPLOYMENT = "DEPLOYMENT"
