"""A long history, made fast: most of it by `git fast-import`, a share signed as Lucity signs."""

import hashlib
import random
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from adapters.mirrors import Mirrors
from adapters.records import NewCommit
from tests.support.git import Site, git

PROJECT = "shop"
BEGIN = datetime(2020, 1, 1, tzinfo=UTC)
STEP = timedelta(minutes=30)
ENVIRONMENTS = ("development", "staging", "production")
SERVICES = tuple(f"service-{number:02}" for number in range(12))
SEGMENT = 1000
SIGNED = 20
"""Of each segment."""


@dataclass(frozen=True)
class Entry:
    """One commit to be."""

    at: datetime
    author: str
    subject: str
    path: str
    content: str

    @property
    def email(self) -> str:
        """The author's."""
        return f"{self.author.lower().replace(' ', '.')}@example.org"

    @property
    def message(self) -> str:
        """As long as those that Lucity writes, and as different."""
        digest = hashlib.sha256(self.content.encode()).hexdigest()
        told = {"Job-Id": f"job_{digest[:26]}", "Actor-Id": f"tok_{hashlib.md5(self.email.encode()).hexdigest()[:26]}"}  # noqa: S324
        told |= {
            "Reason": f"rolling out SHOP-{int(digest[:4], 16)}",
            "Image": f"registry.example.com/shop@sha256:{digest}",
        }
        return f"{self.subject}\n\n" + "".join(f"{key}: {value}\n" for key, value in told.items())


@dataclass
class Chronicle:
    """What a team of thirty does: deploys, promotions, a change of base now and then. The same every time."""

    length: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - the same history every time
    tags: dict[str, dict[str, str]] = field(default_factory=lambda: {name: {} for name in ENVIRONMENTS})

    def entries(self, count: int) -> Iterator[Entry]:
        """The next commits."""
        for _ in range(count):
            self.length += 1
            author = "Rare Rita" if self.length % 997 == 0 else f"Person {self.dice.randrange(30)}"
            yield Entry(BEGIN + STEP * self.length, author, *self._change())

    def _change(self) -> tuple[str, str, str]:
        number = self.length
        if number % 40 == 1:
            return f"config(base): update service {self.dice.choice(SERVICES)}", "base/values.yaml", base(number)
        environment, service = self.dice.choice(ENVIRONMENTS), self.dice.choice(SERVICES)
        tag = self.tags[environment][service] = f"v{number}"
        subject = f"deploy({environment}): {service} {tag}"
        if number % 10 == 0:
            subject = f"promote({environment}): {service} {tag} from development"
        path = f"environments/{environment}/values.yaml"
        return subject, path, "lucity-app:\n  services:\n" + "".join(images(self.tags[environment]))


def base(number: int) -> str:
    """All services, each with a repository; one number changes."""
    services = (f"    {name}:\n      image: {{repository: r.example.com/{name}}}\n" for name in SERVICES)
    return "lucity-app:\n  variables:\n    NUMBER: " + f'"{number}"\n  services:\n' + "".join(services)


def images(tags: dict[str, str]) -> Iterator[str]:
    """The services of an environment."""
    for name, tag in sorted(tags.items()):
        yield f'    {name}:\n      image:\n        tag: "{tag}"\n'


def grow(site: Site, mirrors: Mirrors, chronicle: Chronicle, count: int) -> str:
    """Add commits on the host and bring them into the mirror; the head."""
    repository, head = site.path(PROJECT), mirrors.head(PROJECT) or ""
    for start in range(0, count, SEGMENT):
        size = min(SEGMENT, count - start)
        stream = "".join(commands(chronicle, size - SIGNED, head)).encode()
        command = ["git", "-C", str(repository), "fast-import", "--quiet", "--force"]
        subprocess.run(command, input=stream, check=True, capture_output=True)
        head = mirrors.fetch(PROJECT) or ""
        for entry in chronicle.entries(SIGNED):
            head = mirrors.commit(PROJECT, head, signed(entry))
        mirrors.push(PROJECT, mirrors.head(PROJECT) or "", head)
    for folder in (repository, Path(mirrors.objects(PROJECT).path)):
        git(folder, "repack", "-adq")
    return head


def commands(chronicle: Chronicle, count: int, parent: str) -> Iterator[str]:
    """The stream that fast-import reads; see `git help fast-import`."""
    for position, entry in enumerate(chronicle.entries(count)):
        person = f"{entry.author} <{entry.email}> {entry.at.timestamp():.0f} +0000"
        yield f"commit refs/heads/main\nauthor {person}\ncommitter {person}\n{data(entry.message)}"
        if position == 0 and parent:
            yield f"from {parent}\n"
        yield f"M 100644 inline {entry.path}\n{data(entry.content)}"


def data(text: str) -> str:
    """A counted string."""
    return f"data {len(text.encode())}\n{text}\n"


def signed(entry: Entry) -> NewCommit:
    """The same as Lucity would commit it."""
    return NewCommit(entry.message, entry.author, entry.email, entry.at, {entry.path: entry.content.encode()})
