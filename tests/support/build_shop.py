"""A project with a service that has a source, and twins of source, builder and registry around it."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from adapters.records import JobRecord
from gitops import repository
from gitops.operations import AddService, Build, CreateProject
from gitops.services import Source
from tests.fakes import FakeBuilder, FakeRegistry, FakeSources
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

URL = "https://git.example.org/shop.git"
REGISTRY = "registry.example.org"
IMAGE = f"{REGISTRY}/shop/api"
FILES: Mapping[str, bytes] = {"Dockerfile": b"FROM scratch\n", "app.py": b"print()\n"}


@dataclass
class Shop:
    """A project with a service that has a source, and the twins around it."""

    lab: Lab
    sources: FakeSources
    builder: FakeBuilder
    sha: str

    def push(self, files: Mapping[str, bytes], branch: str = "main") -> str:
        """A commit on a branch of the source; its SHA."""
        return self.sources.commit(URL, branch, files)

    def build(self, change: Build | None = None) -> JobRecord:
        """Admit a build and carry it out."""
        return self.carry(self.lab.admit(change or Build("shop", "api")))

    def carry(self, job: JobRecord) -> JobRecord:
        """Carry out what stands in the queue of builds."""
        self.lab.work("shop/build/api")
        return self.lab.job(job.id)

    def tags(self) -> set[str]:
        """The short tags that stand in the registry."""
        return {tag for tag in self.builder.pushed.get(IMAGE, {}) if not tag.startswith("src-")}

    def image(self, environment: str) -> tuple[str, str | None] | None:
        """Tag and digest of the service in an environment."""
        head = self.lab.ports.repositories.fetch("shop") or ""
        service = repository.read_environment(self.lab.ports.repositories.snapshot("shop", head), environment)
        found = service.service("api")
        return (found.image.tag, found.image.digest) if found and found.image else None


@contextmanager
def make_shop(folder: Path, valkey: ValkeyServer, builder: FakeBuilder, **settings: object) -> Iterator[Shop]:
    sources = FakeSources()
    sha = sources.commit(URL, "main", FILES)
    with closing(make_lab(folder, valkey.url, **settings)) as lab:
        lab.flush()
        lab.ports = replace(
            lab.ports, sources=sources, builder=builder, registry=FakeRegistry(REGISTRY, builder.pushed)
        )
        lab.settle(CreateProject("shop", ("development", "staging")))
        lab.carry(AddService("shop", "api", IMAGE, source=Source(URL)), AddService("shop", "web", "elsewhere/web"))
        yield Shop(lab, sources, builder, sha)
