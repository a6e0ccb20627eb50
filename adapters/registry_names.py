"""Image names as registries understand them: which registry holds them, and under which path. No I/O.

Source: https://github.com/distribution/reference/blob/main/normalize.go
"""

import re
from dataclasses import dataclass
from typing import Final, Self

HUB: Final = "docker.io"
_HUB_NAMES: Final = frozenset({HUB, "index.docker.io", "registry-1.docker.io"})
_HUB_API: Final = "registry-1.docker.io"
_HUB_FOLDER: Final = "library"
_LARGEST_PORT: Final = 65535
_HOST: Final = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*(?::([0-9]{1,5}))?"
)
_PATH: Final = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")


@dataclass(frozen=True)
class ImageName:
    """Where an image lives: `host[:port]`, in lower case, and the path there."""

    host: str
    path: str

    @classmethod
    def parse(cls, repository: str) -> Self:
        """`nginx` is docker.io/library/nginx; a first part is a host when it has a dot, a port or a capital."""
        first, _, rest = repository.partition("/")
        if not rest or not _is_host(first):
            first, rest = HUB, repository
        host = _host(first)
        return cls(host, f"{_HUB_FOLDER}/{rest}" if host == HUB and "/" not in rest else rest)


@dataclass(frozen=True)
class RegistryAddress:
    """A registry, or a folder of one. '' is no prefix."""

    host: str
    prefix: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """`host[:port][/prefix]`. Raises ValueError for what image names could not begin with."""
        first, _, prefix = text.strip("/").partition("/")
        found = _HOST.fullmatch(first.lower())
        if not found or not _is_host(first) or not 0 < int(found[1] or 1) <= _LARGEST_PORT:
            raise ValueError("it must begin with a host that has a dot or a port, without https://")
        if prefix and not _PATH.fullmatch(prefix):
            raise ValueError("what stands behind the host must be lower-case names with slashes between them")
        return cls(_host(first), prefix)

    @property
    def authority(self) -> str:
        """Where its API is, which differs for Docker Hub."""
        return _HUB_API if self.host == HUB else self.host

    def holds(self, name: ImageName) -> bool:
        """Whether an image is in this part of the registry; false for a path that no image can have."""
        inside = not self.prefix or f"{name.path}/".startswith(f"{self.prefix}/")
        return name.host == self.host and inside and bool(_PATH.fullmatch(name.path))


def _is_host(part: str) -> bool:
    return part == "localhost" or "." in part or ":" in part or part != part.lower()


def _host(part: str) -> str:
    lower = part.lower()
    return HUB if lower in _HUB_NAMES else lower
