"""Preview environments: one for each open request of a project that wants them, `pr-<number>`, gone with the request.

Deliveries may come twice, late and in any order: of one request only the newest is believed.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from adapters.codec import load_change
from adapters.forges.deliveries import PullRequest
from adapters.records import JobRecord
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Change, JobKind
from gitops.operations.builds import Build
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.extensions import ExtendEnvironment
from gitops.problems import Refused
from gitops.projectsettings import Previews
from jobs.pushes import Accepted, Asking, actor_of, admit_all, built_from, read

PREFIX: Final = "pr-"


def accept_request(ports: Ports, project: str, forge: str, request: PullRequest) -> Accepted:
    """Bring a request's environment to what the request is now. Raises as pushes.accept."""
    known = read(ports, project)
    if known is None:
        return Accepted(ignored=f"there is no project {project}")
    if not ports.requests.hear(project, request.number, request.updated_at, is_open=request.is_open):
        return Accepted(ignored=f"something newer is known of request {request.number}")
    state = "open" if request.is_open else "closed"
    reason = f"request {request.number} is {state}: {request.url}"
    asking = Asking(actor_of(forge, request.author), f"{forge}:{request.delivery_id}", reason)
    if not request.is_open:
        return close(ports, project, known, preview_name(request.number), asking)
    refusal = _refusal(ports, project, known, request)
    if refusal is not None:
        return Accepted(ignored=refusal)
    return admit_all(ports, asking, _wanted(ports, project, known, request))


def preview_name(number: int) -> str:
    """The environment of a request."""
    return f"{PREFIX}{number}"


def close(ports: Ports, project: str, known: repository.Repository, name: str, asking: Asking) -> Accepted:
    """Delete a preview, and end the builds for it."""
    unfinished = ports.ledger.unfinished([project]).get(project, ())
    there = known.environment(name)
    if there is None and not any(_creates(job, name) for job in unfinished):
        return Accepted(ignored=f"there is no environment {name}")
    if there is not None and not there.ephemeral:
        return Accepted(ignored=f"the environment {name} is no preview: it is not ephemeral")
    for job in unfinished:
        if job.kind is JobKind.BUILD and job.environments == (name,):
            _cancel(ports, job)
    last = _last_of(unfinished, name)
    if last is not None and last.kind is JobKind.ENVIRONMENT_DELETE:
        return Accepted((last,))
    return admit_all(ports, asking, [DeleteEnvironment(project, name)])


def _cancel(ports: Ports, job: JobRecord) -> None:
    try:
        ports.ledger.cancel(job.id)
    except Refused:
        return


def _refusal(ports: Ports, project: str, known: repository.Repository, request: PullRequest) -> str | None:
    """Why a request gets no environment, or no news to the one it has."""
    previews, name = known.settings.previews, preview_name(request.number)
    if not previews.enabled:
        return "this project makes no previews: see previews.enabled in project.yaml"
    if request.from_fork and not previews.forks:
        return "requests from forks get no preview: see previews.forks in project.yaml"
    if not built_from(known, request.repository_urls):
        return "no service is built from this repository"
    there = known.environment(name)
    if there is not None and not there.ephemeral:
        return f"the environment {name} is no preview: it is not ephemeral"
    others = _previews(ports, project, known) - {name}
    if there is None and len(others) >= previews.limit:
        return f"there are {len(others)} previews already: see previews.limit in project.yaml"
    return None


def _previews(ports: Ports, project: str, known: repository.Repository) -> set[str]:
    """The previews that there are or will be."""
    unfinished = [load_change(job.change) for job in ports.ledger.unfinished([project]).get(project, ())]
    standing = {each.name for each in known.environments if each.ephemeral and each.name.startswith(PREFIX)}
    coming = {each.environment for each in unfinished if isinstance(each, CreateEnvironment) and each.ephemeral}
    going = {each.environment for each in unfinished if isinstance(each, DeleteEnvironment)}
    return (standing | coming) - going


def _wanted(ports: Ports, project: str, known: repository.Repository, request: PullRequest) -> Iterable[Change]:
    previews, name = known.settings.previews, preview_name(request.number)
    there = known.environment(name)
    unfinished = ports.ledger.unfinished([project]).get(project, ())
    last = _last_of(unfinished, name)
    is_gone = there is None if last is None else last.kind is JobKind.ENVIRONMENT_DELETE
    if is_gone:
        yield CreateEnvironment(project, name, previews.source, ephemeral=True, ttl_seconds=previews.ttl_seconds)
    elif there is not None and _ends_soon(there, previews):
        yield ExtendEnvironment(project, name, previews.ttl_seconds)
    for service in built_from(known, request.repository_urls):
        yield Build(project, service, request.head_sha, (name,), branch=request.head_ref)


def _last_of(unfinished: Iterable[JobRecord], name: str) -> JobRecord | None:
    """What will have made or deleted an environment last."""
    lives = [job for job in unfinished if name in job.environments and job.kind in _LIVES]
    return lives[-1] if lives else None


_LIVES: Final = {JobKind.ENVIRONMENT_CREATE, JobKind.ENVIRONMENT_DELETE}


def _ends_soon(environment: repository.Environment, previews: Previews) -> bool:
    """Whether less than half of its time is left."""
    half = timedelta(seconds=previews.ttl_seconds / 2)
    return environment.expires_at is not None and environment.expires_at - datetime.now(UTC) < half


def _creates(job: JobRecord, name: str) -> bool:
    return job.kind is JobKind.ENVIRONMENT_CREATE and name in job.environments
