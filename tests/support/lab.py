"""The whole of Lucity in one process, without a server around it: real Git, a real Valkey, real Helm; workers and the
observer take their steps when a test says so.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr
from redis import Redis

from adapters.local_git import LocalGitHost
from adapters.records import JobRecord, JobState
from adapters.redis_client import connect
from adapters.settings import Settings
from adapters.wiring import Ports, build
from gitops.changes import Actor, ActorKind, Change
from jobs.admission import admit
from jobs.engine import carry_out
from jobs.observer import observe
from jobs.sweeps import sweep
from tests.support.git import Clone

ANN = Actor("tok_ann", "Ann", "ann@example.org", ActorKind.PERSON)
DEADLINE_SECONDS = 30.0
T = TypeVar("T")


@dataclass
class SilentBell:
    """Remembers what was rung for; nobody comes."""

    rung: list[str] = field(default_factory=list)

    def ring(self, projects: Iterable[str]) -> None:
        """See ports.Bell.ring."""
        self.rung.extend(projects)

    def answered(self, project: str) -> None:
        """See ports.Bell.answered."""


@dataclass
class Lab:
    """Ports of one data folder, and the hands to work them."""

    ports: Ports
    folder: Path
    redis: Redis

    def admit(
        self,
        change: Change,
        *,
        key: str | None = None,
        expected_head: str | None = None,
        actor: Actor = ANN,
        reason: str | None = None,
    ) -> JobRecord:
        """Admit a change as the API would."""
        return admit(
            self.ports,
            actor,
            change,
            key=key,
            reason=reason,
            expected_head=expected_head,
            mutation=type(change).__name__,
            arguments={"change": repr(change)},
        )

    def work(self, project: str) -> None:
        """Carry out what one queue holds, until nothing can be claimed."""
        while carry_out(self.ports, project, "worker-1"):
            continue

    def carry(self, *changes: Change) -> list[JobRecord]:
        """Admit changes, carry them out, and answer their records."""
        ids = [self.admit(change).id for change in changes]
        self.work(changes[0].project)
        return [self.job(job_id) for job_id in ids]

    def settle(self, change: Change) -> JobRecord:
        """Carry a change out, with all that follows in the delivery; its record, which says that it succeeded."""
        with self.observer():
            job = self.admit(change)
            self.work(change.project)
            ended = self.ended(job.id)
        assert ended.state is JobState.SUCCEEDED, ended
        return ended

    def job(self, job_id: str) -> JobRecord:
        """A job's record now."""
        return self.ports.ledger.get([job_id])[job_id]

    def ended(self, job_id: str) -> JobRecord:
        """A job's record once it has ended."""
        return self.wait(f"the end of {job_id}", lambda: job if (job := self.job(job_id)).state.ended else None)

    def flush(self) -> None:
        """Empty Redis."""
        self.redis.flushall()

    def close(self) -> None:
        """End what the ports started."""
        self.ports.renderer.close()
        self.redis.close()

    def clone(self, project: str, name: str = "clone") -> Clone:
        """A user's clone, by path."""
        assert isinstance(self.ports.githost, LocalGitHost)
        return Clone.of(self.ports.githost.path(project), self.folder / name)

    def sweep(self) -> None:
        """One round of a worker's sweep."""
        sweep(self.ports, "worker-1")

    def wait(self, what: str, probe: Callable[[], T | None], seconds: float = DEADLINE_SECONDS) -> T:
        """Ask until there is an answer."""
        deadline = time.monotonic() + seconds
        while (answer := probe()) is None or answer is False:
            assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
            time.sleep(0.02)
        return answer

    @contextmanager
    def observer(self) -> Iterator[None]:
        """An observer that runs while the block does."""
        stopped = threading.Event()
        thread = threading.Thread(target=observe, args=(self.ports, stopped), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join(DEADLINE_SECONDS)


def make_lab(folder: Path, redis_url: str, **settings: object) -> Lab:
    """A lab in an empty folder on an empty Valkey."""
    given = {
        "data": folder / "data",
        "redis_url": SecretStr(redis_url),
        "lease_seconds": 10.0,
        "sweep_seconds": 0.1,
        "poll_seconds": 0.1,
    }
    ports = build(Settings.model_validate({**given, **settings}), lambda _settings, _leases: SilentBell())
    return Lab(ports, folder, connect(redis_url))
