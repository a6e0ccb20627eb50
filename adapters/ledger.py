"""Job records in Redis: admitted, read, listed, cancelled, moved on. Who carries them out is claims.py's."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from redis import Redis

from adapters import job_fields
from adapters.records import JobFilter, JobPage, JobRecord, Outcome
from adapters.redis_client import Arguments, Scripts, reached
from adapters.settings import Settings
from adapters.unfinished_jobs import UnfinishedJobs
from gitops.problems import AlreadyExists, Conflict, ConflictCode, NotFound, RateLimited, Refused, invalid

RETRY_AFTER_SECONDS = 5.0


class RedisLedger:
    """See ports.Ledger."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._scripts = Scripts(client, settings)
        self._unfinished = UnfinishedJobs(self._scripts)

    def admit(self, job: JobRecord, namespaces: Sequence[tuple[str, str]] = ()) -> JobRecord:
        """See ports.Ledger.admit."""
        fields = job_fields.render(job)
        size = sum(len(value.encode()) for value in fields.values())
        reserved = ",".join(f"{name}={environment}" for name, environment in namespaces)
        head: Arguments = [job.id, job.fingerprint, job.project, job_fields.lane(job), size, reserved]
        bounds: Arguments = [self._settings.queue_jobs, self._settings.queue_bytes]
        answer = self._scripts.run("admit", [*head, *bounds, *(part for pair in fields.items() for part in pair)])
        match answer:
            case ["admitted", number]:
                return replace(job, number=int(number))
            case ["present", row]:
                return job_fields.parse_flat(row)
            case _:
                raise Refused(_refusal(job, answer))

    def get(self, ids: Sequence[str]) -> Mapping[str, JobRecord]:
        """See ports.Ledger.get."""
        pipeline = self._client.pipeline(transaction=False)
        for job_id in ids:
            pipeline.hgetall(f"lucity:job:{job_id}")
        with reached():
            rows = cast("list[dict[str, str]]", pipeline.execute())
        return {job_id: job_fields.parse(row) for job_id, row in zip(ids, rows, strict=True) if row}

    def unfinished(self, projects: Sequence[str]) -> Mapping[str, Sequence[JobRecord]]:
        """See ports.Ledger.unfinished."""
        return self._unfinished.read(projects) if projects else {}

    def page(self, where: JobFilter, first: int, after: str | None) -> JobPage:
        """See ports.Ledger.page. One round trip for every 4,000 jobs that had to be looked at."""
        found: list[JobRecord] = []
        cursor, below, more = after or "", "", "more"
        while more == "more" and len(found) <= first:
            arguments: Arguments = [*_conditions(where), first + 1 - len(found), cursor, below]
            answer = ["unknown"] if after == "" else self._scripts.run("jobs_page", arguments)
            if answer == ["unknown"]:
                raise invalid("after", f"{after!r} is no job that is still kept: start again without a cursor")
            more, below, rows = answer
            found += _parse_rows(rows)
            cursor = ""
        return JobPage(tuple(found[:first]), len(found) > first)

    def cancel(self, job_id: str) -> JobRecord:
        """See ports.Ledger.cancel."""
        answer = self._scripts.run("cancel", [job_id])
        match answer:
            case ["done", row]:
                return job_fields.parse_flat(row)
            case ["pushing", _]:
                message = f"job {job_id} is past the point of no return: its commit is being pushed or was"
                raise Refused(Conflict(message, ConflictCode.PUSHING, job_id=job_id))
            case ["ended", row]:
                message = f"job {job_id} has already ended: {job_fields.parse_flat(row).state}"
                raise Refused(Conflict(message, ConflictCode.JOB_ENDED, job_id=job_id))
            case _:
                raise Refused(NotFound(f"there is no job {job_id}", "job", job_id))

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """See ports.Ledger.settle."""
        if outcomes:
            self._scripts.run(
                "settle", [part for outcome in outcomes for part in job_fields.render_outcome(outcome, None)]
            )


def _refusal(job: JobRecord, answer: list[Any]) -> AlreadyExists | Conflict | RateLimited:
    match answer:
        case ["namespace", name, holder]:
            project, _, environment = str(holder).partition("/")
            message = (
                f"the namespace {name} belongs to environment {environment} of project {project}; choose another name"
            )
            return AlreadyExists(message, "namespace", str(name))
        case ["key_reused"]:
            message = "this idempotency key was used for something else; take a new one"
            return Conflict(message, ConflictCode.KEY_REUSED, job_id=job.id)
        case _:
            message = f"project {job.project} has too much unfinished work; try again when some of it is done"
            return RateLimited(message, RETRY_AFTER_SECONDS)


def _conditions(where: JobFilter) -> list[str]:
    texts = [where.project or "", where.environment or "", where.service or "", (where.actor or "").lower()]
    return [*texts, ",".join(where.states), ",".join(where.kinds)]


def _parse_rows(rows: Iterable[Sequence[str]]) -> list[JobRecord]:
    return [job_fields.parse_flat(row) for row in rows]
