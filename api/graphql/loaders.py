"""Batch loaders for one execution: many fields that ask the same kind of question ask it once."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from strawberry.dataloader import DataLoader

from adapters.records import JobRecord
from adapters.wiring import Ports
from api.reading import commits, heads, jobs, rollouts, statuses, tags
from api.reading.heads import Flights
from api.reading.repositories import views_of
from api.threads import call, call_aside
from gitops.commits import CommitRecord
from gitops.repository import Repository
from jobs.heads import Head

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


@dataclass(frozen=True)
class Loaders:
    """Every loader, fresh."""

    head: DataLoader[str, Head]
    """project → the head to read at"""
    view: DataLoader[tuple[str, str], Repository]
    """project, sha → what the files there mean"""
    commit: DataLoader[commits.CommitKey, CommitRecord | None]
    current: DataLoader[tuple[str, str], commits.Current]
    """project, sha → what stands there"""
    status: DataLoader[tuple[str, str], statuses.StatusView]
    """project, environment"""
    rollout: DataLoader[rollouts.RolloutKey, rollouts.RolloutView]
    job: DataLoader[jobs.JobKey, JobRecord | None]
    unfinished: DataLoader[str, Sequence[JobRecord] | None]
    """project → its unfinished jobs; None when Redis is away"""
    tags: DataLoader[str, Sequence[str] | None]
    """image repository → its tags, the highest first; None where it cannot be told"""

    @classmethod
    def of(cls, ports: Ports, flights: Flights) -> "Loaders":
        """Loaders over these ports."""
        return cls(
            head=_batched(lambda keys: heads.heads_of(ports, flights, keys)),
            view=_batched(lambda keys: views_of(ports, keys)),
            commit=_batched(lambda keys: commits.commits_of(ports, flights, keys)),
            current=_batched(lambda keys: [commits.current_of(ports, project, sha) for project, sha in keys]),
            status=_batched(lambda keys: statuses.statuses_of(ports, keys)),
            rollout=_batched(lambda keys: rollouts.rollouts_of(ports, flights, keys)),
            job=_batched(lambda keys: jobs.jobs_of(ports, flights, keys)),
            unfinished=_batched(lambda keys: jobs.unfinished_of(ports, keys)),
            tags=_aside(lambda keys: tags.tags_of(ports, keys)),
        )


def _batched(read: Callable[[Sequence[K]], Sequence[V]]) -> DataLoader[K, V]:
    async def load(keys: list[K]) -> Sequence[V]:
        return await call(read, keys)

    return DataLoader(load)


def _aside(read: Callable[[Sequence[K]], Sequence[V]]) -> DataLoader[K, V]:
    async def load(keys: list[K]) -> Sequence[V]:
        return await call_aside(read, keys)

    return DataLoader(load)
