"""The real `lucity up`, on a free port and in a folder of its own, driven as a person would."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx

DEADLINE_SECONDS = 90.0
LUCITY = str(Path(sys.executable).parent / "lucity")
T = TypeVar("T")


@dataclass
class Up:
    """One `lucity up`. Everything that waits fails with what it waited for and with the output of all processes."""

    data: Path
    arguments: tuple[str, ...] = ("--port", "0")
    variables: Mapping[str, str] = field(default_factory=dict)
    starts: int = 0
    _process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        """Start the process and do not wait."""
        self.starts += 1
        with self.terminal.open("wb") as terminal:
            self._process = subprocess.Popen(
                [LUCITY, "up", "--no-browser", "--data", str(self.data), *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=terminal,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.variables},
                start_new_session=True,
            )

    def start(self) -> None:
        """Start the process and wait until it says that everything is ready."""
        self.launch()
        self.wait("the line that says ready", lambda: "Lucity is ready." in self.printed() or self.ended())
        assert "Lucity is ready." in self.printed(), self.report()

    def stop(self) -> int:
        """Ask for an orderly end; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """End `up` as `kill -9` does."""
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)

    def restart(self) -> None:
        """Start again after an end, on the same folder."""
        self.start()

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process of `up` itself."""
        assert self._process is not None
        return self._process

    @property
    def terminal(self) -> Path:
        """What the present run prints."""
        return self.data.parent / f"{self.data.name}.terminal.{self.starts}"

    @property
    def url(self) -> str:
        """http://HOST:PORT, without a slash at the end."""
        return self._printed_at(r"GraphQL +(\S+)/graphql")

    @property
    def login(self) -> str:
        """The link that logs a browser in, once."""
        return self._printed_at(r"GraphiQL +(\S+)")

    @property
    def token(self) -> str:
        """The administrator's token."""
        return (self.data / "admin-token").read_text().strip()

    def git_url(self, project: str) -> str:
        """Address of a project's repository, with the administrator's token in it."""
        return f"{self.url.replace('://', f'://admin:{self.token}@')}/git/gitops/{project}.git"

    def graphql(self, query: str, variables: Mapping[str, object] | None = None) -> dict[str, Any]:
        """Answer the `data` of a request; an error fails the test."""
        answer = httpx.post(
            f"{self.url}/graphql",
            json={"query": query, "variables": dict(variables or {})},
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=30,
        )
        body = answer.json()
        assert "errors" not in body, body
        data: dict[str, Any] = body["data"]
        return data

    def wait(self, what: str, probe: Callable[[], T], seconds: float = DEADLINE_SECONDS) -> T:
        """Ask until the answer is true and return it."""
        return wait_until(what, probe, seconds, self.report)

    def ended(self) -> bool:
        """Whether `up` is over."""
        return self.process.poll() is not None

    def processes(self) -> dict[int, str]:
        """Every living process, `up` included, that has to do with the folder: process id → command line."""
        return processes_of(self.data)

    def child(self, name: str) -> int:
        """Process id of api, worker, observer or valkey; 0 while there is none."""
        marks = {"valkey": "valkey.conf"}
        parent = self.process.pid
        found = [pid for pid, line in self.processes().items() if line.endswith(marks.get(name, f"cli.main {name}"))]
        return next((pid for pid in found if parent_of(pid) == parent), 0)

    def printed(self) -> str:
        """Read what the present run has printed."""
        return self.terminal.read_text(errors="replace")

    def report(self) -> str:
        """Everything that any of the processes wrote, for a failed test."""
        logs = sorted((self.data / "logs").glob("*.log"))
        texts = [f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}" for log in logs]
        return "\n".join([f"--- terminal\n{self.printed()}", *texts])

    def _printed_at(self, pattern: str) -> str:
        found = re.search(pattern, self.printed())
        assert found is not None, self.report()
        return found.group(1)


@contextmanager
def running(data: Path, *arguments: str, variables: Mapping[str, str] | None = None) -> Iterator[Up]:
    """Run a ready `lucity up`, killed with all it started at the end."""
    up = Up(data, arguments or ("--port", "0"), variables or {})
    try:
        up.start()
        yield up
    finally:
        if not up.ended():
            up.kill()
        up.wait("the end of all processes", lambda: not up.processes())


def wait_until(
    what: str, probe: Callable[[], T], seconds: float = DEADLINE_SECONDS, report: Callable[[], str] = str
) -> T:
    """Ask until the answer is true and return it; the deadline fails the test, with `report`."""
    deadline = time.monotonic() + seconds
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}\n{report()}"
        time.sleep(0.05)
    return answer


def processes_of(folder: Path) -> dict[int, str]:
    """Living processes that name the folder in their command line, environment or working directory."""
    mark, found = os.fsencode(folder), {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            line, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
            place = os.fsencode((entry / "cwd").readlink())
        except OSError:
            continue
        if line and any(mark in text for text in (line, environment, place)):
            found[int(entry.name)] = line.rstrip(b"\0").replace(b"\0", b" ").decode(errors="replace")
    return found


def parent_of(pid: int) -> int:
    """Process id of a process's parent; 0 when it is gone."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0
