"""A project whose source is on a twin of a forge, with twins of sources, builder and registry, and the hands to carry
out what it asks for.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from adapters.forges.deliveries import Author, PullRequest, Push
from gitops import repository
from gitops.operations import AddService, CreateProject, UpdateProject, ValueSetting
from gitops.services import Source
from jobs import project_secrets
from jobs.outbound import queue_news, send
from jobs.pushes import Accepted, accept
from jobs.request_sweeps import sweep
from tests.fakes import FakeBuilder, FakeRegistry, FakeSources
from tests.support.fake_forge import FakeForge, FakeRequest
from tests.support.lab import Lab, make_lab

URL = "https://git.example.org/acme/shop.git"
PATH = "acme/shop"
REGISTRY = "registry.example.org"
AUTHOR = Author("Bo", "bo@example.org")


class ForgedShop:
    """The project `shop`: main goes to development, requests get previews."""

    def __init__(self, lab: Lab, sources: FakeSources, forge: FakeForge) -> None:
        self.lab = lab
        self.sources = sources
        self.forge = forge
        self.deliveries = 0

    @property
    def repository(self) -> repository.Repository:
        """The project as its head says."""
        return repository.read(
            self.lab.ports.repositories.snapshot("shop", self.lab.ports.repositories.fetch("shop") or "")
        )

    def commit(self, text: str, ref: str = "main") -> str:
        """A commit of the source; its SHA."""
        return self.sources.commit(URL, ref, {"Dockerfile": b"FROM scratch", "text": text.encode()})

    def push(self, sha: str) -> Accepted:
        """A delivery that says that main moved."""
        self.deliveries += 1
        return accept(self.lab.ports, "shop", self.forge.kind, Push(f"p{self.deliveries}", (URL,), "main", sha, AUTHOR))

    def deliver(self, request: FakeRequest) -> Accepted:
        """A delivery that tells of a request as it is."""
        self.deliveries += 1
        about = PullRequest(
            delivery_id=f"r{self.deliveries}",
            repository_urls=(URL,),
            number=request.number,
            is_open=request.is_open,
            updated_at=request.updated_at,
            head_sha=request.sha,
            head_ref="feature",
            from_fork=request.fork,
            title="A feature",
            url=f"https://git.example.org/acme/shop/pulls/{request.number}",
            author=AUTHOR,
        )
        return accept(self.lab.ports, "shop", self.forge.kind, about)

    def sweep(self) -> None:
        """One round of comparing with the forge."""
        sweep(self.lab.ports, "shop", self.repository)

    def give_token(self, secret: str | None = None) -> None:
        """Set the project's secret `forge`."""
        project_secrets.write(self.lab.ports.secrets, "shop", project_secrets.FORGE, secret or self.forge.secret)

    def carry(self) -> None:
        """Carry everything out until nothing is left to do."""
        with self.lab.observer():
            self.lab.wait("all jobs to end", lambda: self._worked() or None)

    def _worked(self) -> bool:
        for lane in ("shop", "shop/build/api", "shop/build/web"):
            self.lab.work(lane)
        return not self.lab.ports.ledger.unfinished(["shop"]).get("shop")

    def tell(self) -> None:
        """Queue what is new, and send all that is not told yet, without waiting for its time."""
        queue_news(self.lab.ports)
        self.hurry()
        for delivery in self.lab.ports.outbound.claim(100, 60):
            send(self.lab.ports, delivery)

    def hurry(self) -> None:
        """Make all that is to be told due now."""
        for name in self.lab.redis.zrange("lucity:outbound:due", 0, -1):
            self.lab.redis.zadd("lucity:outbound:due", {str(name): 0}, xx=True)

    def environments(self) -> set[str]:
        """Those that stand in Git."""
        return {environment.name for environment in self.repository.environments}


@contextmanager
def forged_shop(folder: Path, redis_url: str, forge: FakeForge) -> Iterator[ForgedShop]:
    """The project, with nothing pushed yet and nothing told of its making."""
    sources, builder = FakeSources(), FakeBuilder()
    with closing(make_lab(folder, redis_url, allow_local_sources=True)) as lab:
        lab.flush()
        registry = FakeRegistry(REGISTRY, builder.pushed)
        lab.ports = replace(lab.ports, sources=sources, builder=builder, registry=registry)
        shop = ForgedShop(lab, sources, forge)
        forge.repository(PATH)
        lab.admit(CreateProject("shop", ("development",)))
        lab.admit(AddService("shop", "api", f"{REGISTRY}/shop/api", port=8080, source=Source(URL)))
        settings: dict[str, object] = {
            "branches.main": ["development"],
            "previews.enabled": True,
            "forge.kind": forge.kind,
            "forge.apiUrl": forge.api_url,
        }
        lab.admit(UpdateProject("shop", tuple(ValueSetting(key, value) for key, value in settings.items())))
        shop.carry()
        shop.give_token()
        queue_news(lab.ports)
        yield shop
