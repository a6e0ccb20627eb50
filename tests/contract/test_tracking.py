"""What the observer remembers of commits, over real Git and a real Valkey; what the delivery says is the test's."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gitops.operations import CreateProject, SetVariables, VariableSetting
from gitops.rollouts import HealthStatus, Observation, RolloutPhase, SyncStatus
from jobs.tracking import Tracker
from tests.support.git import Clone, git
from tests.support.lab import Lab

PLACE = ("shop", "development")


class Watching:
    """A tracker of a project whose environment is synced and healthy, and its clock."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.now = datetime.now(UTC)
        self.tracker = Tracker(lab.ports, clock=lambda: self.now)
        self.tracker.start("shop", self.head)
        health = HealthStatus.HEALTHY
        self.seen = Observation(*PLACE, None, SyncStatus.SYNCED, health, self.head, None, self.now)

    @property
    def head(self) -> str:
        """The project's head on the host."""
        return self.lab.ports.githost.heads(["shop"])["shop"]

    def land(self, *values: str) -> list[str]:
        """Commits that touch no service, one for each value; their SHAs."""
        changes = [SetVariables("shop", "development", set=(VariableSetting("LEVEL", value),)) for value in values]
        shas = [job.commit or "" for job in self.lab.carry(*changes)]
        self.tracker.landed("shop", self.head, shas)
        return shas

    def judged(self, health: HealthStatus) -> dict[str, RolloutPhase]:
        """The verdicts that change while the environment at its head is so for a minute."""
        found = {}
        self.seen = replace(self.seen, health=health, revision=self.head)
        for _ in range(3):
            self.now += timedelta(seconds=20)
            self.tracker.observed(replace(self.seen, observed_at=self.now))
            found.update({record.commit: record.rollout.phase for record in self.tracker.judge("shop")})
        return found


@pytest.fixture
def watching(lab: Lab) -> Watching:
    lab.settle(CreateProject("shop", ("development",)))
    return Watching(lab)


def test_of_commits_that_touch_no_service_the_newest_alone_goes_on_with_its_environment(watching: Watching) -> None:
    shas = watching.land("1", "2", "3")
    healthy = watching.judged(HealthStatus.HEALTHY)
    assert {healthy[sha] for sha in shas} == {RolloutPhase.DEPLOYED}
    assert watching.judged(HealthStatus.DEGRADED) == {shas[-1]: RolloutPhase.DEGRADED}
    assert list(watching.tracker.watched[PLACE]) == shas[-1:]


def test_a_commit_that_ended_badly_is_told_when_its_environment_is_well_again(watching: Watching) -> None:
    (first,) = watching.land("1")
    assert watching.judged(HealthStatus.DEGRADED)[first] is RolloutPhase.DEGRADED
    (second,) = watching.land("2")
    healed = watching.judged(HealthStatus.HEALTHY)
    assert (healed[first], healed[second]) == (RolloutPhase.DEPLOYED, RolloutPhase.DEPLOYED)


def test_an_environment_that_went_and_came_again_is_not_told_to_have_lost_its_application(watching: Watching) -> None:
    watching.judged(HealthStatus.HEALTHY)
    watching.tracker.forget("shop")
    assert watching.tracker.absences("shop", ["development"]) == []


def test_a_commit_that_a_merge_put_beside_the_line_before_it_was_looked_at_ends_unknown(
    watching: Watching, tmp_path: Path
) -> None:
    clone = Clone.of(watching.lab.ports.githost.remote("shop")[0], tmp_path / "clone")
    own = clone.commit("by hand", {"README.md": "by hand\n"})
    change = SetVariables("shop", "development", set=(VariableSetting("LEVEL", "1"),))
    (job,) = watching.lab.carry(change)
    git(clone.folder, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
    clone.push()
    watching.lab.ports.repositories.fetch("shop")
    watching.tracker.landed("shop", watching.head, [job.commit or "", own, watching.head])
    assert watching.judged(HealthStatus.HEALTHY)[job.commit or ""] is RolloutPhase.UNKNOWN
