"""From a wish to a queued job: who may, what cannot be, one atomic step in Redis, then the bell.

Existence is judged by the mirror; only what the mirror would refuse is judged again with the unfinished jobs in mind.
The commit point decides the rest.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from adapters.codec import dump_change, load_change
from adapters.job_fields import lane
from adapters.ports import Unreachable
from adapters.records import JobRecord
from adapters.wiring import Ports
from gitops import layout, names, repository
from gitops.access import CHANGE, authorize
from gitops.changes import Actor, Change, JobKind, Ref
from gitops.operations.charts import UpgradeChart
from gitops.operations.environments import DeleteEnvironment
from gitops.operations.extensions import ExtendEnvironment, not_ephemeral
from gitops.problems import AlreadyExists, Conflict, ConflictCode, NotFound, Refused, invalid
from gitops.tree import Tree
from jobs import heads, namespaces
from jobs.builders import judge_build
from jobs.gating import judge_gates
from jobs.landed import contradicts, landed_record
from jobs.plans import judge_plan
from jobs.preconditions import check_expected_head

_DELETION = {JobKind.ENVIRONMENT_DELETE, JobKind.PROJECT_DELETE}
_KEY_LENGTH = 255
_REASON_LENGTH = 2000
_ANY_SERVICE = Ref("service", "*")
"""Stands for every service while base/values.yaml cannot be read: the commit point tells what is wrong with it."""


def admit(
    ports: Ports,
    actor: Actor,
    change: Change,
    *,
    key: str | None,
    reason: str | None,
    expected_head: str | None,
    mutation: str,
    arguments: Mapping[str, Any],
    retry_of: str | None = None,
) -> JobRecord:
    """Queue a change. Raises Refused with what stops it, Unreachable('redis') when nothing can be accepted now.

    `arguments` are the mutation's input; the same key with others is KEY_REUSED.
    """
    authorize(actor, CHANGE, change.project)
    change.validate()
    job = _record(actor, change, key, reason, expected_head, _fingerprint(mutation, arguments), retry_of)
    if key is not None and (known := _known(ports, job)):
        return known
    _judge(ports, change, expected_head)
    _judge_chart(ports, change)
    judge_build(ports, change)
    judge_plan(ports, change)
    judge_gates(ports, actor, change, job.reason)
    admitted = ports.ledger.admit(job, _namespaces(ports, change))
    ports.failpoints.reach("after_admit")
    if not admitted.state.ended:
        ring(ports, [lane(admitted)])
    ports.failpoints.reach("after_bell")
    return admitted


def ring(ports: Ports, lanes: Iterable[str]) -> None:
    """Ring the bell; when it cannot be rung a sweep rings it later, so nothing is lost."""
    try:
        ports.bell.ring(lanes)
    except Unreachable:
        return


def derived_id(actor: Actor, key: str | None) -> str:
    """`job_` and 26 characters; the same for the same actor and key, random without a key."""
    seed = hashlib.sha256(f"{actor.id}\n{key}".encode()).digest() if key is not None else secrets.token_bytes(16)
    return "job_" + base64.b32encode(seed[:16]).decode().rstrip("=").lower()


def _record(
    actor: Actor,
    change: Change,
    key: str | None,
    reason: str | None,
    expected_head: str | None,
    fingerprint: str,
    retry_of: str | None,
) -> JobRecord:
    if key is not None and not 1 <= len(key) <= _KEY_LENGTH:
        raise invalid("idempotencyKey", f"An idempotency key has 1 to {_KEY_LENGTH} characters.")
    if expected_head is not None and not names.Sha.PATTERN.fullmatch(expected_head):
        raise invalid("expectedHead", f"The expected head is a {names.Sha.RULE}.")
    if reason is not None and len(reason) > _REASON_LENGTH:
        raise invalid("reason", f"A reason has at most {_REASON_LENGTH} characters.")
    return JobRecord(
        id=derived_id(actor, key),
        kind=change.KIND,
        project=change.project,
        environments=() if change.KIND is JobKind.PROJECT_CREATE else change.environments,
        services=change.services,
        summary=change.summary(),
        actor=actor,
        change=dump_change(change),
        fingerprint=fingerprint,
        created_at=datetime.now(UTC),
        reason=reason or None,
        expected_head=expected_head,
        keyed=key is not None,
        retry_of=retry_of,
    )


def _fingerprint(mutation: str, arguments: Mapping[str, Any]) -> str:
    # In an update null means removed, elsewhere it means not given.
    said_nothing = {name for name in ("reason", "expectedHead") if arguments.get(name) is None}
    asked = {name: value for name, value in arguments.items() if name not in {"idempotencyKey", *said_nothing}}
    return hashlib.sha256(json.dumps([mutation, asked], sort_keys=True, default=str).encode()).hexdigest()


def _known(ports: Ports, job: JobRecord) -> JobRecord | None:
    """The job that this key made before: by its record or, when Redis forgot it, by its commit."""
    known = ports.ledger.get([job.id]).get(job.id)
    if known is not None:
        return _same(known, same=known.fingerprint == job.fingerprint)
    head = heads.current(ports, job.project)
    landed = ports.history.landed(job.project, head.sha, [job.id]).get(job.id) if head.sha else None
    if landed is None:
        return None
    change = load_change(job.change)
    found = landed_record(job.id, job.project, landed, head.sha or "", change)
    return _same(found, same=not contradicts(landed, change, job.reason))


def _same(known: JobRecord, *, same: bool) -> JobRecord:
    if not same:
        message = "This idempotency key was used for another request: send a new key, or the first request again."
        raise Refused(Conflict(message, ConflictCode.KEY_REUSED, job_id=known.id))
    return known


def _judge_chart(ports: Ports, change: Change) -> None:
    if isinstance(change, UpgradeChart) and (missing := change.missing(ports.charts)) is not None:
        raise invalid("version", missing)


def _judge(ports: Ports, change: Change, expected_head: str | None) -> None:
    """Raise Refused for what neither the mirror nor any job ahead makes possible."""
    _judge_confirmation(ports, change)
    if _refusal(_standing(ports, change.project), change) is None:
        return _judge_head(ports, change, expected_head)
    ahead = ports.ledger.unfinished([change.project]).get(change.project, ())
    standing = _standing(ports, change.project)
    may_exist, may_be_gone = set(standing), set[Ref]()
    for job in ahead:
        other = load_change(job.change)
        may_exist.update(other.creates, (Ref("environment", name) for name in namespaces.wanted(other)))
        may_be_gone.update(other.deletes)
    if _refusal(may_exist, change, may_be_gone) is None:
        return None
    being_deleted = [
        job for job in ahead if job.kind in _DELETION and _is_about(change, load_change(job.change).deletes)
    ]
    if being_deleted:
        message = f"{being_deleted[0].summary} is under way: wait until it has ended."
        raise Refused(Conflict(message, ConflictCode.BEING_DELETED, job_id=being_deleted[0].id))
    refusal = _refusal(standing, change)
    if refusal is not None:
        raise refusal
    return None


def _judge_confirmation(ports: Ports, change: Change) -> None:
    """An environment that stands and is not ephemeral needs its name repeated to be deleted, and has no end that could
    be moved, unless jobs ahead may replace it.
    """
    match change:
        case DeleteEnvironment(confirm=None, expires_at=None):
            message = f"{change.environment} is not ephemeral: repeat its name in confirm to delete it."
            refusal = invalid("confirm", message)
        case ExtendEnvironment():
            refusal = not_ephemeral(change.environment)
        case _:
            return
    head = heads.current(ports, change.project)
    if head.sha is None:
        return
    tree = ports.repositories.snapshot(change.project, head.sha)
    if change.environment not in tree.folder(layout.ENVIRONMENTS):
        return
    replaced = any(change.environment in job.environments for job in _ahead(ports, change.project, _DELETION))
    if not repository.read_environment(tree, change.environment).ephemeral and not replaced:
        raise refusal


def _ahead(ports: Ports, project: str, kinds: Collection[JobKind]) -> list[JobRecord]:
    return [job for job in ports.ledger.unfinished([project]).get(project, ()) if job.kind in kinds]


def _judge_head(ports: Ports, change: Change, expected_head: str | None) -> None:
    if expected_head is None:
        return
    head = heads.current(ports, change.project)
    if head.sha and not head.stale:
        check_expected_head(ports, change, expected_head, head.sha)


def _is_about(change: Change, refs: Iterable[Ref]) -> bool:
    mine = {Ref("project", change.project), *change.needs, *change.creates, *change.deletes}
    return any(ref in mine for ref in refs)


def _standing(ports: Ports, project: str) -> set[Ref]:
    head = heads.current(ports, project)
    if head.sha is None:
        return set()
    return {Ref("project", project), *_contents(ports.repositories.snapshot(project, head.sha))}


def _contents(tree: Tree) -> Iterable[Ref]:
    yield from (Ref("environment", name) for name in tree.folder(layout.ENVIRONMENTS))
    services = repository.read(tree).services
    yield from (Ref("service", service.name) for service in services or ())
    if services is None:
        yield _ANY_SERVICE


def _refusal(exists: set[Ref], change: Change, may_be_gone: Iterable[Ref] = ()) -> Refused | None:
    project = Ref("project", change.project)
    needs = change.needs if project in change.creates else (project, *change.needs)
    for ref in needs:
        if ref not in exists and not (ref.what == "service" and _ANY_SERVICE in exists):
            return Refused(
                NotFound(f"There is no {ref.what} {ref.name}: create it first, or check the name.", *_pair(ref))
            )
    gone = set(may_be_gone)
    for ref in change.creates if project not in gone else ():
        if ref in exists and ref not in gone:
            return Refused(AlreadyExists(f"The {ref.what} {ref.name} exists already.", *_pair(ref)))
    return None


def _pair(ref: Ref) -> tuple[str, str]:
    return ref.what, ref.name


def _namespaces(ports: Ports, change: Change) -> list[tuple[str, str]]:
    """The namespaces to reserve. Raises Refused when another pair of this name stands in Git already (the reservation
    itself lives in Redis and may have been lost).
    """
    wanted = [(names.namespace(change.project, name), name) for name in namespaces.wanted(change)]
    for namespace, environment in wanted:
        for project, other in _splits(namespace):
            if (project, other) != (change.project, environment) and Ref("environment", other) in _standing(
                ports, project
            ):
                message = (
                    f"The namespace {namespace} belongs to environment {other} of project {project}: take another name."
                )
                raise Refused(AlreadyExists(message, "namespace", namespace))
    return wanted


def _splits(namespace: str) -> Iterable[tuple[str, str]]:
    """Every project and environment whose namespace this could be."""
    parts = namespace.split("-")
    for cut in range(1, len(parts)):
        yield "-".join(parts[:cut]), "-".join(parts[cut:])
