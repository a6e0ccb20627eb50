"""The enums of the domain under their own names, and those that only the API knows."""

from enum import StrEnum

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
    strawberry.enum(_enum)
strawberry.enum(DeliveryState, name="WebhookDeliveryState")


@strawberry.enum
class ProjectEventKind(StrEnum):
    """What an item of projectEvents is about; a SNAPSHOT is exactly one item."""

    SNAPSHOT = "SNAPSHOT"
    JOB = "JOB"
    COMMIT = "COMMIT"
    STATUS = "STATUS"
    DEPLOYMENT = "DEPLOYMENT"
