"""A project that follows its source, what a forge delivers to it, and the hands that carry its jobs out."""

import itertools
from datetime import UTC, datetime, timedelta

from adapters.forges.deliveries import Author, PullRequest, Push
from gitops import repository
from gitops.operations import UpdateProject, ValueSetting
from jobs.pushes import Accepted, accept
from jobs.source_polls import poll
from tests.fakes import FakeSources
from tests.support.lab import Lab

URL = "https://git.example.org/shop.git"
REGISTRY = "registry.example.org"
AUTHOR = Author("Bo", "bo@example.org")
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVICES = ("api", "web")
numbers = itertools.count()


class Shop:
    """A project that follows main into development and makes previews, and the hands that carry its jobs out."""

    def __init__(self, lab: Lab, sources: FakeSources) -> None:
        self.lab = lab
        self.sources = sources

    def commit(self, text: str, ref: str = "main") -> str:
        """A commit that changes api; its SHA."""
        files = {"api/Dockerfile": b"FROM scratch", "api/text": text.encode(), "web/Dockerfile": b"FROM scratch"}
        return self.sources.commit(URL, ref, files)

    def push(self, sha: str, branch: str = "main", delivery: str | None = None) -> Accepted:
        """A delivery that says that a branch moved."""
        push = Push(delivery or f"d{next(numbers)}", (URL,), branch, sha, AUTHOR)
        return accept(self.lab.ports, "shop", "github", push)

    def request(self, sha: str, minute: int, *, is_open: bool = True, fork: bool = False, number: int = 7) -> Accepted:
        """A delivery about a request."""
        return accept(
            self.lab.ports, "shop", "github", a_request(sha, minute, is_open=is_open, fork=fork, number=number)
        )

    def poll(self) -> None:
        """One round of looking at followed branches, as when it is time for it."""
        self.lab.ports.leases.drop("source-polls")
        poll(self.lab.ports)

    def carry(self) -> None:
        """Carry everything out until nothing is left to do."""
        with self.lab.observer():
            self.lab.wait("all jobs to end", lambda: self._worked() or None)

    def _worked(self) -> bool:
        for lane in ("shop", *(f"shop/build/{name}" for name in SERVICES)):
            self.lab.work(lane)
        return not self.lab.ports.ledger.unfinished(["shop"]).get("shop")

    def tag(self, environment: str, service: str = "api") -> str | None:
        """What runs in an environment."""
        head = self.lab.ports.repositories.fetch("shop") or ""
        there = repository.read_environment(self.lab.ports.repositories.snapshot("shop", head), environment)
        found = there.service(service)
        return found.image.tag if found and found.image else None

    def environments(self) -> set[str]:
        """Those that stand in Git."""
        head = self.lab.ports.repositories.fetch("shop") or ""
        return set(repository.environment_names(self.lab.ports.repositories.snapshot("shop", head)))

    def set(self, key: str, value: object) -> None:
        """Change a setting of the project."""
        self.lab.carry(UpdateProject("shop", (ValueSetting(key, value),)))


def a_request(sha: str, minute: int, *, is_open: bool, fork: bool = False, number: int = 7) -> PullRequest:
    return PullRequest(
        delivery_id=f"r{next(numbers)}",
        repository_urls=(URL,),
        number=number,
        is_open=is_open,
        updated_at=NOON + timedelta(minutes=minute),
        head_sha=sha,
        head_ref="feature",
        from_fork=fork,
        title="A feature",
        url=f"https://git.example.org/shop/pulls/{number}",
        author=AUTHOR,
    )
