"""Repositories that no project has go away; all others stay."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.records import JobState
from gitops.operations.projects import CreateProject
from jobs.leftovers import Leftovers
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, leftover_seconds=100)) as made:
        made.flush()
        yield made


def swept(lab: Lab, *moments: float) -> list[str]:
    """Projects on the host after a sweeper looked at these moments."""
    clock = Clock()
    sweeper = Leftovers(lab.ports, "worker-1", clock)
    for moment in moments:
        clock.now = 1000 + moment
        sweeper.sweep()
    return list(lab.ports.githost.projects())


def test_an_empty_repository_that_no_project_has_is_removed_after_a_while(lab: Lab) -> None:
    lab.ports.githost.create("stray")
    assert swept(lab, 0, 50) == ["stray"]
    assert swept(lab, 0, 101) == []
    assert list((lab.ports.settings.data / "archive").glob("*")) == []


def test_what_has_a_commit_stays(lab: Lab) -> None:
    lab.ports.githost.create("byhand")
    clone = lab.clone("byhand")
    clone.commit("by hand", {"a": "1"})
    clone.push()
    assert swept(lab, 0, 101, 202) == ["byhand"]


def test_what_got_its_first_commit_meanwhile_stays(lab: Lab) -> None:
    lab.ports.githost.create("slow")
    clock = Clock()
    sweeper = Leftovers(lab.ports, "worker-1", clock)
    sweeper.sweep()
    clone = lab.clone("slow")
    clone.commit("by hand", {"a": "1"})
    clone.push()
    clock.now += 101
    sweeper.sweep()
    assert list(lab.ports.githost.projects()) == ["slow"]


def test_what_a_job_is_about_to_create_stays(lab: Lab) -> None:
    lab.ports.githost.create("coming")
    job = lab.admit(CreateProject("coming", ("development",)))
    assert swept(lab, 0, 101) == ["coming"]
    lab.work("coming")
    assert lab.job(job.id).state is not JobState.FAILED


def test_an_emptied_repository_of_a_known_project_stays(lab: Lab) -> None:
    lab.ports.githost.create("emptied")
    lab.ports.events.advance_head("emptied", None, "1" * 40, [])
    assert swept(lab, 0, 101) == ["emptied"]


def test_while_one_sweeper_looks_another_does_not(lab: Lab) -> None:
    lab.ports.githost.create("stray")
    clock = Clock()
    first, second = (Leftovers(lab.ports, owner, clock) for owner in ("worker-1", "worker-2"))
    first.sweep()
    second.sweep()
    clock.now += 101
    second.sweep()
    assert list(lab.ports.githost.projects()) == ["stray"]
    first.sweep()
    assert list(lab.ports.githost.projects()) == []


def test_a_worker_can_create_the_project_right_after(lab: Lab) -> None:
    lab.ports.githost.create("again")
    assert swept(lab, 0, 101) == []
    (job,) = lab.carry(CreateProject("again", ("development",)))
    assert job.state is JobState.WAITING
    assert list(lab.ports.githost.projects()) == ["again"]
