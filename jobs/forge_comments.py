"""The comment on a request: what its preview holds, where it is and how long it stays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from adapters.forges.calls import MARKED
from adapters.records import JobFilter, JobRecord, JobState, RolloutRecord
from gitops import repository
from gitops.changes import JobKind
from gitops.messages import fold
from gitops.services import DeployedService
from gitops.times import rfc3339
from jobs.forges import Forges, is_of_forge, is_preview
from jobs.previews import preview_name

_BUILDS: Final = 50
_LONGEST: Final = 300
_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")
_UNSAFE: Final = re.compile(r"[`|<>\\]")


@dataclass(frozen=True)
class RequestComment:
    """What is to stand there. `create`: also where there is no comment yet."""

    environment: str
    marker: str
    text: str
    create: bool


def comment_on(forges: Forges, head: str, number: int) -> RequestComment | None:
    """The comment on a request as things are; None when its environment is not the request's."""
    name = preview_name(number)
    marker = MARKED.format(project=forges.project)
    environment = forges.known.environment(name)
    if environment is None and not _is_coming(forges, name):
        return RequestComment(name, marker, f"{marker}\nThe preview `{name}` was deleted.\n", create=False)
    if environment is None:
        return RequestComment(name, marker, f"{marker}\nThe preview `{name}` is being made.\n", create=True)
    if not is_preview(forges.ports, forges.project, head, environment):
        return None
    return RequestComment(name, marker, f"{marker}\n{_table(forges, head, environment)}", create=True)


def _is_coming(forges: Forges, name: str) -> bool:
    unfinished = forges.ports.ledger.unfinished([forges.project]).get(forges.project, ())
    creations = [job for job in unfinished if job.kind is JobKind.ENVIRONMENT_CREATE and name in job.environments]
    return any(is_of_forge(job.actor.id) for job in creations)


def _table(forges: Forges, head: str, environment: repository.Environment) -> str:
    builds, rollouts = _builds(forges, environment.name), _rollouts(forges, head, environment)
    rows = [_row(one, builds.get(one.name), rollouts.get(one.name)) for one in environment.services or ()]
    lines = [
        f"Preview `{environment.name}` of `{forges.project}`",
        "",
        "| service | image | build | rollout | address |",
        "|---|---|---|---|---|",
        *rows,
    ]
    if environment.expires_at is not None:
        lines += ["", f"It stays until {rfc3339(environment.expires_at)} unless something is heard of this request."]
    return "\n".join(lines) + "\n"


def _builds(forges: Forges, environment: str) -> Mapping[str, JobRecord]:
    """The newest build of each service for this environment."""
    where = JobFilter(kinds=(JobKind.BUILD,), project=forges.project, environment=environment)
    return {job.services[0]: job for job in reversed(forges.ports.ledger.page(where, _BUILDS, None).jobs)}


def _rollouts(forges: Forges, head: str, environment: repository.Environment) -> Mapping[str, RolloutRecord]:
    """The verdict on the newest commit that changed each service there."""
    ports, project, name = forges.ports, forges.project, environment.name
    newest = ports.history.newest(project, head)
    commits = {one.name: newest.get((name, one.name)) for one in environment.services or ()}
    keys = {service: (project, name, commit.git.sha) for service, commit in commits.items() if commit is not None}
    records = ports.statuses.rollouts(list(keys.values()))
    return {service: records[key] for service, key in keys.items() if key in records}


def _row(service: DeployedService, build: JobRecord | None, rollout: RolloutRecord | None) -> str:
    image = _code(service.image.reference) if service.image else "none yet"
    cells = (_code(service.name), image, _build_cell(build), _rollout_cell(service, rollout), _addresses(service))
    return f"| {' | '.join(cells)} |"


def _build_cell(job: JobRecord | None) -> str:
    if job is None:
        return ""
    said = job.state.value.lower()
    if job.state is JobState.FAILED and job.problem is not None:
        return f"{said}: {_code(job.problem.message)}"
    return said


def _rollout_cell(service: DeployedService, record: RolloutRecord | None) -> str:
    if service.image is None:
        return ""
    if record is None:
        return "pending"
    said, message = record.rollout.phase.value.lower().replace("_", " "), record.rollout.message
    return f"{said}: {_code(message)}" if message else said


def _addresses(service: DeployedService) -> str:
    return ", ".join(f"https://{host}" if _HOST.fullmatch(host) else _code(host) for host in service.hosts)


def _code(text: str) -> str:
    """Text that forges show as it is: nobody is mentioned by it and no table broken."""
    return f"`{_UNSAFE.sub(' ', fold(text))[:_LONGEST]}`"
