"""The parent's end of a Helm process: starts it, asks it, and ends it when it takes too long or too much.

Ended                   the process is gone; nothing is known of the request
Exceeded                it was ended because the request took more than it may
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_START_SECONDS = 60.0
_LOOK_SECONDS = 0.02
_ANSWER_MIB = 32
_MIB = 1024 * 1024


class Ended(Exception):  # noqa: N818 - a state of the process
    """Helm ended before it answered."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


class Exceeded(Exception):  # noqa: N818 - the same
    """A request took more time or memory than it may, or answered too much."""


class HelmPipe:
    """One running process. Not safe for threads: one request at a time. `scratch`, its home, is an existing folder."""

    def __init__(self, scratch: Path, timeout_seconds: float, memory_mib: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._memory_mib = memory_mib
        self._channel, theirs = socket.socketpair()
        arguments = [sys.executable, "-m", "adapters.helm_process", str(theirs.fileno()), str(memory_mib)]
        try:
            self._process = subprocess.Popen(
                arguments,
                env=_environment(scratch, memory_mib),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
            )
        except OSError:
            self._channel.close()
            raise
        finally:
            theirs.close()
        self._owner = os.getpid()
        self._idle_mib = 0.0
        self._receive(time.monotonic() + _START_SECONDS)
        self._idle_mib = self._resident_mib()

    @property
    def pid(self) -> int:
        """The process' id."""
        return self._process.pid

    @property
    def usable(self) -> bool:
        """Whether it runs, is this process' own and not its parent's, and does not hold on to much memory."""
        mine = self._owner == os.getpid()
        return mine and self._process.poll() is None and self._used_mib() < self._memory_mib / 2

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Ask for the answer to one request. Raises Ended or Exceeded; the process is gone then."""
        deadline = time.monotonic() + self._timeout_seconds
        self._channel.settimeout(self._timeout_seconds)
        try:
            self._channel.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            self.close()
            raise Ended from error
        return self._receive(deadline)

    def close(self) -> None:
        """End the process, at once. Of a parent's process, only our copy of the socket is closed."""
        self._channel.close()
        if self._owner == os.getpid():
            self._process.kill()
            self._process.wait()

    def _receive(self, deadline: float) -> dict[str, Any]:
        received = bytearray()
        self._channel.settimeout(_LOOK_SECONDS)
        try:
            while not received.endswith(b"\n"):
                received += self._next()
                self._check(deadline, len(received))
        except (Ended, Exceeded):
            self.close()
            raise
        answer: dict[str, Any] = json.loads(received)
        return answer

    def _next(self) -> bytes:
        try:
            data = self._channel.recv(_MIB)
        except TimeoutError:
            return b""
        except OSError as error:
            raise Ended from error
        if not data:
            raise Ended
        return data

    def _check(self, deadline: float, received: int) -> None:
        if self._used_mib() > self._memory_mib:
            raise Exceeded(f"the render takes more than {self._memory_mib} MiB of memory")
        if time.monotonic() > deadline:
            raise Exceeded(f"the render takes longer than {self._timeout_seconds:g} s")
        if received > _ANSWER_MIB * _MIB:
            raise Exceeded(f"the manifests are larger than {_ANSWER_MIB} MiB")

    def _used_mib(self) -> float:
        return self._resident_mib() - self._idle_mib if self._idle_mib else 0.0

    def _resident_mib(self) -> float:
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / _MIB


def _environment(scratch: Path, memory_mib: int) -> dict[str, str]:
    """Nothing of ours but where the code is; Go collects garbage rather than pass the limit, and not much before: at
    its usual pace that is a quarter of what a render costs.
    """
    code = str(Path(__file__).parent.parent)
    limits = {"GOMEMLIMIT": f"{memory_mib}MiB", "GOGC": "400"}
    return {"PATH": os.defpath, "HOME": str(scratch), "PYTHONPATH": code, **limits}
