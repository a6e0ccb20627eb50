"""Many pushes at once, told of twice and in any order, while builders and workers are killed again and again."""

import os
import random
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.test_builds import SECRET_SET
from tests.support.building import builder
from tests.support.product import Product, product
from tests.support.registry import RegistryServer, start_registry
from tests.support.source_site import SECRET, SourceSite, deliver

SOURCES = 10
PUSHES = 30
KILL_SECONDS = 5
IMAGES = """{ environment(project: "shop", name: "development") {
    services { service { name } image { tag digest } } } }"""


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[RegistryServer]:
    with start_registry(tmp_path / "registry") as running:
        yield running


@pytest.fixture
def lucity(tmp_path: Path, registry: RegistryServer) -> Iterator[Product]:
    builder(tmp_path / "probe")
    variables = {
        "LUCITY_REGISTRY": registry.address,
        "LUCITY_REGISTRY_INSECURE": "true",
        "LUCITY_ALLOW_LOCAL_SOURCES": "true",
    }
    with product(tmp_path / "data", variables) as started:
        yield started


@contextmanager
def killing(lucity: Product) -> Iterator[None]:
    """Kill a builder or a worker every few seconds while the block lasts."""
    done, chance = threading.Event(), random.Random(6)  # noqa: S311 - a choice, not a secret

    def kill() -> None:
        while not done.wait(KILL_SECONDS):
            found = lucity.up.child(chance.choice(("builder", "builder", "worker")))
            if found:
                os.kill(found, signal.SIGKILL)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def tags(lucity: Product) -> dict[str, str | None]:
    services = lucity.asks.insist(IMAGES)["environment"]["services"] or []
    return {each["service"]["name"]: each["image"]["tag"] if each["image"] else None for each in services}


def test_every_environment_ends_at_the_newest_head(lucity: Product, registry: RegistryServer, tmp_path: Path) -> None:
    sites = {f"s{number}": SourceSite.make(tmp_path / f"s{number}") for number in range(SOURCES)}
    asks = lucity.asks
    made = [asks.change("createProject", name="shop", environments=["development"])]
    for name, site in sites.items():
        image, source = f"{registry.address}/shop/{name}", {"repositoryUrl": site.url}
        made.append(asks.change("addService", project="shop", name=name, image=image, source=source))
    values = [{"key": "branches.main", "value": ["development"]}]
    made.append(asks.change("updateProject", project="shop", values=values))
    asks.succeeded(*made)
    asks.ask(SECRET_SET, {"project": "shop", "value": SECRET})

    bodies, heads = [], {}
    for turn in range(PUSHES // SOURCES):
        for name, site in sites.items():
            heads[name] = site.commit({"text": f"{name} {turn}"})
            bodies.append((f"{name}-{turn}", site.delivery(heads[name])))
    chance = random.Random(7)  # noqa: S311 - a shuffle, not a secret
    with killing(lucity), ThreadPoolExecutor(10) as threads:
        answers = threads.map(
            lambda one: deliver(lucity.up.url, "shop", one[1], one[0]), chance.sample(bodies * 2, len(bodies) * 2)
        )
        jobs = {job for answer in answers for job in answer.json()["jobs"]}
        assert len(jobs) == PUSHES
        lucity.up.wait("every head to run", lambda: tags(lucity) == {n: sha[:7] for n, sha in heads.items()}, 240)
        states = {job["state"] for job in asks.ended(jobs).values()}
    assert states <= {"SUCCEEDED", "SUPERSEDED"}
