"""Files that are there whole or not at all, also after a crash."""

import os
import tempfile
from contextlib import suppress
from pathlib import Path


def write_beside(path: Path, content: bytes, mode: int) -> Path:
    """A new file with this content in the folder of `path`, on the disk; the caller moves or links it into place."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        os.fchmod(handle, mode)
        file.write(content)
        file.flush()
        os.fsync(handle)
    return Path(name)


def create(path: Path, content: bytes, mode: int) -> None:
    """Write the file when there is none; of several who do so at once one is the first, the others change nothing."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = write_beside(path, content, mode)
    with suppress(FileExistsError):
        os.link(temporary, path)
    temporary.unlink()
    sync_folder(path.parent)


def replace(path: Path, content: bytes, mode: int) -> None:
    """Write the file, whatever was there before."""
    write_beside(path, content, mode).replace(path)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make renames inside a folder last."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
