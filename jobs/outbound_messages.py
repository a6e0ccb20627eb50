"""What an event of the log says to the outside: type, identity and data of a webhook message. Pure, but for commits."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapters.records import Event, EventKind, JobRecord, JobState, RolloutRecord
from adapters.wiring import Ports
from gitops.commits import CommitRecord, Image
from gitops.rollouts import RolloutPhase
from gitops.times import rfc3339

Data = Mapping[str, object]
TYPES: Final = (
    "job.queued",
    *(f"job.{state.lower()}" for state in JobState if state.ended),
    "deployment.created",
    *(f"rollout.{phase.lower()}" for phase in RolloutPhase),
)
"""All that there is to tell."""


@dataclass(frozen=True)
class News:
    """Something to tell. `identity`: equal for the same thing, however often it is seen."""

    type: str
    identity: str
    data: Data


def news_of(ports: Ports, event: Event) -> Iterator[News]:
    """What an event is to the outside; nothing for what only readers of streams care for."""
    match event.kind:
        case EventKind.JOB if event.job is not None:
            yield from _job(event.job)
        case EventKind.COMMIT if event.commit is not None:
            found = ports.history.find(event.project, event.head or event.commit, [event.commit])
            if event.commit in found:
                yield from _deployments(event.project, found[event.commit])
        case EventKind.ROLLOUT if event.rollout is not None:
            yield from _rollout(event.rollout)
        case _:
            return


def _job(job: JobRecord) -> Iterator[News]:
    first = job.state is JobState.QUEUED and job.attempts == 0
    if not first and not job.state.ended:
        return
    data = {
        "id": job.id,
        "kind": job.kind.value,
        "state": job.state.value,
        "project": job.project,
        "environments": list(job.environments),
        "services": list(job.services),
        "summary": job.summary,
        "actor": {"name": job.actor.name, "email": job.actor.email},
        "reason": job.reason,
        "commit": job.commit,
        "noChange": job.no_change,
        "error": job.problem.message if job.problem else None,
        "createdAt": rfc3339(job.created_at),
        "finishedAt": rfc3339(job.finished_at) if job.finished_at else None,
    }
    yield News(f"job.{job.state.value.lower()}", f"{job.id} {job.state}", data)


def _deployments(project: str, commit: CommitRecord) -> Iterator[News]:
    for change in commit.images:
        if change.after is None:
            continue
        data = {
            "project": project,
            "environment": change.environment,
            "service": change.service,
            "image": _image(change.after),
            "previousImage": _image(change.before),
            "commit": commit.git.sha,
            "subject": commit.git.subject,
            "author": {"name": commit.git.author.name, "email": commit.git.author.email},
            "deployedAt": rfc3339(commit.git.committed_at),
        }
        yield News("deployment.created", f"{project} {commit.git.sha} {change.environment} {change.service}", data)


def _rollout(record: RolloutRecord) -> Iterator[News]:
    rollout = record.rollout
    finished = rfc3339(rollout.finished_at) if rollout.finished_at else None
    data = {
        "project": record.project,
        "environment": record.environment,
        "commit": record.commit,
        "phase": rollout.phase.value,
        "final": rollout.final,
        "message": rollout.message,
        "startedAt": rfc3339(rollout.started_at) if rollout.started_at else None,
        "finishedAt": finished,
    }
    identity = f"{record.project} {record.environment} {record.commit} {rollout.phase} {finished}"
    yield News(f"rollout.{rollout.phase.value.lower()}", identity, data)


def _image(image: Image | None) -> str | None:
    return image.reference if image else None
