"""Processes of a real stack beside the project, found by its folder in LUCITY_TEST_STACK: its file `pids` holds one
`<id> <name>` a line, as the script that starts it writes them.
"""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

VARIABLE = "LUCITY_TEST_STACK"


@dataclass
class Stack:
    """A stack that runs."""

    folder: Path

    @classmethod
    def found(cls) -> "Stack":
        """The one that is named, or the test is skipped."""
        folder = os.environ.get(VARIABLE)
        if not folder:
            pytest.skip(f"{VARIABLE} names no folder of a real stack")
        return cls(Path(folder))

    def pid(self, name: str) -> int:
        """The process id of a part."""
        lines = (line.split() for line in (self.folder / "pids").read_text().splitlines())
        return next(int(number) for number, part in lines if part == name)

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """A part that does not answer, with its connections open, while the block runs."""
        pid = self.pid(name)
        os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(pid, signal.SIGCONT)

    @contextmanager
    def killed(self, name: str) -> Iterator[None]:
        """A part that is not there while the block runs, and starts as before at its end."""
        pid = self.pid(name)
        place = Path(f"/proc/{pid}")
        argv = place.joinpath("cmdline").read_bytes().split(b"\0")[:-1]
        variables = dict(
            line.split(b"=", 1) for line in place.joinpath("environ").read_bytes().split(b"\0") if b"=" in line
        )
        program, folder = place.joinpath("exe").resolve(), place.joinpath("cwd").resolve()
        os.kill(pid, signal.SIGKILL)
        try:
            yield
        finally:
            with (self.folder / "logs" / f"{name}.log").open("ab") as log:
                again = subprocess.Popen(
                    argv,
                    executable=program,
                    env=variables,
                    cwd=folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            again.returncode = 0  # it outlives the test, on purpose
            pids = (self.folder / "pids").read_text()
            (self.folder / "pids").write_text(pids.replace(f"{pid} {name}\n", f"{again.pid} {name}\n"))
