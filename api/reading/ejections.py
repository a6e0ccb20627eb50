"""A project as a package to take away: bundle, Applications, keys and instructions in one tar.gz."""

import io
import tarfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory, TemporaryFile
from typing import IO

from adapters.git_wiring import allowed_signers
from adapters.wiring import Ports
from api.reading.heads import Flights, head_of
from gitops.ejections import ejected_files
from gitops.names import short
from gitops.problems import NotFound, Refused
from gitops.repository import environment_names


@dataclass(frozen=True)
class Ejection:
    """The package, in a file that goes when it is closed, read from its beginning."""

    name: str
    size: int
    content: IO[bytes]


def eject(ports: Ports, flights: Flights, project: str, repository_url: str | None) -> Ejection:
    """Pack a project at its head. Raises Refused(NotFound), MissingCommit, Unreachable."""
    head = head_of(ports, flights, project).sha
    if head is None:
        raise Refused(NotFound(f"There is no project {project}: check the name.", "project", project))
    environments = environment_names(ports.repositories.snapshot(project, head))
    files = ejected_files(project, environments, head, repository_url)
    files["allowed_signers"] = allowed_signers(ports.settings).read_bytes()
    at = ports.history.find(project, head, [head])[head].git.committed_at
    scratch = ports.settings.data / "scratch"
    scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = TemporaryFile(dir=scratch)  # noqa: SIM115 - whoever sends it closes it
    try:
        with TemporaryDirectory(dir=scratch) as folder:
            bundle = Path(folder) / f"{project}.bundle"
            ports.bundle(project, head, bundle)
            _pack(content, project, files, bundle, at)
        size = content.tell()
        content.seek(0)
    except BaseException:
        content.close()
        raise
    return Ejection(f"{project}-{short(head)}.tar.gz", size, content)


def _pack(content: IO[bytes], folder: str, files: dict[str, bytes], bundle: Path, at: datetime) -> None:
    with tarfile.open(fileobj=content, mode="w:gz") as package:
        for path, data in files.items():
            package.addfile(_member(f"{folder}/{path}", len(data), at), io.BytesIO(data))
        with bundle.open("rb") as data_of_bundle:
            package.addfile(_member(f"{folder}/{bundle.name}", bundle.stat().st_size, at), data_of_bundle)


def _member(path: str, size: int, at: datetime) -> tarfile.TarInfo:
    member = tarfile.TarInfo(path)
    member.size = size
    member.mtime = int(at.timestamp())
    member.mode = 0o644
    return member
