"""Registries and clients of ours for tests: a twin, fakes of every way in, and real ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.ports import Registry
from adapters.registry import OciRegistry
from adapters.registry_http import Login
from adapters.registry_names import RegistryAddress
from tests.fakes import FakeRegistry
from tests.support.registry import PASSWORD, USERNAME

ABSENT = f"sha256:{'0' * 64}"


@dataclass(frozen=True)
class Site:
    """A registry, and a hand to put images into it by path, tag and content; it answers digests."""

    address: str
    registry: Registry
    push: Callable[[str, str, bytes], str]

    def put(self, tag: str, content: bytes = b"one") -> str:
        """Put an image into `repository`."""
        return self.push("team/api", tag, content)

    @property
    def repository(self) -> str:
        """Where those images are."""
        return f"{self.address}/team/api"


class Client(Protocol):
    """Makes clients of ours, which end with the test."""

    def __call__(self, address: str, *, login: bool = False, seconds: float = 10.0) -> OciRegistry: ...


@contextmanager
def clients(folder: Path) -> Iterator[Client]:
    """Makes clients; the password that they log in with is in a file of the folder."""
    file = folder / "password"
    file.write_text(f"{PASSWORD}\n")
    made: list[OciRegistry] = []

    def make(address: str, *, login: bool = False, seconds: float = 10.0) -> OciRegistry:
        given = Login(USERNAME, file) if login else None
        made.append(OciRegistry(RegistryAddress.parse(address), given, insecure=True, seconds=seconds))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


def twin() -> Site:
    registry = FakeRegistry()
    address = registry.address
    return Site(address, registry, lambda path, tag, content: registry.put(f"{address}/{path}", tag, content))
