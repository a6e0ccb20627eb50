"""Changes all the way to the cluster and back: real Git, a real Valkey, the observer, and Argo CD as its fake plays
what the real one did.
"""

import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from adapters.argocd import ArgoCdDelivery
from adapters.job_fields import lane
from adapters.local_git import LocalGitHost
from adapters.records import JobRecord, JobState
from gitops.changes import Change
from gitops.operations import AddService, CreateProject, Deploy, ServiceImage
from gitops.operations.delivery import SyncEnvironment
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.projects import DeleteProject
from gitops.operations.services import UpdateService
from gitops.rollouts import HealthStatus, Observation, Rollout, RolloutPhase, SyncStatus
from jobs.engine import carry_out
from tests.support.argocd_rollouts import Cluster
from tests.support.argocd_state import TOKEN, FakeArgoCd
from tests.support.fake_argocd import fake_argocd
from tests.support.git import git
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

API = "registry.local/api"


@dataclass
class Site(Lab):
    """A lab whose delivery is Argo CD, with an observer that runs."""

    fake: FakeArgoCd
    cluster: Cluster

    def done(self, change: Change) -> JobRecord:
        """Carry a change out and wait for its success."""
        job = self.admit(change)
        self.work(change.project)
        ended = self.ended(job.id)
        assert ended.state is JobState.SUCCEEDED, ended
        return ended

    def deploy(self, tag: str, environment: str = "development") -> str:
        """Deploy api; the commit."""
        commit = self.done(Deploy("shop", environment, (ServiceImage("api", tag),))).commit
        assert commit is not None
        return commit

    def clones(self) -> list[str | None]:
        """What the tokens that clone are for, those that hold."""
        return [one.clones for one in self.ports.tokens.list() if one.clones and one.revoked_at is None]

    def is_level(self) -> bool:
        """Whether both environments were observed at the head."""
        head = self.ports.githost.heads(["shop"])["shop"]
        found = self.ports.statuses.status([("shop", "development"), ("shop", "staging")]).values()
        return [(one.revision, one.sync) for one in found] == [(head, SyncStatus.SYNCED)] * 2

    def rollout(self, commit: str, environment: str = "development") -> Rollout | None:
        found = self.ports.statuses.rollouts([("shop", environment, commit)])
        return found["shop", environment, commit].rollout if found else None

    def becomes(self, commit: str, phase: RolloutPhase, environment: str = "development") -> Rollout:
        def probe() -> Rollout | None:
            found = self.rollout(commit, environment)
            return found if found is not None and found.phase is phase else None

        return self.wait(f"{commit[:7]} to be {phase}", probe)


@pytest.fixture
def site(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Site]:
    with fake_argocd() as fake:
        lab = make_lab(
            tmp_path,
            valkey.url,
            delivery="argocd",
            argocd_url=fake.url,
            argocd_token=TOKEN,
            argocd_git_url="http://git",
        )
        ports = lab.ports
        cluster = Cluster(fake, lambda name: ports.githost.heads([name]).get(name), ports.repositories.snapshot)
        fake.on_look = cluster.look
        site = Site(ports, lab.folder, lab.redis, fake, cluster)
        site.flush()
        with site.observer():
            site.done(CreateProject("shop", ("development", "staging")))
            site.done(AddService("shop", "api", API, 8080))
            site.wait("every environment to be looked at", site.is_level)
            yield site
        fake.cut()
        assert isinstance(ports.delivery, ArgoCdDelivery)
        ports.delivery.close()
        site.close()


def test_a_new_project_has_its_applications_and_their_health(site: Site) -> None:
    assert sorted(site.fake.applications) == ["shop-development", "shop-staging"]
    assert site.fake.repositories["http://git/gitops/shop.git"]["project"] == "shop"

    def well() -> bool:
        found = site.ports.statuses.status([("shop", "development"), ("shop", "staging")]).values()
        return [(one.sync, one.health) for one in found] == [(SyncStatus.SYNCED, HealthStatus.HEALTHY)] * 2

    site.wait("both to be synced and healthy", well)


def test_a_deploy_ends_deployed_and_touches_its_environment_only(site: Site) -> None:
    site.fake.refreshed.clear()
    commit = site.deploy("a1b2c3d")
    found = site.becomes(commit, RolloutPhase.DEPLOYED)
    assert [(one.kind, one.service) for one in found.resources] == [("Service", "api"), ("Deployment", "api")]
    assert set(site.fake.refreshed) == {"shop-development"}
    assert site.rollout(commit, "staging") is None


def test_a_broken_image_degrades_with_its_reason_and_a_good_one_heals(site: Site) -> None:
    site.becomes(site.deploy("a1b2c3d"), RolloutPhase.DEPLOYED)
    site.done(UpdateService("shop", "api", image="registry.local/broken/api"))
    broken = site.deploy("d000001")
    found = site.becomes(broken, RolloutPhase.DEGRADED)
    assert found.final
    assert "exceeded its progress deadline" in (found.message or "")
    site.done(UpdateService("shop", "api", image=API))
    site.becomes(site.deploy("e000001"), RolloutPhase.DEPLOYED)


def test_an_outage_in_the_middle_of_a_rollout_delays_its_verdict_only(site: Site) -> None:
    site.cluster.paused = True
    commit = site.deploy("a1b2c3d")
    site.becomes(commit, RolloutPhase.SYNCING)
    site.fake.broken = (502, "text/html", b"<html>Bad Gateway</html>")
    site.fake.cut()
    site.cluster.paused = False
    assert site.done(AddService("shop", "web", "registry.local/web")).commit, "a commit needs no Argo CD"
    site.fake.broken = None
    site.becomes(commit, RolloutPhase.DEPLOYED)


def test_an_argo_that_is_away_is_not_heard_while_the_observer_works_on(site: Site) -> None:
    def silence() -> timedelta:
        signs = site.ports.statuses.signs()
        assert signs.observer is not None
        assert signs.delivery is not None
        return signs.observer - signs.delivery

    site.wait("a first sign", lambda: site.ports.statuses.signs().delivery)
    site.fake.broken = (502, "text/html", b"<html>Bad Gateway</html>")
    site.fake.cut()
    site.wait("beats without a sign of Argo CD", lambda: silence() > timedelta(seconds=2.5))
    site.fake.broken = None
    site.wait("signs of Argo CD", lambda: silence() < timedelta(seconds=1.5))


def test_an_environment_deleted_and_created_again_at_once_ends_alive(site: Site) -> None:
    old = site.fake.applications["shop-staging"]["metadata"]
    gone = site.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
    again = site.admit(CreateEnvironment("shop", "staging", source="development"))
    deadline = time.monotonic() + 30
    while not all(site.job(job.id).state.ended for job in (gone, again)):
        site.work("shop")
        assert time.monotonic() < deadline, (site.job(gone.id), site.job(again.id))
    assert {site.job(job.id).state for job in (gone, again)} == {JobState.SUCCEEDED}
    new = site.fake.applications["shop-staging"]["metadata"]
    assert new["uid"] != old["uid"]
    assert new["annotations"]["lucity.dev/environment-commit"] == site.job(again.id).commit


def test_a_deleted_project_leaves_nothing_in_argo(site: Site) -> None:
    assert site.clones() == ["shop"]
    site.done(DeleteProject("shop", "shop"))
    assert (site.fake.applications, site.fake.projects, site.fake.repositories) == ({}, {}, {})
    assert site.clones() == []


def test_a_rollout_under_way_ends_with_its_project(site: Site) -> None:
    site.cluster.paused = True
    commit = site.deploy("a1b2c3d")
    site.becomes(commit, RolloutPhase.SYNCING)
    position = site.ports.events.position()
    site.done(DeleteProject("shop", "shop"))
    told = [event.rollout for event in site.ports.events.after(position).events if event.rollout is not None]
    last = [one.rollout for one in told if one.commit == commit][-1]
    assert (last.phase, last.final) == (RolloutPhase.SUPERSEDED, True)


def test_a_project_that_comes_again_by_hand_is_followed_as_the_new_one(site: Site) -> None:
    site.done(CreateProject("mould", ("development",)))
    site.done(DeleteProject("shop", "shop"))
    site.ports.githost.create("shop")
    assert isinstance(site.ports.githost, LocalGitHost)
    clone = site.clone("mould")
    git(clone.folder, "push", str(site.ports.githost.path("shop")), "HEAD:refs/heads/main")
    site.becomes(git(clone.folder, "rev-parse", "HEAD"), RolloutPhase.DEPLOYED)


def test_an_application_of_somebody_else_is_named_by_the_job_that_waits(site: Site) -> None:
    mine = {"metadata": {"name": "shop-pr-1", "labels": {}}, "spec": {"project": "shop"}, "status": {"sync": {}}}
    site.fake.put(mine)
    job = site.admit(CreateEnvironment("shop", "pr-1", source="development", ephemeral=True))
    site.work("shop")

    def said() -> bool:
        return any("did not make" in (step.message or "") for step in site.job(job.id).steps)

    site.wait("the reason", said)
    assert site.job(job.id).state is JobState.WAITING
    site.fake.lose("shop-pr-1")
    assert site.ended(job.id).state is JobState.SUCCEEDED


def test_an_environment_whose_application_a_stranger_replaced_is_not_told_to_be_well(site: Site) -> None:
    key = "shop", "staging"
    site.fake.lose("shop-staging")
    stranger = {"metadata": {"name": "shop-staging", "labels": {}}, "spec": {"project": "shop"}, "status": {"sync": {}}}
    site.fake.put(stranger)

    def told() -> Observation | None:
        found = site.ports.statuses.status([key])[key]
        return found if found.sync is SyncStatus.UNKNOWN else None

    unknown = site.wait("word of it", told)
    assert (unknown.health, unknown.revision) == (HealthStatus.UNKNOWN, None)
    assert unknown.message == "The delivery has no application shop-staging of Lucity's."


def test_a_repository_that_is_gone_deletes_nothing_and_is_reported(site: Site) -> None:
    assert isinstance(site.ports.githost, LocalGitHost)
    with capture_logs() as logs:
        shutil.rmtree(site.ports.githost.path("shop"))
        site.fake.lose("shop-staging")
        said = site.wait("word of it", lambda: next((one for one in logs if "kept" in one["event"]), None))
    assert (said["project"], said["environments"]) == ("shop", ["development"])
    assert list(site.fake.applications) == ["shop-development"]


def test_an_application_that_somebody_deleted_comes_again(site: Site) -> None:
    uid = site.fake.applications["shop-development"]["metadata"]["uid"]
    site.fake.lose("shop-development")

    def back() -> bool:
        body = site.fake.applications.get("shop-development")
        return body is not None and body["metadata"]["uid"] != uid

    site.wait("the Application", back)


def test_a_sync_that_waits_for_its_turn_says_so_and_ends_when_it_had_it(site: Site) -> None:
    def sync() -> JobRecord:
        job = site.admit(SyncEnvironment("shop", "staging"))
        carry_out(site.ports, lane(job), "worker-1")
        return site.job(job.id)

    site.fake.life_seconds = 60
    assert sync().state is JobState.SUCCEEDED
    waiting = sync()
    assert waiting.state is JobState.QUEUED
    (step,) = waiting.steps
    assert step.name == "refresh"
    assert "another operation of shop-staging is still running" in (step.message or "")
    with site.fake.lock:
        body = dict(site.fake.applications["shop-staging"])
        del body["operation"]
        site.fake.put(body)
    site.ports.leases.drop(f"pause:{lane(waiting)}")
    carry_out(site.ports, lane(waiting), "worker-1")
    assert site.job(waiting.id).state is JobState.SUCCEEDED
