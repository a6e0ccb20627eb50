"""The processes that `lucity up` starts: each with a log of its own, started again when it ends, stopped in order."""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

FIRST_DELAY_SECONDS = 0.2
LONGEST_DELAY_SECONDS = 10.0
HEALTHY_SECONDS = 3.0
LOG_BYTES = 10 * 1024 * 1024


@dataclass
class Child:
    """One process that should run. Start it from the main thread: its life is tied to that thread's."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    inherited: Sequence[int] = ()
    """File descriptors that the process keeps."""
    deaths: int = 0
    """How often it ended without being asked to."""
    _process: subprocess.Popen[bytes] | None = None
    _started_at: float = 0.0
    _due_at: float = 0.0
    _delay_seconds: float = FIRST_DELAY_SECONDS

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self._process is not None and self._process.poll() is None

    @property
    def due_in_seconds(self) -> float:
        """How long until it may be started again; long while there is nothing to do."""
        return 3600.0 if self._process is not None else max(self._due_at - time.monotonic(), 0.0)

    def start(self) -> None:
        """Start the process in a group of its own, so that Ctrl-C reaches `up` only and `up` decides on the order."""
        self.trim_log()
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(_private(self.log), "ab") as log:
            self._process = subprocess.Popen(
                list(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.environment, "LUCITY_PARENT": str(os.getpid())},
                pass_fds=tuple(self.inherited),
                start_new_session=True,
            )
        self._started_at = time.monotonic()

    def revive(self) -> str | None:
        """Start the process again when its time has come. A line for the terminal when something happened."""
        if self._process is None:
            if self.due_in_seconds == 0.0:
                self.start()
            return None
        code = self._process.poll()
        return None if code is None else self._bury(code)

    def _bury(self, code: int) -> str:
        if time.monotonic() - self._started_at > HEALTHY_SECONDS:
            self._delay_seconds = FIRST_DELAY_SECONDS
        delay = self._delay_seconds
        self.deaths += 1
        self._signal(signal.SIGKILL)
        self._process = None
        self._due_at = time.monotonic() + delay
        self._delay_seconds = min(delay * 2, LONGEST_DELAY_SECONDS)
        return f"{self.name} ended ({describe(code)}); starting it again in {delay:.1f} s, its log is {self.log}"

    def ask_to_stop(self) -> None:
        """Ask for an orderly end."""
        if self._process is not None and self.running:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process and what it started, at once."""
        if self._process is not None:
            self._signal(signal.SIGKILL)
            self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, number)

    def trim_log(self) -> None:
        """Move a log that has grown large aside, once; its file stays the same, since the process writes into it."""
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            shutil.copyfile(self.log, self.log.with_suffix(".log.1"))
            os.truncate(self.log, 0)

    def tail(self, lines: int = 20) -> str:
        """Read the end of its log."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as log:
            log.seek(max(0, self.log.stat().st_size - 16_384))
            return "\n".join(log.read().decode(errors="replace").splitlines()[-lines:])


def _private(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def describe(code: int) -> str:
    """Put an exit code into words."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
