"""`lucity up` with its own Git host and a real Argo CD that reads from it."""

from collections.abc import Iterator

import pytest

from tests.support.realshop import IDENTITY, ArgoCd, Shop
from tests.support.realstack import Stack, argocd_settings
from tests.support.up import Up, running


@pytest.fixture(scope="module")
def argo() -> Iterator[ArgoCd]:
    made = ArgoCd(argocd_settings())
    yield made
    made.close()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", variables=argocd_settings()) as started:
        yield started


@pytest.fixture(scope="module")
def shop(up: Up) -> Iterator[Shop]:
    made = Shop(up)
    yield made
    made.delete()


def test_a_project_has_its_applications(shop: Shop, argo: ArgoCd) -> None:
    found = argo.applications(shop.name)
    assert sorted(found) == [f"{shop.name}-development", f"{shop.name}-staging"]
    labels = found[f"{shop.name}-staging"]["metadata"]["labels"]
    assert labels == {
        "lucity.dev/project": shop.name,
        "lucity.dev/environment": "staging",
        "lucity.dev/ephemeral": "false",
    }
    shop.well("development")
    shop.well("staging")


def test_a_deploy_is_deployed_with_exactly_its_commit(shop: Shop, argo: ArgoCd) -> None:
    sha = shop.deploy("api", "a1b2c3d")
    found = shop.ends(sha, "DEPLOYED")
    assert found["final"]
    assert {(one["kind"], one["health"]) for one in found["resources"]} >= {("Deployment", "HEALTHY")}
    body = argo.applications(shop.name)[f"{shop.name}-development"]
    assert body["status"]["sync"]["revision"] == sha
    assert body["status"]["summary"]["images"] == ["registry.local/api:a1b2c3d"]


def test_a_commit_for_another_environment_makes_no_rollout_here(shop: Shop, argo: ArgoCd) -> None:
    before = argo.applications(shop.name)[f"{shop.name}-development"]["status"]
    sha = shop.deploy("api", "b1b2c3d", "staging")
    shop.ends(sha, "DEPLOYED", "staging")
    assert list(shop.rollouts(sha)) == ["staging"]
    after = argo.applications(shop.name)[f"{shop.name}-development"]["status"]
    assert after["reconciledAt"] == before["reconciledAt"], "development was not refreshed"


def test_a_controller_killed_in_the_middle_of_a_rollout_delays_its_verdict_only(shop: Shop) -> None:
    stack = Stack.found()
    sha = shop.deploy("api", "f000002")
    with stack.killed("controller"):
        assert shop.rollout(sha)["phase"] != "DEPLOYED"
    shop.ends(sha, "DEPLOYED")


def test_a_connection_that_hangs_is_given_up(shop: Shop, up: Up) -> None:
    stack, log = Stack.found(), up.data / "logs" / "observer.log"
    before = log.read_text().count("delivery watch broke")
    with stack.frozen("server"):
        sha = shop.deploy("api", "f000003")
        shop.wait("silence to be noticed", lambda: log.read_text().count("delivery watch broke") > before)
    shop.ends(sha, "DEPLOYED")


def test_a_sync_is_asked_for_again(shop: Shop) -> None:
    for _ in range(2):
        shop.change("syncEnvironment", project=shop.name, environment="development")
    shop.well("development")


def test_a_deleted_environment_is_gone_and_may_come_again_at_once(shop: Shop, argo: ArgoCd) -> None:
    old = argo.applications(shop.name)[f"{shop.name}-staging"]["metadata"]
    given = {"project": shop.name, "name": "staging"}
    gone = shop.client.change("deleteEnvironment", **given, confirm="staging")
    again = shop.client.change("createEnvironment", **given, **{"from": "development"})
    shop.client.succeeded(gone, again)
    shop.well("staging")
    new = argo.applications(shop.name)[f"{shop.name}-staging"]["metadata"]
    assert new["uid"] != old["uid"]
    assert new["annotations"][IDENTITY] != old["annotations"][IDENTITY]
    assert "deletionTimestamp" not in new
    shop.change("deleteEnvironment", **given, confirm="staging")
    assert list(argo.applications(shop.name)) == [f"{shop.name}-development"]


def test_a_deleted_project_leaves_nothing(up: Up, argo: ArgoCd) -> None:
    shop = Shop(up)
    assert argo.applications(shop.name)
    shop.delete()
    assert argo.applications(shop.name) == {}
