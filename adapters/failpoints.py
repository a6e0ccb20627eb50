"""Named places where a test may break this process. Off unless LUCITY_TESTING=1; then LUCITY_FAILPOINT says which.

kill and raise happen once per data folder unless `times` says more (a file per time, so that they stay counted across
restarts); sleep happens every time.
"""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

NAMES = ("after_admit", "after_bell", "after_claim", "before_seal", "before_push", "after_push", "after_record")


class FailpointRaised(Exception):  # noqa: N818 - it is meant
    """A failpoint with `raise` was reached."""


@dataclass(frozen=True)
class Failpoints:
    """`reach(name)` breaks the process where the setting says so."""

    folder: Path
    name: str = ""
    action: str = ""
    times: int = 1
    seconds: float = 0.0

    @classmethod
    def parse(cls, text: str | None, folder: Path, *, testing: bool) -> "Failpoints":
        """From `<name>:kill[:times]|raise[:times]|sleep=<seconds>`. Raises ValueError for anything else."""
        if not testing or not text:
            return cls(folder)
        name, _, rest = text.partition(":")
        action, _, times = rest.partition(":")
        action, _, seconds = action.partition("=")
        if name not in NAMES or action not in {"kill", "raise", "sleep"}:
            forms = ":kill[:times], :raise[:times] or :sleep=<seconds>"
            raise ValueError(f"LUCITY_FAILPOINT {text!r}: one of {', '.join(NAMES)}, then {forms}")
        return cls(folder, name, action, int(times or 1), float(seconds or 0))

    def reach(self, name: str) -> None:
        """Do what the setting says for `name`; nothing for any other."""
        if name != self.name:
            return
        if self.action == "sleep":
            self._tell()
            time.sleep(self.seconds)
        elif self._first_times():
            self._tell()
            if self.action == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise FailpointRaised(name)

    def _tell(self) -> None:
        structlog.get_logger().warning("failpoint reached", name=self.name, action=self.action)

    def _first_times(self) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        for time_number in range(self.times):
            try:
                (self.folder / f"{self.name}.{time_number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            return True
        return False
