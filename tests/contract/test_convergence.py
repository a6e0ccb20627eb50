"""How environments come to be and go, with a cluster: namespace before application, and the other way round at the end.

Real Git, a real Valkey, the local delivery, and the cluster's twin.
"""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from adapters.records import JobRecord, JobState
from gitops.operations.configuration import SetVariables, VariableSetting
from gitops.operations.environments import CreateEnvironment, DeleteEnvironment
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.problems import AlreadyExists
from gitops.rollouts import RolloutPhase
from jobs.reverts import revert_of
from tests.fakes import FakeCluster, FakeNamespace
from tests.support.git import git
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer


@dataclass
class Place(Lab):
    """A lab with a cluster."""

    cluster: FakeCluster

    def steps(self, job_id: str) -> dict[str, tuple[JobState, str | None]]:
        """What each step of a job says now."""
        return {step.name: (step.state, step.message) for step in self.job(job_id).steps}

    def says(self, job_id: str, step: str, part: str) -> None:
        """Wait until a step says it."""
        self.wait(f"{step} to say {part}", lambda: part in (self.steps(job_id).get(step, ("", None))[1] or "") or None)

    def done(self, job_id: str) -> JobRecord:
        """Carry out what is queued and wait for the job's success."""
        self.work("shop")
        job = self.ended(job_id)
        assert job.state is JobState.SUCCEEDED, job
        return job


@pytest.fixture
def place(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Place]:
    lab = make_lab(tmp_path, valkey.url)
    cluster = FakeCluster()
    with closing(Place(replace(lab.ports, cluster=cluster), lab.folder, lab.redis, cluster)) as made:
        made.flush()
        yield made


@pytest.fixture
def shop(place: Place) -> Place:
    """A project with development and staging."""
    with place.observer():
        place.done(place.admit(CreateProject("shop", ("development", "staging"))).id)
    return place


def test_each_environment_of_a_new_project_has_its_namespace(shop: Place) -> None:
    assert set(shop.cluster.namespaces_by_name) == {"shop-development", "shop-staging"}
    applications = shop.ports.delivery.applications("shop")
    assert {space.owner for space in shop.cluster.namespaces_by_name.values()} == set(applications)


def test_without_a_cluster_the_step_says_so(tmp_path: Path, valkey: ValkeyServer) -> None:
    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        with lab.observer():
            job = lab.admit(CreateProject("shop", ("development",)))
            lab.work("shop")
            steps = {step.name: step.message for step in lab.ended(job.id).steps}
    assert steps["namespace"] == "nothing to do: without access to a cluster Lucity makes and deletes no namespace"


def test_a_strangers_namespace_fails_the_creation_before_its_commit(shop: Place) -> None:
    shop.cluster.namespaces_by_name["shop-qa"] = FakeNamespace(None)
    head = shop.ports.githost.heads(["shop"])["shop"]
    job = shop.admit(CreateEnvironment("shop", "qa"))
    shop.work("shop")
    failed = shop.job(job.id)
    assert failed.state is JobState.FAILED
    assert isinstance(failed.problem, AlreadyExists)
    assert (failed.problem.what, failed.problem.name) == ("namespace", "shop-qa")
    assert shop.ports.githost.heads(["shop"])["shop"] == head
    assert shop.cluster.namespaces_by_name["shop-qa"] == FakeNamespace(None)


def test_a_strangers_namespace_fails_a_new_project_and_leaves_no_repository(place: Place) -> None:
    place.cluster.namespaces_by_name["shop-staging"] = FakeNamespace(None)
    job = place.admit(CreateProject("shop", ("development", "staging")))
    place.work("shop")
    assert isinstance(place.job(job.id).problem, AlreadyExists)
    assert place.ports.githost.projects() == []


def test_a_strangers_namespace_fails_the_revert_that_would_bring_an_environment_back(shop: Place) -> None:
    with shop.observer():
        deletion = shop.done(shop.admit(DeleteEnvironment("shop", "staging", confirm="staging")).id)
    shop.cluster.namespaces_by_name["shop-staging"] = FakeNamespace(None)
    revert = revert_of(shop.ports, "shop", deletion.commit or "")
    job = shop.admit(revert)
    shop.work("shop")
    problem = shop.job(job.id).problem
    assert isinstance(problem, AlreadyExists)
    assert (problem.what, problem.name) == ("namespace", "shop-staging")
    assert shop.ports.githost.heads(["shop"])["shop"] == deletion.commit
    del shop.cluster.namespaces_by_name["shop-staging"]
    with shop.observer():
        back = shop.done(shop.admit(revert).id)
        shop.wait("its namespace", lambda: "shop-staging" in shop.cluster.namespaces_by_name or None)
    owner = shop.cluster.namespaces_by_name["shop-staging"].owner
    assert owner is not None
    assert owner.identity == back.commit


def test_a_strangers_namespace_found_later_is_named_while_the_creation_waits(shop: Place) -> None:
    shop.cluster.outage = "nobody there"
    job = shop.admit(CreateEnvironment("shop", "qa"))
    shop.work("shop")
    shop.cluster.outage = None
    shop.cluster.namespaces_by_name["shop-qa"] = FakeNamespace(None)
    with shop.observer():
        shop.says(job.id, "namespace", "The namespace shop-qa exists and Lucity did not make it")
        assert shop.job(job.id).state is JobState.WAITING
        assert shop.steps(job.id)["application"] == (JobState.WAITING, None)
        assert "qa" not in {app.environment for app in shop.ports.delivery.applications("shop")}
        del shop.cluster.namespaces_by_name["shop-qa"]
        shop.done(job.id)
    assert "qa" in {app.environment for app in shop.ports.delivery.applications("shop")}


def test_what_is_ready_succeeds_however_many_others_wait(shop: Place) -> None:
    first, *others = [shop.admit(CreateEnvironment("shop", f"qa-{number}")) for number in range(101)]
    shop.work("shop")
    for job in others:
        shop.cluster.namespaces_by_name[f"shop-{job.environments[0]}"] = FakeNamespace(None)
    with shop.observer():
        shop.done(first.id)
    assert shop.job(others[0].id).state is JobState.WAITING


def test_a_cluster_that_does_not_answer_stops_no_commit_and_is_waited_for(shop: Place) -> None:
    shop.cluster.outage = "nobody there"
    with shop.observer():
        job = shop.admit(CreateEnvironment("shop", "qa"))
        shop.work("shop")
        shop.says(job.id, "namespace", "waiting for the cluster: nobody there")
        assert shop.steps(job.id)["commit"][0] is JobState.SUCCEEDED
        shop.cluster.outage = None
        shop.done(job.id)
    assert "shop-qa" in shop.cluster.namespaces_by_name


def test_a_deletion_waits_for_what_keeps_the_namespace_and_names_it(shop: Place) -> None:
    shop.cluster.namespaces_by_name["shop-staging"].keeps = "configmaps/kept"
    with shop.observer():
        job = shop.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
        shop.work("shop")
        shop.says(job.id, "namespace", "still in it: configmaps/kept")
        assert shop.steps(job.id)["application"] == (JobState.SUCCEEDED, "the delivery agrees with Git")
        assert {app.environment for app in shop.ports.delivery.applications("shop")} == {"development"}
        shop.cluster.namespaces_by_name["shop-staging"].keeps = None
        shop.done(job.id)
    assert shop.steps(job.id)["namespace"] == (JobState.SUCCEEDED, "the cluster agrees with Git")
    assert set(shop.cluster.namespaces_by_name) == {"shop-development"}


def test_an_environment_deleted_and_created_at_once_ends_as_the_new_one(shop: Place) -> None:
    shop.cluster.namespaces_by_name["shop-staging"].keeps = "configmaps/kept"
    earlier = shop.cluster.namespaces_by_name["shop-staging"].owner
    deletion = shop.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
    creation = shop.admit(CreateEnvironment("shop", "staging"))
    with shop.observer():
        shop.work("shop")
        shop.says(deletion.id, "namespace", "configmaps/kept")
        shop.cluster.namespaces_by_name["shop-staging"].keeps = None
        shop.done(deletion.id)
        shop.done(creation.id)
    owner = shop.cluster.namespaces_by_name["shop-staging"].owner
    assert owner in shop.ports.delivery.applications("shop")
    assert owner != earlier


def test_a_hand_made_replacement_waits_for_the_namespace_of_the_earlier_one(shop: Place) -> None:
    earlier = shop.cluster.namespaces_by_name["shop-staging"]
    clone = shop.clone("shop")
    values = (clone.folder / "environments/staging/values.yaml").read_text()
    git(clone.folder, "rm", "-r", "-q", "environments/staging")
    git(clone.folder, "commit", "-q", "-m", "away")
    clone.commit("back", {"environments/staging/values.yaml": values})
    git(clone.folder, "push", "-q")
    with shop.observer():
        shop.wait("the new one", lambda: shop.cluster.namespaces_by_name.get("shop-staging") is not earlier or None)
        shop.wait("its namespace", lambda: shop.cluster.namespaces_by_name.get("shop-staging"))
        shop.wait("its application", lambda: len(shop.ports.delivery.applications("shop")) == 2 or None)
    owner = shop.cluster.namespaces_by_name["shop-staging"].owner
    assert owner in shop.ports.delivery.applications("shop")


def test_a_namespace_left_by_a_kill_between_application_and_namespace_is_deleted(shop: Place) -> None:
    with shop.observer():
        shop.cluster.namespaces_by_name["shop-staging"].keeps = "configmaps/kept"
        job = shop.admit(DeleteEnvironment("shop", "staging", confirm="staging"))
        shop.work("shop")
        shop.says(job.id, "namespace", "configmaps/kept")
    shop.cluster.namespaces_by_name["shop-staging"].keeps = None
    shop.flush()
    with shop.observer():
        shop.wait("its end", lambda: "shop-staging" not in shop.cluster.namespaces_by_name or None)


def test_a_namespace_whose_commit_is_unknown_here_is_never_deleted(shop: Place) -> None:
    owner = shop.cluster.namespaces_by_name["shop-staging"].owner
    assert owner is not None
    other = replace(owner, environment="other", namespace="shop-other", identity="f" * 40)
    shop.cluster.namespaces_by_name["shop-other"] = FakeNamespace(other)
    with shop.observer():
        shop.done(shop.admit(DeleteEnvironment("shop", "staging", confirm="staging")).id)
    assert shop.cluster.namespaces_by_name["shop-other"] == FakeNamespace(other)


def test_an_environment_that_a_merge_put_beside_the_line_stays_as_it_is_and_can_be_deleted(shop: Place) -> None:
    clone = shop.clone("shop")
    with shop.observer():
        created = shop.done(shop.admit(CreateEnvironment("shop", "preview", "development", ephemeral=True)).id)
        was = shop.cluster.namespaces_by_name["shop-preview"]
        clone.commit("by hand", {"README.md": "by hand\n"})
        git(clone.folder, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
        clone.push()
        assert str(created.commit) not in git(clone.folder, "rev-list", "--first-parent", "HEAD")
        level = SetVariables("shop", "preview", set=(VariableSetting("LEVEL", "1"),))
        key = ("shop", "preview", shop.done(shop.admit(level).id).commit or "")
        shop.wait(
            "its rollout", lambda: (found := shop.ports.statuses.rollouts([key]).get(key)) and found.rollout.final
        )
        assert shop.ports.statuses.rollouts([key])[key].rollout.phase is RolloutPhase.SYNCED
        assert shop.cluster.namespaces_by_name["shop-preview"] == was
        assert was.owner in shop.ports.delivery.applications("shop")
        shop.done(shop.admit(DeleteEnvironment("shop", "preview")).id)
    assert "shop-preview" not in shop.cluster.namespaces_by_name


def test_a_project_is_gone_only_when_its_namespaces_are(shop: Place) -> None:
    shop.cluster.namespaces_by_name["shop-staging"].keeps = "configmaps/kept"
    with shop.observer():
        job = shop.admit(DeleteProject("shop", confirm="shop"))
        shop.work("shop")
        shop.says(job.id, "namespace", "configmaps/kept")
        assert shop.ports.githost.projects() == ["shop"]
        shop.cluster.namespaces_by_name["shop-staging"].keeps = None
        shop.done(job.id)
    assert shop.cluster.namespaces_by_name == {}
    assert shop.ports.githost.projects() == []
