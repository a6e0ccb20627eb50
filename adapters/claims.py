"""The queue of each project in Redis: marked, never popped. The rules are in lua/library (holds, claims, outcomes)."""

import secrets
from collections.abc import Sequence

from redis import Redis

from adapters import job_fields
from adapters.ports import StaleClaim
from adapters.records import Claim, ClaimMode, Outcome, Seal
from adapters.redis_client import Scripts
from adapters.settings import Settings
from gitops.problems import JobFailure

POISON = JobFailure(
    "the worker that carried this out died again and again while it did; look into its log before a retry"
)
HARD_LIMIT_MARGIN_SECONDS = 60


class RedisClaims:
    """See ports.Claims. `project` is a lane: a project's name, `<project>/sync` for its syncs, or
    `<project>/build/<service>` for builds, claimed one by one. Heartbeats stop to
    extend a claim `hard_limit_seconds` after it was taken.
    """

    def __init__(self, client: Redis, settings: Settings, hard_limit_seconds: float | None = None) -> None:
        pushes = settings.push_timeout_seconds * settings.push_tries
        self._settings = settings
        self._hard_limit_seconds = hard_limit_seconds or pushes + HARD_LIMIT_MARGIN_SECONDS
        building = settings.source_timeout_seconds + settings.build_timeout_seconds
        self._build_limit_seconds = 2 * building + HARD_LIMIT_MARGIN_SECONDS
        self._poison = job_fields.dump_problem(POISON)
        self._scripts = Scripts(client, settings)

    def claim(self, project: str, owner: str, limit: int) -> Claim | None:
        """See ports.Claims.claim. An expired claim of the lane is returned first."""
        claim_id = secrets.token_hex(16)
        building = job_fields.is_build_lane(project)
        hard_limit = self._build_limit_seconds if building else self._hard_limit_seconds
        arguments: list[str | int] = [project, owner, claim_id, 1 if building else limit]
        arguments += [_milliseconds(self._settings.lease_seconds), _milliseconds(hard_limit), self._poison]
        answer = self._scripts.run("claim", arguments)
        if not answer:
            return None
        fence, mode, rows = answer
        jobs = tuple(job_fields.parse_flat(row) for row in rows)
        return Claim(project, claim_id, owner, int(fence), ClaimMode(mode), jobs)

    def heartbeat(self, claim: Claim) -> None:
        """See ports.Claims.heartbeat."""
        lease = _milliseconds(self._settings.lease_seconds)
        if not self._scripts.run("heartbeat", [claim.project, claim.id, lease]):
            raise _stale(claim)

    def seal(self, claim: Claim, job_ids: Sequence[str]) -> Seal:
        """See ports.Claims.seal."""
        answer = self._scripts.run("seal", [claim.project, claim.id, *job_ids])
        match answer:
            case ["sealed"]:
                return Seal(sealed=True)
            case ["dropped", *dropped]:
                return Seal(sealed=False, dropped=tuple(dropped))
            case _:
                raise _stale(claim)

    def record(self, claim: Claim, outcomes: Sequence[Outcome]) -> None:
        """See ports.Claims.record. Every job must be one that the claim still holds."""
        jobs = {job.id: job for job in claim.jobs}
        arguments = [part for it in outcomes for part in job_fields.render_outcome(it, jobs.get(it.job_id))]
        if not self._scripts.run("record", [claim.project, claim.id, *arguments]):
            raise _stale(claim)

    def release(self, claim: Claim) -> bool:
        """See ports.Claims.release. Nothing is returned for a claim that is no longer ours."""
        return bool(self._scripts.run("release", [claim.project, claim.id]))

    def sweep(self, push_timeout_seconds: float) -> Sequence[str]:
        """See ports.Claims.sweep. Answers lanes; one with unconfirmed jobs is rung when their push is over."""
        kept_days, kept_hours = self._settings.job_days, self._settings.event_hours
        arguments: list[str | int] = [self._poison, _milliseconds(kept_days * 86400), _milliseconds(kept_hours * 3600)]
        arguments.append(_milliseconds(push_timeout_seconds))
        lanes: list[str] = self._scripts.run("sweep", arguments)
        return lanes


def _stale(claim: Claim) -> StaleClaim:
    return StaleClaim(
        f"claim {claim.id} of {claim.project} (fence {claim.fence}) is over: its jobs are somebody else's"
    )


def _milliseconds(seconds: float) -> int:
    return round(seconds * 1000)
