"""The unfinished jobs of projects in one round trip. Records are remembered by their revision, so that a long queue is
sent and parsed once and not with every change that is admitted behind it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from adapters import job_fields
from adapters.records import JobRecord
from adapters.redis_client import Scripts


@dataclass(frozen=True)
class _Known:
    """What was read of one project last: in which epoch of the event log, and id → (revision, record)."""

    epoch: str = ""
    jobs: Mapping[str, tuple[str, JobRecord]] = field(default_factory=dict)


class UnfinishedJobs:
    """Reads them; safe for many threads. Holds no more records than are unfinished."""

    def __init__(self, scripts: Scripts) -> None:
        self._scripts = scripts
        self._known: dict[str, _Known] = {}

    def read(self, projects: Sequence[str]) -> Mapping[str, Sequence[JobRecord]]:
        """Project → its unfinished jobs in admission order."""
        known = [self._known.get(project, _Known()) for project in projects]
        arguments: list[str | int] = []
        for project, before in zip(projects, known, strict=True):
            arguments += [project, before.epoch, len(before.jobs)]
            arguments += [part for job_id, (revision, _) in before.jobs.items() for part in (job_id, revision)]
        epoch, *answers = self._scripts.run("jobs_unfinished", arguments)
        return {
            project: self._remember(project, epoch, before, answer)
            for project, before, answer in zip(projects, known, answers, strict=True)
        }

    def _remember(
        self, project: str, epoch: str, before: _Known, answer: Sequence[str | Sequence[str]]
    ) -> Sequence[JobRecord]:
        jobs: dict[str, tuple[str, JobRecord]] = {}
        for entry in answer:
            if isinstance(entry, str):
                jobs[entry] = before.jobs[entry]
            else:
                fields = dict(zip(entry[::2], entry[1::2], strict=True))
                job = job_fields.parse(fields)
                jobs[job.id] = (fields["revision"], job)
        if jobs:
            self._known[project] = _Known(epoch, jobs)
        else:
            self._known.pop(project, None)
        return [job for _, job in jobs.values()]
