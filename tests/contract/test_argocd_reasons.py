"""Why a workload is degraded comes when Argo CD tells it, and nothing waits for that."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest

from adapters.argocd import ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, FixedToken
from adapters.argocd_objects import Place
from adapters.records import Application, Gone
from gitops.rollouts import HealthStatus, Observation
from tests.support.argocd_state import TOKEN, Body, FakeArgoCd
from tests.support.fake_argocd import fake_argocd
from tests.support.waiting import wait_until

DEVELOPMENT = Application("myapp", "development", "myapp-development", "a" * 40, ephemeral=False)
NAME = "myapp-development"
OWNERS = ("api-1-a", "ReplicaSet", "api-1"), ("api-1", "Deployment", "api")
SAID = "pod api-1-a: container api waits: ImagePullBackOff"


@pytest.fixture
def fake() -> Iterator[FakeArgoCd]:
    """An Argo CD with a workload whose pod waits for its image."""
    with fake_argocd() as started:
        nodes = [node(name, kind, parent) for (name, kind, parent) in OWNERS]
        started.trees.by_name[NAME] = {"nodes": nodes}
        waits(started, "ImagePullBackOff")
        yield started
        started.trees.answers.set()


def node(name: str, parent_kind: str, parent: str) -> Body:
    kind = "Pod" if parent_kind == "ReplicaSet" else "ReplicaSet"
    parents = [{"kind": parent_kind, "namespace": NAME, "name": parent}]
    return {"kind": kind, "namespace": NAME, "name": name, "parentRefs": parents, "health": {"status": "Degraded"}}


def waits(fake: FakeArgoCd, reason: str) -> None:
    told = {"name": "api", "state": {"waiting": {"reason": reason}}}
    fake.trees.manifests["api-1-a"] = {"status": {"containerStatuses": [told]}}


@contextmanager
def reach(fake: FakeArgoCd) -> Iterator[ArgoCdDelivery]:
    reading = ("http://127.0.0.1:1/gitops/myapp.git", "reader", "word")
    delivery = ArgoCdDelivery(ArgoCdApi(fake.url, FixedToken(TOKEN)), lambda _: reading, Place())
    delivery.apply(DEVELOPMENT)
    yield delivery
    fake.trees.answers.set()
    delivery.close()


def becomes(fake: FakeArgoCd, health: str, revision: str = "c" * 40) -> None:
    """The Deployment's health, at a revision."""
    told = {"group": "apps", "version": "v1", "kind": "Deployment", "namespace": NAME, "name": "api"}
    resource = {**told, "status": "Synced", "health": {"status": health}}
    status = {"sync": {"status": "Synced", "revision": revision}, "health": {"status": health}, "resources": [resource]}
    fake.put({**fake.applications[NAME], "status": status})


def message(said: Observation) -> str:
    return next((one.message or "" for one in said.resources), "")


def told(watch: Iterator[Observation | Gone | None]) -> Iterator[Observation]:
    return (one for one in watch if isinstance(one, Observation))


def test_the_reason_follows_the_news_on_the_same_watch(fake: FakeArgoCd) -> None:
    with reach(fake) as delivery:
        watch = told(delivery.watch())
        next(watch)
        becomes(fake, "Degraded")
        heard = next(one for one in watch if SAID in message(one))
        assert heard.health is HealthStatus.DEGRADED
        assert [message(one) for one in delivery.statuses()] == [message(heard)]


def test_news_and_lists_do_not_wait_for_a_reason(fake: FakeArgoCd) -> None:
    with reach(fake) as delivery:
        fake.trees.answers.clear()
        watch = told(delivery.watch())
        next(watch)
        becomes(fake, "Degraded")
        assert next(one for one in watch if one.health is HealthStatus.DEGRADED).revision == "c" * 40
        becomes(fake, "Degraded", "d" * 40)
        assert next(one for one in watch if one.revision == "d" * 40).health is HealthStatus.DEGRADED
        assert [message(one) for one in delivery.statuses()] == [""]
        assert fake.trees.read == [NAME], "one question at a time for one Application"
        fake.trees.answers.set()
        assert next(one for one in watch if SAID in message(one)).revision == "d" * 40


def test_a_reason_that_comes_late_makes_nothing_older_news(fake: FakeArgoCd) -> None:
    with reach(fake) as delivery:
        fake.trees.answers.clear()
        watch = told(delivery.watch())
        revisions = [next(watch).revision]
        for number in range(5):
            becomes(fake, "Degraded", f"{number}" * 40)
        fake.trees.answers.set()
        becomes(fake, "Degraded", "9" * 40)
        for said in watch:
            revisions.append(said.revision)
            if SAID in message(said) and said.revision == "9" * 40:
                break
        ordered = [revision for revision in revisions if revision]
        assert all(before <= after for before, after in pairwise(ordered))


def test_what_is_well_again_has_no_reason_left(fake: FakeArgoCd) -> None:
    with reach(fake) as delivery:
        becomes(fake, "Degraded")
        wait_until(lambda: any(SAID in message(one) for one in delivery.statuses()), "the reason")
        becomes(fake, "Healthy")
        assert [message(one) for one in delivery.statuses()] == [""]
        fake.trees.answers.clear()
        becomes(fake, "Degraded")
        assert [message(one) for one in delivery.statuses()] == [""], "that was why it was unwell before"


def test_what_could_not_be_told_is_asked_again_with_the_next_list(fake: FakeArgoCd) -> None:
    pod = fake.trees.manifests.pop("api-1-a")
    with reach(fake) as delivery:
        becomes(fake, "Degraded")
        assert [message(one) for one in delivery.statuses()] == [""]
        wait_until(lambda: f"GET /api/v1/applications/{NAME}/resource" in fake.asked, "the question")
        fake.trees.manifests["api-1-a"] = pod
        wait_until(lambda: any(SAID in message(one) for one in delivery.statuses()), "the reason")


def test_a_state_that_was_explained_is_not_asked_about_again(fake: FakeArgoCd) -> None:
    with reach(fake) as delivery:
        becomes(fake, "Degraded")
        wait_until(lambda: any(SAID in message(one) for one in delivery.statuses()), "the reason")
        asked = len(fake.trees.read)
        assert SAID in message(delivery.statuses()[0])
        assert len(fake.trees.read) == asked
