"""From a repository on disk to an image in a registry to a deploy: real Git, Buildah, registry and Valkey."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.records import JobRecord, JobState
from adapters.registry import OciRegistry
from gitops import repository
from gitops.operations import AddService, Build, CreateProject
from gitops.problems import JobFailure, NotFound
from gitops.services import Source
from jobs import project_secrets
from tests.support import building
from tests.support.lab import Lab, make_lab
from tests.support.registry import PASSWORD, RegistryServer, start_registry
from tests.support.repositories import SourceRepository
from tests.support.valkey import valkey_server

DOCKERFILE = "FROM scratch\nCOPY . /app\n"


@dataclass(frozen=True)
class Shop:
    """A project with a service whose source is a repository on disk."""

    lab: Lab
    source: SourceRepository
    registry: RegistryServer

    @property
    def image(self) -> str:
        return f"{self.registry.address}/shop/api"

    def build(self, change: Build) -> JobRecord:
        job = self.lab.admit(change)
        self.lab.work("shop/build/api")
        return self.lab.job(job.id)

    def deployed(self, environment: str) -> tuple[str, str | None] | None:
        self.lab.work("shop")
        head = self.lab.ports.repositories.fetch("shop") or ""
        service = repository.read_environment(self.lab.ports.repositories.snapshot("shop", head), environment).service(
            "api"
        )
        return (service.image.tag, service.image.digest) if service and service.image else None


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    building.builder(tmp_path / "probe")
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    with start_registry(tmp_path / "registry", login=True) as registry, valkey_server() as valkey:
        assert registry.login is not None
        settings = {
            "registry": registry.address,
            "registry_insecure": True,
            "registry_username": registry.login[0],
            "registry_password_file": password,
            "allow_local_sources": True,
        }
        with closing(make_lab(tmp_path, valkey.url, **settings)) as lab:
            source = SourceRepository.make(tmp_path / "forge" / "shop.git")
            made = Shop(lab, source, registry)
            lab.settle(CreateProject("shop", ("development",)))
            lab.carry(AddService("shop", "api", made.image, source=Source(source.url)))
            assert isinstance(lab.ports.registry, OciRegistry)
            with closing(lab.ports.registry):
                yield made


def test_a_commit_becomes_an_image_and_the_image_a_deploy(shop: Shop) -> None:
    sha = shop.source.commit("main", {"Dockerfile": DOCKERFILE, "app.txt": "one"})
    job = shop.build(Build("shop", "api", deploy_to=("development",)))
    assert (job.state, job.problem) == (JobState.SUCCEEDED, None)
    registry = shop.lab.ports.registry
    assert registry is not None
    digest = registry.digest(shop.image, sha[:7])
    assert digest is not None
    assert shop.deployed("development") == (sha[:7], digest)
    lines = [line.text for line in shop.lab.ports.events.log(job.id, 100, None).lines]
    assert any(line.startswith("STEP 2/") and line.endswith(": COPY . /app") for line in lines)
    assert not any(PASSWORD in line for line in lines)
    assert list((shop.lab.folder / "data" / "sources").glob("clone-*")) == []


def test_the_same_files_are_not_built_again(shop: Shop) -> None:
    shop.source.commit("main", {"Dockerfile": DOCKERFILE, "app.txt": "one"})
    shop.build(Build("shop", "api"))
    second = shop.source.commit("main", {"Dockerfile": DOCKERFILE, "app.txt": "one"})
    job = shop.build(Build("shop", "api"))
    assert job.state is JobState.SUCCEEDED
    assert "reused" in [step.message and step.message.split()[0].strip(":") for step in job.steps]
    registry = shop.lab.ports.registry
    assert registry is not None
    assert registry.digest(shop.image, second[:7]) is not None


def test_a_secret_of_the_project_that_sources_hold_is_hidden_in_the_log_and_in_the_problem(shop: Shop) -> None:
    secrets = {
        project_secrets.CLONE: ("bo:clone-password", "clone-password"),
        project_secrets.WEBHOOK: ("signed-with-this-word", "signed-with-this-word"),
        project_secrets.FORGE: ("https://git.example.org forge-token", "forge-token"),
    }
    for name, (value, _) in secrets.items():
        project_secrets.write(shop.lab.ports.secrets, "shop", name, value)
    words = [word for _, word in secrets.values()]
    shop.source.commit("main", {"Dockerfile": f"FROM scratch\nLABEL a={' b='.join(words)}\nCOPY {words[0]} /\n"})
    job = shop.build(Build("shop", "api"))
    assert isinstance(job.problem, JobFailure)
    lines = [line.text for line in shop.lab.ports.events.log(job.id, 100, None).lines]
    assert any(line.endswith(": LABEL a=*** b=*** b=***") for line in lines)
    assert "COPY ***" in job.problem.message
    assert not any(word in text for word in words for text in (job.problem.message, *lines))


def test_what_cannot_be_built_says_why(shop: Shop) -> None:
    shop.source.commit("main", {"app.txt": "one"})
    job = shop.build(Build("shop", "api"))
    assert isinstance(job.problem, NotFound)
    assert (job.problem.what, job.problem.name) == ("Dockerfile", "Dockerfile")
    shop.source.commit("main", {"Dockerfile": "FROM scratch\nCOPY nothing /\n"})
    job = shop.build(Build("shop", "api"))
    assert isinstance(job.problem, JobFailure)
    assert "exit code 125" in job.problem.message
