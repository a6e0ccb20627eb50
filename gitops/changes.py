"""A change: what somebody wants, as data. Every kind is a frozen dataclass in gitops/operations that is a Change.

Nothing here knows how a change is queued, committed or answered.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from gitops.commits import Image
from gitops.problems import Gate
from gitops.tree import Tree, Writes


class JobKind(StrEnum):
    """What a job does."""

    PROJECT_CREATE = "PROJECT_CREATE"
    PROJECT_UPDATE = "PROJECT_UPDATE"
    PROJECT_DELETE = "PROJECT_DELETE"
    ENVIRONMENT_CREATE = "ENVIRONMENT_CREATE"
    ENVIRONMENT_EXTEND = "ENVIRONMENT_EXTEND"
    ENVIRONMENT_DELETE = "ENVIRONMENT_DELETE"
    SERVICE_ADD = "SERVICE_ADD"
    SERVICE_UPDATE = "SERVICE_UPDATE"
    SERVICE_REMOVE = "SERVICE_REMOVE"
    BUILD = "BUILD"
    DEPLOY = "DEPLOY"
    RESTART = "RESTART"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    REVERT = "REVERT"
    HOLD = "HOLD"
    RELEASE_HOLD = "RELEASE_HOLD"
    CONFIG = "CONFIG"
    CHART = "CHART"
    SYNC = "SYNC"


class ActorKind(StrEnum):
    """Who acts: holds and gates stop AUTOMATION, a PERSON may pass with override."""

    PERSON = "PERSON"
    AUTOMATION = "AUTOMATION"


@dataclass(frozen=True)
class Actor:
    """Who wants a change; `id` is the token's id, stable and opaque."""

    id: str
    name: str
    email: str
    kind: ActorKind = ActorKind.PERSON
    clones: str | None = None
    """The only project that it may clone, and it may do nothing else; None: whatever its kind may."""


@dataclass(frozen=True)
class Ref:
    """A thing that exists or not: `what` is project, environment or service; `name` its name within the project."""

    what: str
    name: str


def refs(environments: Iterable[str], services: Iterable[str] = ()) -> tuple[Ref, ...]:
    """Environments, then services, as things that exist or not."""
    return (*(Ref("environment", name) for name in environments), *(Ref("service", name) for name in services))


def _nowhere(sha: str) -> Tree | None:  # noqa: ARG001 - the same for every context
    """Look for a commit where nothing older can be read."""
    return None


def _untold(sha: str, path: str) -> Sequence[str]:  # noqa: ARG001 - as above
    """Look for commits where no history can be read."""
    return ()


@dataclass(frozen=True)
class FoundTag:
    """What a tag of an image stands for. Without a digest it was not looked up, or could not be: then `warning` says
    why.
    """

    digest: str | None = None
    warning: str | None = None


def _not_looked_up(image: Image) -> FoundTag:  # noqa: ARG001 - as above
    """Look for a tag where there is no registry."""
    return FoundTag()


@dataclass(frozen=True)
class Context:
    """All that a change may use besides the tree and itself; the same context gives the same result."""

    now: datetime
    """The moment of the commit, UTC."""
    head: str
    """The full SHA that the tree was read at; '' when the repository has no commit yet."""
    actor: Actor
    charts: Mapping[str, Mapping[str, bytes]]
    """The versions of chart lucity-app that this server carries → {path inside the chart: bytes}."""
    reason: str | None = None
    """Why the actor wants it."""
    at: Callable[[str], Tree | None] = field(default=_nowhere)
    """The files at a commit of the head's first-parent history, by full SHA; None when it is none of it."""
    since: Callable[[str, str], Sequence[str]] = field(default=_untold)
    """Full SHAs of commits after one that changed a file, oldest first, as far as they can be told."""
    find_tag: Callable[[Image], FoundTag] = field(default=_not_looked_up)
    """What the tag of an image stands for; the image has the digest that runs, if one of that tag does. Raises
    Refused(NotFound), what=tag.
    """


@dataclass(frozen=True)
class Draft:
    """What a change comes to on one tree. Writes that change nothing mean: nothing to do (noChange)."""

    subject: str
    """The commit's first line, at most 120 characters; see gitops/messages.py."""
    writes: Writes
    body: tuple[str, ...] = ()
    """Lines between subject and trailers, e.g. one per service when more than three changed."""
    trailers: tuple[tuple[str, str], ...] = field(default=())
    """Service, Image, From-Commit …; the engine adds Job-Id, Actor-Id and Reason in front, Override at the end."""
    gates: tuple[Gate, ...] = ()
    """What was asked on the way; gitops/gates.py decides whether the draft may pass."""
    override: bool = False
    """Whether closed gates are to be passed."""
    warnings: tuple[str, ...] = ()
    """What could not be found out, for whoever looks at the job."""


class Change(Protocol):
    """One kind of change. Its fields are plain data (str, int, bool, None, tuples, frozen dataclasses, JSON values)."""

    KIND: ClassVar[JobKind]

    @property
    def project(self) -> str:
        """The project's name."""
        ...

    @property
    def environments(self) -> tuple[str, ...]:
        """Every environment that it reads or writes; the first is the one it is about. Empty: base or the project."""
        ...

    @property
    def services(self) -> tuple[str, ...]:
        """The services that it names, sorted; empty when it names none."""
        ...

    @property
    def needs(self) -> tuple[Ref, ...]:
        """What must exist at its turn. The project itself is implied unless it is created."""
        ...

    @property
    def creates(self) -> tuple[Ref, ...]:
        """What must not exist at its turn and does after it."""
        ...

    @property
    def deletes(self) -> tuple[Ref, ...]:
        """What no longer exists after it."""
        ...

    @property
    def paths(self) -> tuple[str, ...]:
        """Files and folders that it reads or writes: `expectedHead` refuses when a later commit touched one of them."""
        ...

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong; paths are those of the API's input."""
        ...

    def summary(self) -> str:
        """The commit subject as far as it can be told without a tree."""
        ...

    def apply(self, tree: Tree, context: Context) -> Draft:
        """The change on this tree. Raises Refused when it cannot be."""
        ...
