"""Small secrets as files that only Lucity's own user may read."""

import re
from dataclasses import dataclass
from pathlib import Path

from adapters.durable import replace, sync_folder

_NAME = re.compile(r"[a-z0-9]([a-z0-9._-]{0,198}[a-z0-9])?")


@dataclass(frozen=True)
class FileSecrets:
    """See ports.Secrets. One file per secret in `root`; names are lower case letters, digits, dots, dashes and
    underscores, and ValueError is raised for any other.
    """

    root: Path

    def get(self, name: str) -> bytes | None:
        """See Secrets.get."""
        try:
            return self._path(name).read_bytes()
        except FileNotFoundError:
            return None

    def put(self, name: str, value: bytes) -> None:
        """See Secrets.put. It is on the disk when this returns."""
        path = self._path(name)
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.root.chmod(0o700)
        replace(path, value, 0o600)

    def delete(self, name: str) -> None:
        """See Secrets.delete."""
        path = self._path(name)
        if path.exists():
            path.unlink(missing_ok=True)
            sync_folder(self.root)

    def _path(self, name: str) -> Path:
        return self.root / checked(name)


def checked(name: str) -> str:
    """The same name. Raises ValueError for one that no secret has."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name of a secret")
    return name
