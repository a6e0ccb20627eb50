"""Projects with a history, written straight into a mirror: commits by Lucity and commits by hand."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pygit2

from adapters.git_objects import write_tree
from adapters.history import SqliteHistory
from adapters.mirrors import Mirrors
from adapters.records import NewCommit
from gitops.commits import CommitFilter, CommitRecord
from tests.support.git import Site

PROJECT = "shop"
BEGIN = datetime(2026, 11, 1, tzinfo=UTC)
BASE = "base/values.yaml"
REPOSITORIES = """lucity-app:
  services:
    api: {image: {repository: registry.local/api}}
    web: {image: {repository: registry.local/web}}
"""


def values(environment: str) -> str:
    """The path of an environment's values."""
    return f"environments/{environment}/values.yaml"


def tags(**services: str) -> str:
    """Values that name one tag per service."""
    lines = [f'    {name}: {{image: {{tag: "{tag}"}}}}\n' for name, tag in services.items()]
    return "lucity-app:\n  services:\n" + "".join(lines) if lines else "{}\n"


@dataclass
class Story:
    """A project that grows commit by commit; each is one minute later than the one before."""

    site: Site
    mirrors: Mirrors
    index: Path
    head: str = ""
    told: list[str] = field(default_factory=list)
    """Every commit made, oldest first."""

    @classmethod
    def begin(cls, folder: Path) -> "Story":
        """A project without a commit."""
        site = Site.make(folder)
        return cls(site, site.mirrors(), folder / "index")

    def history(self) -> SqliteHistory:
        """The history as a process that has just started would open it."""
        return SqliteHistory(self.index, self.mirrors)

    def signed(
        self, message: str, files: Mapping[str, str | None], *, author: str = "Ann", parent: str | None = None
    ) -> str:
        """A commit by Lucity on the head, which it becomes."""
        new = NewCommit(message, author, f"{author.lower()}@example.org", self._now(), _writes(files))
        return self._moved(self.mirrors.commit(PROJECT, self.head if parent is None else parent, new))

    def by_hand(
        self,
        message: str,
        files: Mapping[str, str | None],
        *,
        author: str = "Bob",
        parents: Sequence[str] | None = None,
    ) -> str:
        """A commit that nobody signed; with several parents, its files lie over the first one's."""
        repository = self.mirrors.objects(PROJECT)
        above = list(parents) if parents is not None else [self.head]
        first = repository[above[0]]
        assert isinstance(first, pygit2.Commit)
        at = int(self._now().timestamp())
        who = pygit2.Signature(author, f"{author.lower()}@example.org", at, 0)
        tree = write_tree(repository, first.tree, _writes(files)) or repository.TreeBuilder().write()
        made = repository.create_commit(None, who, who, message, tree, [pygit2.Oid(hex=sha) for sha in above])
        return self._moved(str(made))

    def born(self, **environments: str) -> str:
        """The first commit: a base with two services, and environments with these values."""
        files = {values(name): text for name, text in environments.items()}
        return self.signed("project(create): shop\n", {BASE: REPOSITORIES, "README.md": "# shop\n", **files})

    def _now(self) -> datetime:
        return BEGIN + timedelta(minutes=len(self.told))

    def _moved(self, sha: str) -> str:
        self.told.append(sha)
        self.head = sha
        return sha


def _writes(files: Mapping[str, str | None]) -> dict[str, bytes | None]:
    return {path: None if text is None else text.encode() for path, text in files.items()}


def deploy(story: Story, environment: str, *, job: str = "", **services: str) -> str:
    """A deployment by Lucity of services at tags."""
    named = ", ".join(f"{name} {tag}" for name, tag in services.items())
    trailers = f"\nJob-Id: {job}\n" if job else ""
    return story.signed(f"deploy({environment}): {named}\n{trailers}", {values(environment): tags(**services)})


def everything(history: SqliteHistory, head: str) -> list[CommitRecord]:
    """Every record from a head on, newest first."""
    return list(history.commits(PROJECT, head, CommitFilter(), 10_000, None)[0])


def shas(records: Iterable[CommitRecord]) -> list[str]:
    return [record.git.sha for record in records]


def wander(story: Story, length: int, seed: int) -> None:
    """Write a history of every kind of change, by Lucity and by hand."""
    dice = random.Random(seed)  # noqa: S311 - the same history every time
    present = {"development", "production"}
    story.born(development=tags(api="0"), production=tags(api="0", web="0"))
    for number in range(1, length):
        name = dice.choice(["development", "production", "pr-1"])
        services = {one: f"{number}{one}" for one in dice.sample(["api", "web"], dice.randint(0, 2))}
        author = dice.choice(["Ann", "Zoë"])
        write: Callable[..., str] = dice.choice((story.signed, story.by_hand))
        match dice.randint(0, 6):
            case 0 if len(present) > 1 and name in present:
                present.discard(name)
                write(f"env(delete): {name}\n", {values(name): None}, author=author)
            case 1:
                write(
                    "config(base): update service api\n",
                    {BASE: REPOSITORIES.replace("/api", f"/api{number}")},
                    author=author,
                )
            case 2:
                write("docs: words\n", {f"docs/{number % 3}.md": str(number)}, author=author)
            case _:
                present.add(name)
                write(
                    f"deploy({name}): api {number}api\n\nJob-Id: job_{number}\n",
                    {values(name): tags(**services)},
                    author=author,
                )
