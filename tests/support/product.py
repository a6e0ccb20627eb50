"""A running `lucity up`, its clients and its repositories, for tests of what the whole of it promises."""

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from redis import Redis

from tests.support.clients import Client, NoAnswer
from tests.support.up import Up, running

QUICK = {
    "LUCITY_TESTING": "1",
    "LUCITY_LEASE_SECONDS": "2",
    "LUCITY_SWEEP_SECONDS": "0.3",
    "LUCITY_PUSH_TIMEOUT_SECONDS": "3",
    "LUCITY_POLL_SECONDS": "0.2",
}
"""Settings under which what a dead process left behind is taken up soon."""


@dataclass
class Product:
    """`asks` is a client that is always there."""

    up: Up
    asks: Client = field(init=False)

    def __post_init__(self) -> None:
        self.asks = self.client()

    def client(self) -> Client:
        """Another client, with a connection of its own."""
        return Client(self._url, self.up.token, self.up.report)

    def _url(self) -> str:
        if "Lucity is ready." not in self.up.printed():
            raise NoAnswer("it is not ready (again) yet")
        return self.up.url

    def repository(self, project: str) -> Path:
        """The bare repository of a project, on the Git host."""
        return self.up.data / "git" / "gitops" / f"{project}.git"

    def found(self, project: str, *, services: tuple[str, ...] = ("api",)) -> None:
        """Make a project with environment development and these services."""
        made = [self.asks.change("createProject", name=project, environments=["development"])]
        for name in services:
            image = f"registry.example.com/{project}/{name}"
            made.append(self.asks.change("addService", project=project, name=name, image=image, port=8080))
        self.asks.succeeded(*made)

    def valkey(self) -> "Redis":
        """The private Valkey, to look into."""
        folder = self.up.data / "valkey"
        password, port = (folder / "password").read_text().strip(), int((folder / "port").read_text())
        return Redis("127.0.0.1", port, password=password, decode_responses=True)

    def reached(self) -> int:
        """How often a failpoint was reached, in all runs together."""
        logs = (self.up.data / "logs").glob("*.log")
        return sum(log.read_text(errors="replace").count('"failpoint reached"') for log in logs)

    def kill(self) -> None:
        """End `up` by kill -9; returns when nothing that hung on it lives any more."""
        self.up.kill()
        self.up.wait("the end of all processes", lambda: not self.up.processes())

    def restart_api(self) -> None:
        """Kill the API; returns when the next one answers."""
        dead = self.up.child("api")
        os.kill(dead, signal.SIGKILL)
        self.up.wait("another API", lambda: self.up.child("api") not in {0, dead})
        self.asks.insist("{ viewer { name } }")

    def restart(self, **variables: str) -> None:
        """Start again with other settings, after an end."""
        self.up.variables = {**QUICK, **variables}
        self.up.restart()


@contextmanager
def product(data: Path, variables: Mapping[str, str] | None = None) -> Iterator[Product]:
    """A ready one, ended with the block."""
    with running(data, variables={**QUICK, **(variables or {})}) as up:
        made = Product(up)
        try:
            yield made
        finally:
            made.asks.close()
