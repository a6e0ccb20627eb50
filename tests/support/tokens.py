"""A world just large enough for tokens: a clock that is set, and a Git host of one repository with its mirror."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.records import NewCommit, PushResult, PushState
from adapters.tokens import Tokens
from gitops.commits import GitCommit
from gitops.tree import Files

KEY = b"k" * 32


class Content(Files):
    """Files at a commit, which know no ids."""

    def oid(self, path: str) -> str | None:
        return None if self.read(path) is None else path


@dataclass
class Clock:
    """A clock that stands until it is moved."""

    now: datetime = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Host:
    """A Git host of one repository and its mirror: heads, commits and their messages are there to read."""

    commits: list[tuple[NewCommit, Content]] = field(default_factory=list)
    main: int = 0
    mirror: int = 0
    answers: list[PushState] = field(default_factory=list)
    """What the next pushes come to, whatever they did; empty: the truth."""
    meanwhile: list[Callable[[], object]] = field(default_factory=list)
    """What others do right before the next pushes."""

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        return {project: str(self.main) for project in projects} if self.main else {}

    def projects(self) -> Sequence[str]:
        return ()

    def create(self, project: str) -> None:
        """Nothing to do: the repository exists, empty."""

    def archive(self, project: str) -> None:
        """Nobody asks for it here."""

    def remote(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        return project, {"REFUSED": "1"} if refused else {}

    def target(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        return self.remote(project, refused=refused)

    def head(self, project: str) -> str | None:
        return str(self.mirror) if project and self.mirror else None

    def fetch(self, project: str) -> str | None:
        self.mirror = self.main
        return self.head(project)

    def snapshot(self, project: str, sha: str) -> Content:
        assert project == "settings"
        return self.commits[int(sha) - 1][1]

    def commit(self, project: str, parent: str, new: NewCommit) -> str:
        before = self.snapshot(project, parent) if parent else Content()
        self.commits.append((new, Content(before.with_writes(new.writes).content)))
        return str(len(self.commits))

    def push(self, project: str, old: str, new: str) -> PushResult:
        mirror = self.mirror
        if self.meanwhile:
            self.meanwhile.pop()()
            self.mirror = mirror
        if (self.head(project) or "") != old or self.main != self.mirror:
            return PushResult(PushState.MOVED)
        self.main = self.mirror = int(new)
        return PushResult(self.answers.pop() if self.answers else PushState.ACCEPTED)

    def forget(self, project: str) -> None:
        """Nobody asks for it here."""

    def log(self, project: str, old: str | None, new: str) -> Sequence[GitCommit] | None:
        return None if project or old or new else ()

    @property
    def subjects(self) -> list[str]:
        return [new.message.split("\n", 1)[0] for new, _ in self.commits]


@dataclass
class World:
    host: Host = field(default_factory=Host)
    clock: Clock = field(default_factory=Clock)

    def tokens(self, key: bytes = KEY) -> Tokens:
        return Tokens(key, self.host, self.host, self.clock)
