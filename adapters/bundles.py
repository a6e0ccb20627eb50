"""Repositories as git bundles: what is kept of a deleted one, proven to hold everything before it goes, and what a
user takes away.
"""

from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import pygit2

from adapters.durable import sync_folder
from adapters.git_process import Finished, run
from adapters.ports import Unreachable

_SECONDS = 900.0


def keep_bundle(repository: Path, archive: Path, project: str) -> None:
    """Put a verified bundle of a bare repository into the archive folder; none of an empty one. Raises Unreachable
    when it would be incomplete.
    """
    if not references(repository):
        return
    archive.mkdir(mode=0o700, parents=True, exist_ok=True)
    at = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    with TemporaryDirectory(dir=archive, prefix=f".{project}-") as folder:
        temporary = Path(folder) / "bundle"
        checked(_git(repository, "bundle", "create", "--quiet", str(temporary), "--all"))
        _verify(repository, archive, temporary)
        temporary.rename(archive / f"{project}-{at}.bundle")
    sync_folder(archive)


def write_bundle(repository: Path, head: str, bundle: Path) -> None:
    """Put all that a commit descends from into a bundle, as its branch main. Raises Unreachable."""
    with TemporaryDirectory(dir=bundle.parent, prefix=".bundle-") as folder:
        # A bundle holds references, and the repository's own may move meanwhile: so one that shares the objects.
        borrowed = Path(folder) / "borrowed.git"
        _told(_git(None, "init", "--quiet", "--bare", "--template=", "--initial-branch=main", "--", str(borrowed)))
        (borrowed / "objects" / "info" / "alternates").write_text(f"{(repository / 'objects').resolve()}\n")
        _told(_git(borrowed, "update-ref", "refs/heads/main", head))
        _told(_git(borrowed, "bundle", "create", "--quiet", str(bundle), "HEAD", "refs/heads/main"))


def references(repository: Path) -> dict[str, str]:
    """Every reference of a repository and what it points to."""
    opened = pygit2.Repository(str(repository))
    return {name: str(opened.references[name].resolve().target) for name in opened.references}


def checked(finished: Finished) -> Finished:
    """The same, when git succeeded. Raises Unreachable."""
    if not finished.succeeded:
        raise Unreachable("git", f"a repository could not be archived, it is kept: {finished.stderr.strip()}")
    return finished


def _told(finished: Finished) -> None:
    if not finished.succeeded:
        raise Unreachable("git", f"a repository could not be bundled: {finished.stderr.strip()}")


def _verify(repository: Path, archive: Path, bundle: Path) -> None:
    checked(_git(repository, "bundle", "verify", "--quiet", str(bundle)))
    with TemporaryDirectory(dir=archive, prefix=".verify-") as folder:
        # `bundle verify` reads the header only.
        checked(_git(None, "clone", "--quiet", "--mirror", "--template=", "--", str(bundle), folder))
        if references(Path(folder)) != references(repository):
            raise Unreachable("git", f"a repository could not be archived, it is kept at {repository}")


def _git(repository: Path | None, *arguments: str) -> Finished:
    return run(arguments, repository=repository, timeout_seconds=_SECONDS)
