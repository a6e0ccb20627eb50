"""From source code to an image: source repositories, the builder, the registry."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Checkout:
    """The files of a source repository at one commit, on our disk for as long as somebody builds from them."""

    folder: Path
    sha: str
    """Full."""
    committed_at: datetime
    tree: Callable[[str], str | None]
    """Path inside ('' or '.' is the root) → Git's id of the file or folder there; None: not there."""


@dataclass(frozen=True)
class BuildOrder:
    """What to build. `context` and `dockerfile` are paths inside `folder`, the Dockerfile's below the context's."""

    folder: Path
    context: str
    dockerfile: str
    cache: str
    """Builds of the same name share layers: `<project>/<service>`."""
    annotations: Mapping[str, str]
    """The OCI annotations and labels of the image."""
    created_at: datetime
    hidden: Sequence[str] = ()
    """Secrets that no line of the log may show, even if the sources hold them."""


def never() -> bool:
    """Nobody asked for an end."""
    return False


class Sources(Protocol):
    """The users' own repositories: cloned to build images, never written to. `credentials` is what the project's secret
    `clone` holds. Raises Unreachable('source') when trying again may help, Refused for what never can be: InvalidInput
    for an address that is not allowed, NotFound (what=revision), JobFailure for a clone over its bounds. Once `stopped`
    says so all processes end and Stopped is raised.
    """

    def head(self, url: str, branch: str, credentials: bytes | None, stopped: Callable[[], bool] = never) -> str | None:
        """The full SHA of a branch now, or of another ref by its full name; None when there is no such one."""
        ...

    def checkout(
        self, url: str, revision: str, credentials: bytes | None, stopped: Callable[[], bool] = never
    ) -> AbstractContextManager[Checkout]:
        """The files of a branch, tag or full or short SHA, until the context is left."""
        ...


class Builder(Protocol):
    """Makes images. Raises Unreachable('builder') when there is none here."""

    def absence(self) -> str | None:
        """Why nothing can be built here; None when it can."""
        ...

    def kind(self) -> str:
        """What builds, with its version: part of what tells whether an image can be used again."""
        ...

    def build(self, order: BuildOrder, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        """The id of the image made. `log` gets (stream, line); once `stopped` says so all processes end and Stopped is
        raised. Raises Refused: JobFailure for a build that fails (with its exit code, time or size), NotFound
        (what=Dockerfile).
        """
        ...

    def push(self, image: str, reference: str, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        """Push an image to `repository:tag`; the digest that the registry has it under. Raises Unreachable('registry'),
        Refused(JobFailure), Stopped.
        """
        ...

    def prune(self) -> None:
        """Remove what is old or over the disk's bounds, and what killed builds left behind."""
        ...


class Registry(Protocol):
    """Any OCI registry, the one that Lucity was given. `repository` is `host[:port]/path` and must be held. Raises
    Unreachable('registry'), and Refused(JobFailure) when it does not let us in.
    """

    def check(self) -> None:
        """Pass when it answers and takes our login."""
        ...

    def holds(self, repository: str) -> bool:
        """Whether images of this repository are in the registry that Lucity was given."""
        ...

    def digest(self, repository: str, tag: str) -> str | None:
        """The digest that a tag stands for; None when there is no such tag."""
        ...

    def tags(self, repository: str) -> Sequence[str]:
        """All tags, sorted, numbers in them by their size; none when there is no such repository."""
        ...

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """Give an image that is there one more tag, or move that one to it. Raises Refused: NotFound (what=image) when
        it is not there, JobFailure when the tag is not taken.
        """
        ...
