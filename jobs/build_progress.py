"""How far a build is: its steps as they begin and end, its log line by line, and whether it should go on."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self

from adapters.job_fields import lane
from adapters.ports import Stopped, Unreachable
from adapters.records import Claim, JobRecord, JobState, Outcome, Step
from adapters.wiring import Ports

SOURCE, BUILD, PUSH, DEPLOY = STEPS = ("source", "build", "push", "deploy")
"""What a build does, in order."""
_LOOK_SECONDS: Final = 0.5
_FLUSH_SECONDS: Final = 0.1
_FLUSH_LINES: Final = 200


@dataclass
class Progress:
    """Of one claimed build. Steps are told as they change; a lost claim raises StaleClaim at the next word."""

    ports: Ports
    claim: Claim
    job: JobRecord
    _steps: dict[str, Step] = field(default_factory=dict)
    _lines: list[tuple[str, str]] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _looked_at: float = 0.0
    dropped: bool = False
    """Whether the seal found the job cancelled, and has recorded that."""

    @classmethod
    @contextmanager
    def of(cls, ports: Ports, claim: Claim, job: JobRecord) -> Iterator[Self]:
        """The progress of a claimed build; what it logs is on its way while the context lasts, and all at its end."""
        progress, done = cls(ports, claim, job), threading.Event()
        thread = threading.Thread(target=progress._flush_until, args=(done,), daemon=True, name=f"log {job.id}")
        thread.start()
        try:
            yield progress
        finally:
            done.set()
            thread.join()
            progress._flush()

    @property
    def lane(self) -> str:
        """The queue that the build stands in."""
        return lane(self.job)

    @property
    def steps(self) -> tuple[Step, ...]:
        """All steps so far."""
        return tuple(self._steps.values())

    @property
    def current(self) -> str:
        """The step under way, or the one that could not begin."""
        running = [step.name for step in self._steps.values() if step.state is JobState.RUNNING]
        return running[-1] if running else next((name for name in STEPS if name not in self._steps), STEPS[-1])

    def begin(self, name: str, message: str) -> None:
        """A step begins."""
        self._steps[name] = Step(name, JobState.RUNNING, message, datetime.now(UTC))
        self._tell()

    def end(self, name: str, message: str) -> None:
        """A step is done."""
        now = datetime.now(UTC)
        begun = self._steps.get(name)
        began_at = begun.started_at if begun is not None else now
        self._steps[name] = Step(name, JobState.SUCCEEDED, message, began_at, now)
        self._tell()

    def ended(self, state: JobState, message: str) -> tuple[Step, ...]:
        """All steps, the one under way (or the one that could not begin) in this state."""
        now = datetime.now(UTC)
        last = self._steps.get(self.current) or Step(self.current, state, started_at=now)
        self._steps[last.name] = replace(last, state=state, message=message, finished_at=now)
        return self.steps

    def log(self, stream: str, line: str) -> None:
        """Keep a line; it is sent within a moment."""
        with self._lock:
            self._lines.append((stream, line))
            full = len(self._lines) >= _FLUSH_LINES
        if full:
            self._flush()

    def stopped(self) -> bool:
        """Whether somebody asked for the end of this job. Raises StaleClaim when it is no longer ours."""
        if time.monotonic() - self._looked_at < _LOOK_SECONDS:
            return False
        self._looked_at = time.monotonic()
        try:
            self.ports.claims.heartbeat(self.claim)
            found = self.ports.ledger.get([self.job.id]).get(self.job.id)
        except Unreachable:
            return False
        return found is None or found.cancel_requested

    def lost(self) -> bool:
        """Past the point of no return only the loss of the claim ends the work, as StaleClaim."""
        self.stopped()
        return False

    def seal(self) -> None:
        """The point of no return. Raises Stopped when the job was cancelled before it, and StaleClaim."""
        if not self.ports.claims.seal(self.claim, [self.job.id]).sealed:
            self.dropped = True
            raise Stopped("cancelled before its push began")

    def _tell(self) -> None:
        self._flush()
        self.ports.claims.record(self.claim, [Outcome(self.job.id, JobState.RUNNING, steps=self.steps)])

    def _flush_until(self, done: threading.Event) -> None:
        while not done.wait(_FLUSH_SECONDS):
            self._flush()

    def _flush(self) -> None:
        """Send what is kept; while Redis is away it is kept on."""
        with self._lock:
            lines, self._lines = self._lines, []
            try:
                self.ports.events.append_log(self.job.id, lines)
            except Unreachable:
                self._lines = lines + self._lines
