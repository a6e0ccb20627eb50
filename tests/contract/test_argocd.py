"""The delivery by Argo CD keeps the promises of its port: against a fake with state always, and against a real Argo CD
named by LUCITY_TEST_ARGOCD_URL, _TOKEN or _USERNAME and _PASSWORD.
"""

import os
import time
from collections.abc import Callable, Iterator

import pytest

from adapters.argocd_http import Declined, FixedToken, Login
from adapters.argocd_objects import covers, render_application, render_project
from adapters.records import Gone
from gitops.problems import AlreadyExists, Conflict, ConflictCode, Refused
from gitops.rollouts import Observation
from tests.support.argocd_state import PASSWORD
from tests.support.argos import DEADLINE_SECONDS, PLACE, Argo, reach, wait
from tests.support.fake_argocd import fake_argocd


@pytest.fixture(params=["fake", "real"])
def argo(request: pytest.FixtureRequest) -> Iterator[Argo]:
    if request.param == "fake":
        with fake_argocd() as fake:
            made = reach(fake.url, Login("admin", PASSWORD))
            yield made
            made.clean()
        return
    url = os.environ.get("LUCITY_TEST_ARGOCD_URL")
    if not url:
        pytest.skip("LUCITY_TEST_ARGOCD_URL names no Argo CD")
    token = os.environ.get("LUCITY_TEST_ARGOCD_TOKEN")
    login = Login(os.environ.get("LUCITY_TEST_ARGOCD_USERNAME", ""), os.environ.get("LUCITY_TEST_ARGOCD_PASSWORD", ""))
    made = reach(url, FixedToken(token) if token else login)
    yield made
    made.clean()


def test_an_application_is_made_as_the_design_says(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    wanted = render_application(argo.application(), argo.url, PLACE)
    assert covers(argo.body(), wanted)
    assert argo.delivery.applications(argo.project) == [argo.application()]


def test_applying_again_changes_nothing(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    before = argo.body()["spec"]
    project = argo.api.get(f"/api/v1/projects/{argo.project}")["metadata"]["resourceVersion"]
    argo.delivery.applications(argo.project)
    argo.delivery.apply(argo.application())
    assert argo.body()["spec"] == before
    assert argo.api.get(f"/api/v1/projects/{argo.project}")["metadata"]["resourceVersion"] == project


def test_what_somebody_changed_is_put_right(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    bent = render_application(argo.application(), argo.url, PLACE)
    bent["spec"]["source"]["targetRevision"] = "other"
    argo.api.send("POST", "/api/v1/applications", bent, {"upsert": "true", "validate": "false"})
    argo.delivery.applications(argo.project)
    argo.delivery.apply(argo.application())
    assert covers(argo.body(), render_application(argo.application(), argo.url, PLACE))


@pytest.mark.parametrize("label", ["lucity.dev/project", "lucity.dev/environment"])
def test_a_label_that_somebody_changed_is_put_right(argo: Argo, label: str) -> None:
    argo.delivery.apply(argo.application())
    bent = render_application(argo.application(), argo.url, PLACE)
    bent["metadata"]["labels"][label] = "other"
    argo.api.send("POST", "/api/v1/applications", bent, {"upsert": "true", "validate": "false"})
    assert argo.delivery.applications(argo.project) == []
    argo.delivery.apply(argo.application())
    assert argo.delivery.applications(argo.project) == [argo.application()]


def test_an_application_that_is_not_ours_is_left_alone(argo: Argo) -> None:
    name = f"{argo.project}-development"
    argo.api.send(
        "POST",
        "/api/v1/projects",
        {"project": render_project(argo.project, argo.url, [argo.application().namespace], PLACE)},
    )
    foreign = render_application(argo.application(), argo.url, PLACE)
    foreign["metadata"]["labels"], foreign["metadata"]["annotations"] = {}, {"mine": "yes"}
    foreign["metadata"]["finalizers"] = []
    argo.api.send("POST", "/api/v1/applications", foreign, {"validate": "false"})
    try:
        with pytest.raises(Refused) as refusal:
            argo.delivery.apply(argo.application())
        assert isinstance(refusal.value.problem, AlreadyExists)
        assert refusal.value.problem.name == name
        assert argo.delivery.delete(argo.application())
        metadata = argo.body()["metadata"]
        assert isinstance(metadata, dict)
        assert "lucity.dev/project" not in metadata.get("labels", {})
        assert argo.delivery.applications(argo.project) == []
    finally:
        argo.api.send("DELETE", f"/api/v1/applications/{name}", query={"project": argo.project, "cascade": "false"})


def test_an_application_of_another_argo_project_is_left_alone(argo: Argo) -> None:
    other = f"{argo.project}o"
    argo.api.send(
        "POST", "/api/v1/projects", {"project": render_project(other, argo.url, [argo.application().namespace], PLACE)}
    )
    foreign = render_application(argo.application(), argo.url, PLACE)
    foreign["spec"]["project"], foreign["metadata"]["labels"] = other, {}
    foreign["metadata"]["finalizers"] = []
    argo.api.send("POST", "/api/v1/applications", foreign, {"validate": "false"})
    name = f"{argo.project}-development"
    try:
        with pytest.raises(Refused) as refusal:
            argo.delivery.apply(argo.application())
        assert isinstance(refusal.value.problem, AlreadyExists)
    finally:
        argo.api.send("DELETE", f"/api/v1/applications/{name}", query={"project": other, "cascade": "false"})
        wait("the end of the stranger", lambda: is_missing(argo, name, other))
        argo.api.send("DELETE", f"/api/v1/projects/{other}")


def is_missing(argo: Argo, name: str, project: str) -> bool:
    try:
        argo.api.get(f"/api/v1/applications/{name}", {"project": project})
    except Declined as declined:
        return declined.status == 404
    return False


def test_an_argo_project_that_is_not_ours_is_left_alone(argo: Argo) -> None:
    foreign = render_project(argo.project, "http://127.0.0.1:1/other.git", ["other"], PLACE)
    foreign["metadata"]["labels"] = {}
    argo.api.send("POST", "/api/v1/projects", {"project": foreign})
    try:
        with pytest.raises(Refused) as refusal:
            argo.delivery.apply(argo.application())
        assert isinstance(refusal.value.problem, AlreadyExists)
        argo.delivery.end(argo.project)
        assert argo.namespaces() == ["other"]
        assert argo.url not in argo.repositories()
    finally:
        argo.api.send("DELETE", f"/api/v1/projects/{argo.project}")


def test_the_project_admits_its_repository_and_its_namespaces_only(argo: Argo) -> None:
    argo.delivery.apply(argo.application("staging"))
    argo.delivery.apply(argo.application())
    spec = argo.api.get(f"/api/v1/projects/{argo.project}")["spec"]
    assert spec["sourceRepos"] == [argo.url]
    assert argo.namespaces() == [f"{argo.project}-development", f"{argo.project}-staging"]
    assert spec["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]
    argo.deleted(argo.application())
    assert argo.namespaces() == [f"{argo.project}-staging"]


def test_what_somebody_let_the_project_do_beside_is_taken_back(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    body = argo.api.get(f"/api/v1/projects/{argo.project}")
    more = [{"server": PLACE.destination, "namespace": name} for name in ("*", "kube-system", f"{argo.project}-*")]
    body["spec"]["destinations"] += more
    body["spec"]["sourceRepos"] += ["*"]
    body["spec"]["clusterResourceWhitelist"] = [{"group": "*", "kind": "*"}]
    argo.api.send("PUT", f"/api/v1/projects/{argo.project}", {"project": body})
    argo.delivery.applications(argo.project)
    argo.delivery.apply(argo.application())
    spec = argo.api.get(f"/api/v1/projects/{argo.project}")["spec"]
    assert argo.namespaces() == [f"{argo.project}-development"]
    assert spec["sourceRepos"] == [argo.url]
    assert spec["clusterResourceWhitelist"] == [{"group": "", "kind": "Namespace"}]


def test_an_application_that_somebody_moved_to_another_project_is_deleted_all_the_same(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    moved = render_application(argo.application(), argo.url, PLACE)
    moved["spec"]["project"] = "default"
    argo.api.send("POST", "/api/v1/applications", moved, {"upsert": "true", "validate": "false"})
    argo.delivery.applications(argo.project)
    assert argo.delivery.delete(argo.application()) is False

    def gone() -> bool:
        argo.delivery.applications(argo.project)
        return argo.delivery.delete(argo.application())

    wait("its end", gone)
    assert argo.delivery.applications(argo.project) == []


def test_a_deletion_is_true_once_it_is_over(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    assert argo.delivery.delete(argo.application()) is False
    argo.deleted(argo.application())
    assert argo.delivery.applications(argo.project) == []
    assert argo.delivery.delete(argo.application()) is True


def test_another_identity_is_never_deleted(argo: Argo) -> None:
    argo.delivery.apply(argo.application(identity="b" * 40))
    assert argo.delivery.delete(argo.application(identity="a" * 40)) is True
    assert argo.delivery.applications(argo.project) == [argo.application(identity="b" * 40)]
    assert "deletionTimestamp" not in str(argo.body())


def test_what_carries_another_identity_is_replaced_and_never_reused(argo: Argo) -> None:
    old, new = argo.application(identity="a" * 40), argo.application(identity="b" * 40)
    argo.delivery.apply(old)
    with pytest.raises(Refused) as refusal:
        argo.delivery.apply(new)
    assert isinstance(refusal.value.problem, Conflict)
    assert refusal.value.problem.code is ConflictCode.BEING_DELETED
    argo.deleted(old)
    argo.delivery.apply(new)
    assert argo.delivery.applications(argo.project) == [new]
    assert argo.namespaces() == [new.namespace]


def test_the_end_of_a_project_takes_its_credentials_too(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    assert argo.url in argo.repositories()
    argo.deleted(argo.application())
    argo.delivery.end(argo.project)
    assert argo.url not in argo.repositories()
    with pytest.raises(Declined, match="not found"):
        argo.namespaces()
    argo.delivery.end(argo.project)


def test_a_watch_tells_what_is_there_and_then_what_changes(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    told: list[Observation | Gone] = []
    watch = argo.delivery.watch()

    def until(done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not done():
            assert time.monotonic() < deadline, told
            one = next(watch)
            if one is not None and one.project == argo.project:
                told.append(one)

    def seen(environment: str, kind: type) -> bool:
        return any(one.environment == environment and isinstance(one, kind) for one in told)

    until(lambda: seen("development", Observation))
    argo.delivery.apply(argo.application("staging"))
    until(lambda: seen("staging", Observation))
    argo.deleted(argo.application())
    until(lambda: seen("development", Gone))
    assert not seen("staging", Gone)
    watch.close()  # type: ignore[attr-defined]  # it is a generator


def test_statuses_are_of_one_project_or_of_all(argo: Argo) -> None:
    argo.delivery.apply(argo.application())
    assert [one.environment for one in argo.delivery.statuses(argo.project)] == ["development"]
    assert (argo.project, "development") in {(one.project, one.environment) for one in argo.delivery.statuses()}
    assert argo.delivery.statuses(f"{argo.project}x") == []


def test_refreshing_what_is_not_there_is_no_error(argo: Argo) -> None:
    argo.delivery.refresh(argo.project, ["nowhere"], "a" * 40)
    argo.delivery.close()
