"""Several observers, of which one leads: what the others may do. Real Git, a real Valkey, the local delivery."""

import shutil
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from queue import SimpleQueue

import pytest

from adapters.local_delivery import LocalDelivery
from adapters.local_git import LocalGitHost
from adapters.ports import StaleLead, Unreachable
from adapters.records import EventKind
from gitops.operations import CreateProject
from gitops.rollouts import HealthStatus, Observation, SyncStatus
from jobs.observer import Leader, observe
from jobs.telling import Teller
from tests.support.lab import Lab, make_lab
from tests.support.redis_ports import RedisPorts, redis_ports
from tests.support.valkey import ValkeyServer

PLACE = ("shop", "development")


def seen(revision: str) -> Observation:
    """What a delivery says of development."""
    now = datetime.now(UTC)
    return Observation(*PLACE, None, SyncStatus.SYNCED, HealthStatus.HEALTHY, revision, None, now)


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """A project. Losing the lead is noticed by what a leader says, long before its lease is looked at."""
    with closing(make_lab(tmp_path, valkey.url, lease_seconds=120.0)) as made:
        made.flush()
        made.settle(CreateProject("shop", ("development",)))
        yield made


def test_who_led_and_was_followed_says_nothing_more(lab: Lab) -> None:
    assert lab.ports.leases.acquire("observer", "new", 60)
    position = lab.ports.events.position()
    with suppress(StaleLead):  # or its other thread was told so first
        Leader(lab.ports, "old", threading.Event()).lead()
    told = {event.kind for event in lab.ports.events.after(position).events}
    assert not told & {EventKind.STATUS, EventKind.ROLLOUT}
    assert not lab.ports.leases.acquire("observer", "old", 60)


def test_one_that_is_told_to_stop_while_redis_is_away_stops(lab: Lab, tmp_path: Path) -> None:
    nowhere = redis_ports(f"unix://{tmp_path}/nobody.sock")
    stopped = threading.Event()
    stopped.set()
    with pytest.raises(Unreachable):
        nowhere.leases.held("observer")
    observe(replace(lab.ports, leases=nowhere.leases), stopped)


class Hanging(LocalGitHost):
    """A Git host that does not answer, from the moment that it is told so."""

    hangs = threading.Event()
    asked = threading.Event()
    answers = threading.Event()

    def projects(self) -> Sequence[str]:
        if self.hangs.is_set():
            self.asked.set()
            self.answers.wait()
        return super().projects()


class Speaking(LocalDelivery):
    """A delivery that says what it is told to say, and no more."""

    words: SimpleQueue[Observation] = SimpleQueue()

    def watch(self) -> Iterator[Observation | None]:
        while True:
            yield self.words.get()

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        del project
        return ()


def told(lab: Lab) -> list[str | None]:
    """Revisions that readers see."""
    return [one.revision for one in lab.ports.statuses.status([PLACE]).values()]


def test_readers_are_told_though_the_git_host_holds_the_round_up(lab: Lab) -> None:
    data = lab.ports.settings.data
    host = Hanging(data / "git", data / "archive")
    delivery = Speaking(data / "delivery", lab.ports.repositories, lab.ports.renderer)
    stopped = threading.Event()
    leader = Leader(replace(lab.ports, githost=host, delivery=delivery), "me", stopped)
    assert lab.ports.leases.acquire("observer", "me", 60)
    thread = threading.Thread(target=leader.lead, daemon=True)
    thread.start()
    delivery.words.put(seen("beef"))
    lab.wait("the first word", lambda: told(lab) == ["beef"])
    host.hangs.set()
    assert host.asked.wait(30)
    delivery.words.put(seen("dead"))
    lab.wait("the news", lambda: told(lab) == ["dead"])
    stopped.set()
    host.answers.set()
    thread.join(30)


class Slow(LocalGitHost):
    """A Git host that takes its time for each project."""

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        threading.Event().wait(0.3 * len(projects))
        return super().heads(projects)


def test_taking_up_many_projects_is_not_taken_for_being_stuck(lab: Lab) -> None:
    lab.carry(CreateProject("blog"))
    data = lab.ports.settings.data
    git = Slow(data / "git", data / "archive")
    for number in range(10):
        shutil.copytree(git.path("blog"), git.path(f"blog{number}"))
    ports = replace(lab.ports, githost=git, settings=lab.ports.settings.model_copy(update={"lease_seconds": 0.9}))
    leader = Leader(ports, "me", threading.Event(), stuck_seconds=1.5)
    assert ports.leases.acquire("observer", "me", 0.9)
    thread = threading.Thread(target=leader.lead, daemon=True)
    thread.start()
    lab.wait("all to be taken up", lambda: "blog9" in leader.tracker.heads)
    assert not leader.over.is_set()
    leader.stopped.set()
    thread.join(30)


class Mute(LocalDelivery):
    """A delivery that does not answer before it may."""

    asked = threading.Event()
    answers = threading.Event()

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        self.asked.set()
        self.answers.wait()
        return super().statuses(project)


def test_a_hand_made_push_is_noticed_though_the_delivery_holds_the_round_up(lab: Lab) -> None:
    delivery = Mute(lab.ports.settings.data / "delivery", lab.ports.repositories, lab.ports.renderer)
    stopped = threading.Event()
    leader = Leader(replace(lab.ports, delivery=delivery), "me", stopped)
    assert lab.ports.leases.acquire("observer", "me", 60)
    thread = threading.Thread(target=leader.lead, daemon=True)
    thread.start()
    assert delivery.asked.wait(30)
    position = lab.ports.events.position()
    clone = lab.clone("shop")
    sha = clone.commit("by hand", {"note": "x"})
    clone.push()
    lab.wait("the event", lambda: sha in [event.commit for event in lab.ports.events.after(position).events])
    assert not delivery.answers.is_set()
    stopped.set()
    delivery.answers.set()
    thread.join(30)


@pytest.fixture
def redis(valkey: ValkeyServer) -> Iterator[RedisPorts]:
    ports = redis_ports(valkey.url)
    ports.client.flushall()
    assert ports.leases.acquire("observer", "me", 60)
    yield ports
    ports.client.close()


def test_what_was_heard_while_a_list_was_read_is_not_undone_by_it(redis: RedisPorts) -> None:
    teller = Teller(redis.statuses, "me")
    teller.status(seen("old"), "")
    since = teller.count
    teller.status(seen("new"), "")
    teller.status(seen("old"), "", since)
    assert redis.statuses.status([PLACE])[PLACE].revision == "new"
    teller.status(seen("newest"), "", teller.count)
    assert redis.statuses.status([PLACE])[PLACE].revision == "newest"


def test_only_news_is_told(redis: RedisPorts) -> None:
    teller, start = Teller(redis.statuses, "me"), redis.events.position()
    for _ in range(3):
        teller.status(seen("same"), "")
    assert len(redis.told(start)) == 1
    teller.lost(PLACE)
    teller.status(seen("same"), "")
    assert len(redis.told(start)) == 2
