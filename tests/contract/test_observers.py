"""Several observers, of which one leads: what the others may do. Real Git, a real Valkey, the local delivery."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.ports import StaleLead
from adapters.records import EventKind
from gitops.operations import CreateProject
from jobs.observer import Leader
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer, valkey_server


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with valkey_server() as server:
        yield server


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url)) as made:
        made.flush()
        with made.observer():
            job = made.admit(CreateProject("shop", ("development",)))
            made.work("shop")
            made.ended(job.id)
        yield made


def test_who_led_and_was_followed_says_nothing_more(lab: Lab) -> None:
    assert lab.ports.leases.acquire("observer", "new", 60)
    position = lab.ports.events.position()
    with pytest.raises(StaleLead):
        Leader(lab.ports, "old", threading.Event()).lead()
    told = {event.kind for event in lab.ports.events.after(position).events}
    assert not told & {EventKind.STATUS, EventKind.ROLLOUT}
    assert not lab.ports.leases.acquire("observer", "old", 60)
