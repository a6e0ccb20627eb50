"""Jobs by id and in pages; a job that Redis forgot is told by the commit that carries its id."""

from collections.abc import Mapping, Sequence

from adapters.ports import Unreachable
from adapters.records import JobFilter, JobPage, JobRecord
from adapters.wiring import Ports
from api.reading.heads import Flights, heads_of
from jobs.landed import landed_record

JobKey = tuple[str, str | None]
"""id, and its project when that is known"""


def jobs_of(ports: Ports, flights: Flights, keys: Sequence[JobKey]) -> list[JobRecord | None]:
    """Each job, in order: its record, else what its commit tells, else None.

    Raises Unreachable('redis') only for a job that no commit tells of while Redis is away.
    """
    away: Unreachable | None = None
    found: dict[str, JobRecord] = {}
    try:
        found.update(ports.ledger.get([job_id for job_id, _ in keys]))
    except Unreachable as error:
        away = error
    missing = [key for key in keys if key[0] not in found]
    found.update(_landed(ports, flights, missing))
    if away is not None and any(job_id not in found for job_id, _ in keys):
        raise away
    return [found.get(job_id) for job_id, _ in keys]


def _landed(ports: Ports, flights: Flights, keys: Sequence[JobKey]) -> Mapping[str, JobRecord]:
    anywhere = [job_id for job_id, project in keys if project is None]
    projects = _existing(ports) if anywhere else sorted({project for _, project in keys if project})
    found: dict[str, JobRecord] = {}
    for project, head in zip(projects, heads_of(ports, flights, projects), strict=True):
        wanted = [job_id for job_id, own in keys if own in {project, None}]
        if head.sha is not None and wanted:
            landed = ports.history.landed(project, head.sha, wanted)
            found |= {job: landed_record(job, project, commit, head.sha) for job, commit in landed.items()}
    return found


def _existing(ports: Ports) -> Sequence[str]:
    try:
        return ports.githost.projects()
    except Unreachable:
        return ()


def unfinished_of(ports: Ports, projects: Sequence[str]) -> list[Sequence[JobRecord] | None]:
    """The unfinished jobs of each project in admission order, one read of Redis; None when it is away."""
    try:
        found = ports.ledger.unfinished(projects)
    except Unreachable:
        return [None for _ in projects]
    return [found.get(project, ()) for project in projects]


def page_of_project(ports: Ports, where: JobFilter, first: int, after: str | None) -> JobPage | None:
    """One page of jobs, newest first; None when Redis is away. Raises Refused(InvalidInput) for a bad cursor."""
    try:
        return ports.ledger.page(where, first, after)
    except Unreachable:
        return None
