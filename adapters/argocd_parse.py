"""What Argo CD says, as our own records: an Application of its API or of its stream, and nothing else.

Pure. Every value is looked at before it is believed: unknown words become UNKNOWN, and what is no table is empty.
Source: Argo CD 3.6, pkg/apis/application/v1alpha1/types.go; recordings of real answers in tests/recordings/argocd.

StreamBroken            a frame of the stream is no event: cut, an error of the server, or not JSON
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from adapters.argocd_values import Table, entries, moment, table, text, word
from adapters.records import Application
from gitops.rollouts import (
    Condition,
    HealthStatus,
    Observation,
    Operation,
    OperationPhase,
    ResourceStatus,
    SyncStatus,
)

PROJECT: Final = "lucity.dev/project"
ENVIRONMENT: Final = "lucity.dev/environment"
EPHEMERAL: Final = "lucity.dev/ephemeral"
IDENTITY: Final = "lucity.dev/environment-commit"

_ASSESSED: Final = frozenset(
    {
        ("", "Service"),
        ("", "Pod"),
        ("", "PersistentVolumeClaim"),
        ("apps", "Deployment"),
        ("apps", "ReplicaSet"),
        ("apps", "StatefulSet"),
        ("apps", "DaemonSet"),
        ("batch", "Job"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("networking.k8s.io", "Ingress"),
    }
)
"""Kinds whose health Argo CD always assesses: if it is not told, it is not known."""

_RUNNING = frozenset({OperationPhase.RUNNING, OperationPhase.TERMINATING})
_FAILED = frozenset({OperationPhase.FAILED, OperationPhase.ERROR})
_SYNC = {"Synced": SyncStatus.SYNCED, "OutOfSync": SyncStatus.OUT_OF_SYNC}
_ROUTE = "HTTPRoute"


class StreamBroken(Exception):  # noqa: N818 - a state of the stream
    """The stream says something that is no event."""


class Change(StrEnum):
    """What a frame of the stream tells."""

    PUT = "PUT"
    DELETED = "DELETED"


@dataclass(frozen=True)
class Found:
    """One Application of ours. `version`: its resourceVersion, 0 when it is no number. `going`: it is being deleted."""

    application: Application
    observation: Observation
    uid: str
    version: int
    going: bool


def parse_application(body: object, observed_at: datetime) -> Found | None:
    """An Application object; None when its labels do not say that it is ours."""
    metadata = table(body, "metadata")
    labels = table(metadata, "labels")
    project, environment, name = labels.get(PROJECT), labels.get(ENVIRONMENT), metadata.get("name")
    if not isinstance(project, str) or not isinstance(environment, str) or name != f"{project}-{environment}":
        return None
    application = Application(
        project=project,
        environment=environment,
        namespace=text(table(body, "spec", "destination").get("namespace")) or "",
        identity=text(table(metadata, "annotations").get(IDENTITY)) or "",
        ephemeral=labels.get(EPHEMERAL) == "true",
    )
    version = text(metadata.get("resourceVersion")) or ""
    return Found(
        application=application,
        observation=_observation(application, body, observed_at),
        uid=text(metadata.get("uid")) or name,
        version=int(version) if version.isascii() and version.isdigit() else 0,
        going=bool(metadata.get("deletionTimestamp")),
    )


def parse_frame(data: str, observed_at: datetime) -> tuple[Change, Found] | None:
    """One event of /api/v1/stream/applications; None for what does not concern us. Raises StreamBroken."""
    try:
        frame = json.loads(data)
    except ValueError as error:
        raise StreamBroken(f"an event is not JSON: {error}") from error
    if not isinstance(frame, Mapping):
        raise StreamBroken("an event is no JSON object")
    if "error" in frame:
        raise StreamBroken(f"Argo CD ended the stream: {text(table(frame, 'error').get('message')) or 'no reason'}")
    result = table(frame, "result")
    kind = result.get("type")
    found = parse_application(result.get("application"), observed_at)
    if found is None or kind not in {"ADDED", "MODIFIED", "DELETED"}:
        return None
    return (Change.DELETED if kind == "DELETED" else Change.PUT), found


def service_of(group: str, kind: str, name: str) -> str:
    """The service that an object of ours belongs to, if it is one of its chart's.

    The chart lucity-app names every object after its service; further HTTPRoutes of one carry a number: `api.1`. An
    Application's resources have no labels to ask.
    """
    if kind == _ROUTE and group == "gateway.networking.k8s.io":
        service, _, number = name.partition(".")
        return service if number.isdigit() else name
    return name


def _observation(application: Application, body: object, observed_at: datetime) -> Observation:
    status = table(body, "status")
    health = word(HealthStatus, table(status, "health").get("status"), HealthStatus.UNKNOWN)
    operation = _operation(table(body).get("operation"), table(status, "operationState"))
    conditions = tuple(_conditions(status))
    return Observation(
        project=application.project,
        environment=application.environment,
        identity=application.identity or None,
        sync=_SYNC.get(text(table(status, "sync").get("status")) or "", SyncStatus.UNKNOWN),
        health=health,
        revision=_revision(table(status, "sync")),
        message=_message(conditions, operation, status),
        observed_at=observed_at,
        operation=operation,
        resources=tuple(_resources(status, health)),
        conditions=conditions,
        images=tuple(image for image in entries(table(status, "summary"), "images") if isinstance(image, str)),
        compared_at=moment(status.get("reconciledAt")),
    )


def _message(conditions: Sequence[Condition], operation: Operation | None, status: Table) -> str | None:
    """Why it is as it is: what was refused, what failed, what is unhealthy; in this order."""
    for condition in conditions:
        if condition.type.endswith("Error"):
            return condition.message
    if operation is not None and operation.phase in _FAILED and operation.message:
        return operation.message
    return text(table(status, "health").get("message"))


def _operation(asked: object, state: Table) -> Operation | None:
    """The operation that was asked for but has no state yet is about to run; an older one's state is not its own."""
    phase = word(OperationPhase, state.get("phase"), OperationPhase.UNKNOWN) if state else None
    if asked is not None and phase not in _RUNNING:
        return Operation(OperationPhase.RUNNING, "A sync is about to start.", _revision(table(asked, "sync")))
    if phase is None:
        return None
    return Operation(
        phase=phase,
        message=text(state.get("message")),
        revision=_revision(table(state, "syncResult")) or _revision(table(state, "operation", "sync")),
        started_at=moment(state.get("startedAt")),
        finished_at=moment(state.get("finishedAt")),
    )


def _resources(status: Table, whole: HealthStatus) -> Iterator[ResourceStatus]:
    failures = dict(_failures(status))
    for resource in entries(status, "resources"):
        given = table(resource)
        group, kind, name = (text(given.get(key)) or "" for key in ("group", "kind", "name"))
        health = table(given, "health")
        namespace = text(given.get("namespace"))
        yield ResourceStatus(
            group=group,
            version=text(given.get("version")) or "",
            kind=kind,
            namespace=namespace,
            name=name,
            service=service_of(group, kind, name),
            sync=_SYNC.get(text(given.get("status")) or "", SyncStatus.UNKNOWN),
            health=word(HealthStatus, health.get("status"), _unassessed(group, kind, whole)),
            message=failures.get((group, kind, namespace, name)) or text(health.get("message")),
        )


def _unassessed(group: str, kind: str, whole: HealthStatus) -> HealthStatus:
    """A kind without a health cannot be unwell; of the others the whole tells when Argo CD lost its cache."""
    healthy = (group, kind) not in _ASSESSED or whole is HealthStatus.HEALTHY
    return HealthStatus.HEALTHY if healthy else HealthStatus.UNKNOWN


def _failures(status: Table) -> Iterator[tuple[tuple[str, str, str | None, str], str]]:
    """What the last sync said of the objects that it could not apply."""
    for resource in entries(table(status, "operationState", "syncResult"), "resources"):
        given = table(resource)
        message = text(given.get("message"))
        if message and (given.get("status") == "SyncFailed" or given.get("hookPhase") in {"Failed", "Error"}):
            group, kind, name = (text(given.get(key)) or "" for key in ("group", "kind", "name"))
            yield (group, kind, text(given.get("namespace")), name), message


def _conditions(status: Table) -> Iterator[Condition]:
    for condition in entries(status, "conditions"):
        given = table(condition)
        yield Condition(
            type=text(given.get("type")) or "Unknown",
            message=text(given.get("message")) or "",
            since=moment(given.get("lastTransitionTime")),
        )


def _revision(source: Table) -> str | None:
    several = [revision for revision in entries(source, "revisions") if isinstance(revision, str)]
    return text(source.get("revision")) or next(iter(several), None)
