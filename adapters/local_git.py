"""The Git host `local`: bare repositories in our own data folder, reached by path."""

import re
import shutil
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import pygit2

from adapters.bundles import keep_bundle
from adapters.durable import sync_folder

SETTINGS = "settings"
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_SHA = re.compile(rb"[0-9a-f]{40}")
_MAIN = "refs/heads/main"
_STALE_SECONDS = 60.0
_CONFIGURATION: Mapping[str, str | bool] = {
    "receive.denyNonFastForwards": True,
    "receive.denyDeletes": True,
    "receive.fsckObjects": True,
    "core.fsync": "all",
    "http.receivepack": True,
}


class LocalGitHost:
    """See ports.GitHost. `archive` is the folder for bundles of what was deleted."""

    def __init__(self, root: Path, archive: Path) -> None:
        self._root = root.absolute()
        self._archive = archive.absolute()

    def path(self, project: str) -> Path:
        """The bare repository of a project, or of lucity/settings. Raises ValueError for what is no project's name."""
        if not _NAME.fullmatch(project):
            raise ValueError(f"{project!r} is no name of a project")
        return self._root / ("lucity" if project == SETTINGS else "gitops") / f"{project}.git"

    def projects(self) -> Sequence[str]:
        """See GitHost.projects."""
        found = (self._root / "gitops").glob("*.git")
        return sorted(path.stem for path in found if _NAME.fullmatch(path.stem))

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """See GitHost.heads. Reads the refs' files; starts no process."""
        found = ((project, _read_main(self.path(project))) for project in projects)
        return {project: sha for project, sha in found if sha is not None}

    def create(self, project: str) -> None:
        """See GitHost.create."""
        path = self.path(project)
        if path.exists():
            return
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = path.with_name(f".new-{uuid.uuid4().hex}")
        repository = pygit2.init_repository(str(temporary), bare=True, initial_head="main")
        for name, value in _CONFIGURATION.items():
            repository.config[name] = value
        try:
            temporary.rename(path)
        except OSError:
            shutil.rmtree(temporary)
            if not path.exists():
                raise
        sync_folder(path.parent)

    def archive(self, project: str) -> None:
        """See GitHost.archive. The repository leaves its place first, so that no push slips in behind the bundle; what
        a crash left half done is finished by the next call.
        """
        path = self.path(project)
        leaving = path.with_name(f".leaving-{project}.git")
        if leaving.exists():
            self._bundle(project, leaving)
        with suppress(FileNotFoundError):
            path.rename(leaving)
            self._bundle(project, leaving)

    def remote(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:  # noqa: ARG002 - no credentials
        """See GitHost.remote: a path, and no credentials."""
        path = self.path(project)
        _remove_stale_locks(path)
        return str(path), {}

    def target(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        """See GitHost.target: the same path."""
        return self.remote(project, refused=refused)

    def _bundle(self, project: str, repository: Path) -> None:
        keep_bundle(repository, self._archive, project)
        shutil.rmtree(repository)


def _remove_stale_locks(repository: Path) -> None:
    # A receive-pack that was killed leaves its lock, and then nobody could push any more.
    for name in (f"{_MAIN}.lock", "packed-refs.lock"):
        lock = repository / name
        with suppress(FileNotFoundError, NotADirectoryError):
            if time.time() - lock.stat().st_mtime > _STALE_SECONDS:
                lock.unlink()


def _read_main(repository: Path) -> str | None:
    # In this order: git writes packed-refs before it removes the file of a ref.
    with suppress(FileNotFoundError, NotADirectoryError):
        return _as_sha((repository / _MAIN).read_bytes().strip())
    with suppress(FileNotFoundError, NotADirectoryError):
        # As bytes: names of refs need not be UTF-8.
        for line in (repository / "packed-refs").read_bytes().splitlines():
            sha, _, name = line.partition(b" ")
            if name == _MAIN.encode():
                return _as_sha(sha)
    return None


def _as_sha(text: bytes) -> str | None:
    return text.decode() if _SHA.fullmatch(text) else None
