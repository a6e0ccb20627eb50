"""Telling a project's forge what becomes of its commits and requests.

A report says what is so when it is sent, not what was so when its event came: so reports may come late or twice.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final, assert_never

import structlog

from adapters import codec
from adapters.forges.calls import Denied, Limited, Rejected, Status
from adapters.outbound import FORGE_TARGET, Delivery, DeliveryState, Message
from adapters.ports import MissingCommit, Unreachable
from adapters.records import Event, EventKind, JobFilter, JobRecord, RolloutRecord
from adapters.wiring import Ports
from gitops import messages, repository
from gitops.changes import JobKind
from gitops.commits import CommitKind
from gitops.operations.builds import Build
from gitops.operations.deployments import Deploy
from gitops.rollouts import gone_rollout
from jobs import heads, project_secrets
from jobs.forge_comments import comment_on
from jobs.forge_statuses import of_build, of_deploy, of_rollout
from jobs.forges import COMMENTS, STATUSES, Forges
from jobs.origins import messages_behind

SECONDS: Final = 15.0
"""How long one report may take: less than its claim."""
_STATUS_SECONDS: Final = 1.0
_COMMENT_SECONDS: Final = 3.0
_LONGEST_WAIT: Final = 1800.0
_BUILDS: Final = 100
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_PREVIEW: Final = re.compile(r"pr-([1-9][0-9]{0,9})")
_log = structlog.get_logger()


@dataclass(frozen=True)
class BuildReport:
    """The status of a commit whose image is built. `job`: the last that was heard of."""

    project: str
    service: str
    revision: str
    job: str


@dataclass(frozen=True)
class DeploymentReport:
    """The status of a commit whose image is put somewhere: by this job, or by this commit of ours."""

    project: str
    environment: str
    service: str
    revision: str
    job: str = ""
    commit: str = ""


@dataclass(frozen=True)
class RequestReport:
    """The comment on a request."""

    project: str
    number: int


Report = BuildReport | DeploymentReport | RequestReport
_TYPES: Final[dict[str, type[Report]]] = {
    "forge.build": BuildReport,
    "forge.deployment": DeploymentReport,
    "forge.request": RequestReport,
}


def messages_of(ports: Ports, event: Event) -> list[Message]:
    """What an event leads to, for a project that has a token for its forge. Raises MissingCommit and Unreachable."""
    found = list(dict.fromkeys(_reports(ports, event)))
    if not found or project_secrets.updated_at(ports.secrets, event.project, project_secrets.FORGE) is None:
        return []
    return [_message(report) for report in found]


def _reports(ports: Ports, event: Event) -> Iterator[Report]:
    match event.kind:
        case EventKind.JOB if event.job is not None:
            yield from _of_job(event.job)
        case EventKind.COMMIT if event.commit is not None:
            yield from _of_commit(ports, event, event.commit)
            yield from _of_environments(event.project, event.environments)
        case EventKind.ROLLOUT if event.rollout is not None:
            yield from _of_commit(ports, event, event.rollout.commit)
            yield from _of_environments(event.project, [event.rollout.environment])
        case _:
            return


def _of_job(job: JobRecord) -> Iterator[Report]:
    yield from _of_environments(job.project, job.environments)
    match codec.load_change(job.change) if job.kind in {JobKind.BUILD, JobKind.DEPLOY} else None:
        case Build(service=service, revision=str(revision)) if _SHA.fullmatch(revision):
            yield BuildReport(job.project, service, revision, job.id)
        case Deploy(environment=environment, images=images):
            for image in images:
                if image.source is not None:
                    yield DeploymentReport(job.project, environment, image.service, image.source.sha, job.id)


def _of_commit(ports: Ports, event: Event, sha: str) -> Iterator[Report]:
    """The revisions of sources that a commit deployed, as it says itself; to be believed when it is ours."""
    found = ports.history.find(event.project, event.head or sha, [sha]).get(sha)
    if found is None or not found.git.trusted:
        return
    message = messages.parse(found.git.message)
    for value in message.all(messages.SOURCE_REVISION) if message.environment else ():
        service, _, revision = value.partition("=")
        if _SHA.fullmatch(revision):
            yield DeploymentReport(event.project, message.environment or "", service, revision, commit=sha)
    if message.kind is CommitKind.PROMOTE:
        yield from _of_promotion(ports, event.project, message.environment, sha)


def _of_promotion(ports: Ports, project: str, target: str | None, sha: str) -> Iterator[Report]:
    """The revisions of what a promotion took along, as the deployments say that it leads back to."""
    for (environment, service), deployment in ports.history.current(project, sha).items():
        if environment == target and deployment.commit.git.sha == sha:
            behind = messages_behind(ports, project, deployment)
            revision = next(filter(None, (messages.source_revision(message, service) for message in behind)), "")
            if _SHA.fullmatch(revision):
                yield DeploymentReport(project, environment, service, revision, commit=sha)


def _of_environments(project: str, environments: Iterable[str]) -> Iterator[Report]:
    for name in environments:
        if match := _PREVIEW.fullmatch(name):
            yield RequestReport(project, int(match[1]))


def _message(report: Report) -> Message:
    """The same subject has the same id, so that one delivery stands for it."""
    match report:
        case BuildReport():
            kind, seconds = "forge.build", _STATUS_SECONDS
            subject = codec.dumps(replace(report, job=""))
        case DeploymentReport():
            kind, seconds = "forge.deployment", _STATUS_SECONDS
            subject = codec.dumps(replace(report, job="", commit=""))
        case RequestReport():
            kind, seconds = "forge.request", _COMMENT_SECONDS
            subject = codec.dumps(report)
        case _:
            assert_never(report)
    digest = hashlib.sha256(f"{kind} {subject}".encode()).hexdigest()
    return Message(f"msg_{digest[:26]}", f"{FORGE_TARGET}{report.project}", kind, codec.dumps(report), seconds)


def send(ports: Ports, delivery: Delivery, waits: tuple[int, ...]) -> None:
    """One attempt to tell, and what comes of it. `waits`: seconds before each further attempt."""
    settle = ports.outbound.settle
    try:
        told = _tell(ports, delivery)
        settle(delivery, DeliveryState.DELIVERED, None, None, told=told)
    except Limited as limit:
        settle(delivery, DeliveryState.PENDING, None, str(limit), limit.seconds, delivery.told)
    except Denied as denial:
        settle(delivery, DeliveryState.FAILED, None, str(denial), told=delivery.told)
    except Rejected as rejection:
        _log.warning("the forge takes no report", project=_project(delivery), message=str(rejection))
        settle(delivery, DeliveryState.FAILED, rejection.status or None, str(rejection), told=delivery.told)
    except (Unreachable, MissingCommit) as outage:
        if isinstance(outage, Unreachable) and outage.component == "redis":
            raise
        given_up = delivery.attempts > len(waits)
        state = DeliveryState.FAILED if given_up else DeliveryState.PENDING
        wait = 0.0 if given_up else min(waits[delivery.attempts - 1], _LONGEST_WAIT)
        settle(delivery, state, None, str(outage), wait, delivery.told)
    except Exception as fault:  # noqa: BLE001 - a mistake of ours must not be made for ever
        _log.exception("a report cannot be made", project=_project(delivery))
        settle(delivery, DeliveryState.FAILED, None, type(fault).__name__, told=delivery.told)


def _project(delivery: Delivery) -> str:
    return delivery.message.endpoint.removeprefix(FORGE_TARGET)


def _tell(ports: Ports, delivery: Delivery) -> str:
    """What was told, in short; nothing is sent that was told before. Raises ForgeFailure and Unreachable."""
    project = _project(delivery)
    head = heads.current(ports, project).sha
    if head is None:
        return delivery.told
    known = repository.read(ports.repositories.snapshot(project, head))
    forges = Forges(ports, project, known, SECONDS)
    match codec.loads(_TYPES[delivery.message.type], delivery.message.body):
        case RequestReport(number=number):
            return _put_comment(forges, head, number, delivery.told)
        case BuildReport() as report:
            job = _newest(ports, report)
            status = of_build(ports.settings.origin, job) if job else None
            return _set_status(forges, report, status, delivery.told)
        case DeploymentReport() as report:
            return _set_status(forges, report, _deployment(ports, known, report), delivery.told)


def _newest(ports: Ports, report: BuildReport) -> JobRecord | None:
    """The newest build of this revision."""
    where = JobFilter(kinds=(JobKind.BUILD,), project=report.project, service=report.service)
    for job in ports.ledger.page(where, _BUILDS, None).jobs:
        change = codec.load_change(job.change)
        if isinstance(change, Build) and change.revision == report.revision:
            return job
    return ports.ledger.get([report.job]).get(report.job)


def _deployment(ports: Ports, known: repository.Repository, report: DeploymentReport) -> Status:
    """How far it is: the rollout of its commit, or until there is one its job. Of an environment that is gone none may
    be remembered.
    """
    origin, job = ports.settings.origin, ports.ledger.get([report.job]).get(report.job)
    commit = report.commit or (job.commit if job else None)
    if job is not None and commit is None:
        return of_deploy(origin, report.environment, report.service, job)
    key = report.project, report.environment, commit or ""
    record = ports.statuses.rollouts([key]).get(key)
    if record is None and known.environment(report.environment) is None:
        record = RolloutRecord(*key, gone_rollout(report.environment, removed=False))
    return of_rollout(origin, report.environment, report.service, record)


def _set_status(forges: Forges, report: BuildReport | DeploymentReport, status: Status | None, told: str) -> str:
    service = forges.known.service(report.service)
    short = _digest(codec.dumps(status)) if status else told
    if status is None or short == told or service is None or service.source is None:
        return told
    with forges.asking(STATUSES):
        forge = forges.of(service.source.repository_url)
        if forge is None:
            return told
        forge.set_status(report.revision, status)
    return short


def _put_comment(forges: Forges, head: str, number: int, told: str) -> str:
    comment = comment_on(forges, head, number)
    short = _digest(comment.text) if comment else told
    url = forges.source_of(comment.environment) if comment and short != told else None
    if comment is None or url is None:
        return told
    with forges.asking(COMMENTS):
        forge = forges.of(url)
        if forge is None:
            return told
        forge.put_comment(number, comment.marker, comment.text, create=comment.create)
    return short


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
