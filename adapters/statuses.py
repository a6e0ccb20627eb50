"""Last observations and verdicts in Redis, each written together with its event."""

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from redis import Redis

from adapters import codec
from adapters.job_fields import moment
from adapters.ports import StaleLead
from adapters.records import EventKind, RolloutRecord, Signs
from adapters.redis_client import Scripts, reached
from adapters.settings import Settings
from gitops.rollouts import Observation

ROLLOUTS_KEPT = 2000
"""Verdicts kept of a project; the newest written stay."""


class RedisStatuses:
    """See ports.Statuses."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._scripts = Scripts(client, settings)

    def observe(
        self,
        observations: Sequence[Observation],
        rollouts: Sequence[RolloutRecord],
        *,
        heads: Mapping[str, str],
        leader: str | None = None,
    ) -> None:
        """See ports.Statuses.observe. A project that `heads` does not name has the head last advanced to."""
        arguments: list[str | int] = [ROLLOUTS_KEPT, leader or ""]
        for seen in observations:
            head = heads.get(seen.project, "")
            arguments += [EventKind.STATUS.value, seen.project, seen.environment, "", head, codec.dumps(seen)]
        for verdict in rollouts:
            head = heads.get(verdict.project, "")
            where = [verdict.project, verdict.environment, verdict.commit]
            arguments += [EventKind.ROLLOUT.value, *where, head, codec.dumps(verdict)]
        if (observations or rollouts) and not self._scripts.run("observe", arguments):
            raise StaleLead(f"{leader} does not lead the observers any more")

    def status(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Observation]:
        """See ports.Statuses.status."""
        texts = self._texts((f"lucity:status:{project}", environment) for project, environment in keys)
        return {key: codec.loads(Observation, text) for key, text in zip(keys, texts, strict=True) if text}

    def rollouts(self, keys: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], RolloutRecord]:
        """See ports.Statuses.rollouts."""
        fields = ((f"lucity:rollouts:{project}", f"{environment}:{commit}") for project, environment, commit in keys)
        texts = self._texts(fields)
        return {key: codec.loads(RolloutRecord, text) for key, text in zip(keys, texts, strict=True) if text}

    def signs(self) -> Signs:
        """See ports.Statuses.signs."""
        with reached():
            found = self._client.mget("lucity:alive", "lucity:heard", "lucity:git-away")
        observer, delivery, git_away = cast("list[str | None]", found)
        return Signs(moment(observer), moment(delivery), git_away is not None)

    def beat(self, delivery_silent_seconds: float | None, *, git_away: bool = False) -> None:
        """See ports.Statuses.beat."""
        silent = [] if delivery_silent_seconds is None else [int(delivery_silent_seconds * 1000)]
        self._scripts.run("beat", [int(git_away), *silent])

    def forget(self, project: str, environments: Sequence[str] | None = None) -> None:
        """See ports.Statuses.forget. A reservation that an unfinished job asked for stays."""
        self._scripts.run("forget", [project, int(environments is None), *(environments or ())])

    def _texts(self, fields: Iterable[tuple[str, str]]) -> list[str | None]:
        pipeline = self._client.pipeline(transaction=False)
        for key, field in fields:
            pipeline.hget(key, field)
        with reached():
            return cast("list[str | None]", pipeline.execute())
