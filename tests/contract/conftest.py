"""What tests of several modules here stand on. A module that needs another one makes its own of that name."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.mirrors import Mirrors
from adapters.records import PushState
from tests.support.git import Site, new_commit
from tests.support.installing import Installation
from tests.support.kubernetes import ControlPlane, control_plane
from tests.support.lab import Lab, make_lab
from tests.support.redis_ports import RedisPorts, redis_ports
from tests.support.softserve import SoftServe, running
from tests.support.stories import Story
from tests.support.valkey import ValkeyServer, valkey_server
from tests.support.webhook_receiver import Receiver, receiver


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """Nothing in it yet."""
    with closing(make_lab(tmp_path, valkey.url)) as made:
        made.flush()
        yield made


@pytest.fixture
def redis(valkey: ValkeyServer) -> Iterator[RedisPorts]:
    """Nothing in it yet."""
    ports = redis_ports(valkey.url)
    ports.client.flushall()
    yield ports
    ports.client.close()


@pytest.fixture
def hasty(valkey: ValkeyServer) -> Iterator[RedisPorts]:
    """The same Redis for a process whose claims expire at once."""
    ports = redis_ports(valkey.url, lease_seconds=0.05, push_timeout_seconds=0.05)
    yield ports
    ports.client.close()


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A project without a commit."""
    return Story.begin(tmp_path)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host with the project myapp, empty."""
    site = Site.make(tmp_path)
    site.host.create("myapp")
    return site


@pytest.fixture
def mirrors(site: Site) -> Mirrors:
    return site.mirrors()


@pytest.fixture
def root(mirrors: Mirrors) -> str:
    """The first commit of myapp, pushed."""
    sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"README.md": b"hello\n", "base/a": b"1"}))
    assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
    return sha


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SoftServe]:
    """A Soft-serve of this test's own, to be changed and to be broken."""
    with running(tmp_path / "soft serve") as server:
        yield server


@pytest.fixture
def taker() -> Iterator[Receiver]:
    """Takes webhooks."""
    with receiver() as made:
        yield made


@pytest.fixture(scope="module")
def plane() -> Iterator[ControlPlane]:
    with control_plane() as started:
        yield started


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    installation = Installation(tmp_path_factory.mktemp("helm"))
    yield installation
    installation.close()
