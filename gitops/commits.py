"""What a commit is to readers: who, when, why, and what it did to environments and services, told by its values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class CommitKind(StrEnum):
    """What a commit is; EXTERNAL is every commit not signed by a Lucity key, whatever its subject says."""

    PROJECT_CREATE = "PROJECT_CREATE"
    PROJECT_DELETE = "PROJECT_DELETE"
    DEPLOY = "DEPLOY"
    PROMOTE = "PROMOTE"
    ROLLBACK = "ROLLBACK"
    REVERT = "REVERT"
    ENV_CREATE = "ENV_CREATE"
    ENV_DELETE = "ENV_DELETE"
    CONFIG = "CONFIG"
    HOLD = "HOLD"
    CHART = "CHART"
    EXTERNAL = "EXTERNAL"


class SignatureState(StrEnum):
    """VALID and INVALID are about Lucity's keys; UNKNOWN_KEY is a signature by any other."""

    NONE = "NONE"
    VALID = "VALID"
    INVALID = "INVALID"
    UNKNOWN_KEY = "UNKNOWN_KEY"


@dataclass(frozen=True)
class Person:
    """A Git identity."""

    name: str
    email: str


@dataclass(frozen=True)
class Signature:
    """`key` is the SHA256 fingerprint of the signing key, as ssh-keygen prints it."""

    state: SignatureState
    key: str | None = None


@dataclass(frozen=True)
class Image:
    """A container image as values name it; `tag` may be empty only when `digest` is given."""

    repository: str
    tag: str
    digest: str | None = None

    @property
    def reference(self) -> str:
        """As container tools write it: repository:tag[@digest]."""
        tagged = f"{self.repository}:{self.tag}" if self.tag else self.repository
        return f"{tagged}@{self.digest}" if self.digest else tagged


@dataclass(frozen=True)
class ImageChange:
    """One service of one environment runs another image after the commit; None: none."""

    environment: str
    service: str
    before: Image | None
    after: Image | None


@dataclass(frozen=True)
class GitCommit:
    """A commit as Git holds it. Times are aware, UTC. `trusted`: signed by a Lucity key and the signature holds."""

    sha: str
    parents: tuple[str, ...]
    message: str
    author: Person
    committer: Person
    authored_at: datetime
    committed_at: datetime
    signature: Signature

    @property
    def subject(self) -> str:
        """The first line of the message."""
        return self.message.split("\n", 1)[0]

    @property
    def trusted(self) -> bool:
        """Whether what its message says may be believed."""
        return self.signature.state is SignatureState.VALID


@dataclass(frozen=True)
class CommitRecord:
    """A commit with what it did. `number` counts first-parent commits from 1 at the root."""

    number: int
    git: GitCommit
    kind: CommitKind
    environments: tuple[str, ...]
    """Environments whose folder it changed, sorted; all there are when it changed base/."""
    services: tuple[str, ...]
    """Services whose values it changed, in base or in an environment, sorted."""
    images: tuple[ImageChange, ...]
    job_id: str | None
    """The Job-Id trailer, only when the commit is trusted."""


@dataclass(frozen=True)
class CommitFilter:
    """All that is given must hold. `kinds` empty: any. `author` and `text` match case-insensitively inside
    name-or-email and message; `path` is a file or folder; `environment` matches as CommitRecord.environments.
    """

    kinds: tuple[CommitKind, ...] = ()
    environment: str | None = None
    service: str | None = None
    author: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    path: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class DeploymentRecord:
    """One service, one environment, one commit that put an image there (after is never None)."""

    environment: str
    service: str
    image: Image
    previous: Image | None
    commit: CommitRecord
    current: bool
    """No later commit changed this service's image in this environment, and the environment still is the same one."""
