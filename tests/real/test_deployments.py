"""Changes on their way to a real cluster, and what their clients are told."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.git import Clone
from tests.support.realshop import IDENTITY, Shop, Systems
from tests.support.realstack import Stack
from tests.support.streams import over_websocket

VALUES = "environments/development/values.yaml"
BREAKING = 'services:\n    queue:\n      image: {repository: r, tag: "1"}\n      hosts: [a.example]\n'
"""A service with hosts and without a port: the chart refuses it."""


def test_a_project_has_its_applications_and_namespaces_synced_and_healthy(shop: Shop, systems: Systems) -> None:
    found = systems.argo.applications(shop.name)
    assert sorted(found) == [shop.namespace("development"), shop.namespace("staging")]
    for environment in ("development", "staging"):
        labels = {
            "lucity.dev/project": shop.name,
            "lucity.dev/environment": environment,
            "lucity.dev/ephemeral": "false",
        }
        application = found[shop.namespace(environment)]["metadata"]
        assert application["labels"] == labels
        assert application["annotations"][IDENTITY] == shop.created
        namespace = systems.namespace(shop.namespace(environment))
        assert namespace is not None
        assert namespace["metadata"]["labels"].items() >= labels.items()
        assert namespace["metadata"]["annotations"][IDENTITY] == shop.created
        shop.well(environment)


def test_a_deploy_is_deployed_with_exactly_its_commit(shop: Shop, systems: Systems) -> None:
    sha = shop.deploy("api", "a1b2c3d")
    heard = shop.phases(sha)
    assert heard[-1] == "DEPLOYED"
    assert set(heard) <= {"PENDING", "SYNCING", "ROLLING_OUT", "DEPLOYED"}
    assert shop.rollout(sha)["phase"] == "DEPLOYED"
    body = systems.argo.applications(shop.name)[shop.namespace("development")]
    assert body["status"]["sync"]["revision"] == sha
    assert systems.kube.runs(shop.namespace("development"), "api") == [("registry.local/api:a1b2c3d", 1)]


def test_a_commit_for_another_environment_makes_no_event_here(shop: Shop, systems: Systems) -> None:
    shop.well("development")
    for tag in ("b000001", "b000002", "b000003"):
        before = compared(systems, shop)
        with listening(shop) as events:
            sha = shop.deploy("api", tag, "staging")
            heard = list(until_deployed(events, sha))
        assert [event["kind"] for event in heard if event["deployment"] and about(event) == "development"] == []
        assert list(shop.rollouts(sha)) == ["staging"]
        if compared(systems, shop) == before:
            assert [event for event in heard if about(event) == "development"] == []
            return
    pytest.fail("Argo CD compared development by itself each time, or each commit made it do so")


def compared(systems: Systems, shop: Shop) -> str:
    """When Argo CD last looked at development; it does so by itself every few minutes."""
    return str(systems.argo.applications(shop.name)[shop.namespace("development")]["status"]["reconciledAt"])


@contextmanager
def listening(shop: Shop) -> Iterator[Iterator[dict[str, Any]]]:
    query = f"""subscription {{ projectEvents(project: "{shop.name}") {{ kind environment {{ name }} commit {{ sha }}
      deployment {{ environmentName rollout {{ phase }} }} }} }}"""
    with over_websocket(shop.up, query) as stream:
        assert next(stream)["kind"] == "SNAPSHOT"
        yield stream


def until_deployed(events: Iterator[dict[str, Any]], sha: str) -> Iterator[dict[str, Any]]:
    for event in events:
        yield event
        deployment = event["deployment"]
        if deployment and event["commit"]["sha"] == sha and deployment["rollout"]["phase"] == "DEPLOYED":
            return


def about(event: dict[str, Any]) -> str:
    return event["environment"]["name"] if event["environment"] else ""


def test_what_is_promoted_and_what_is_rolled_back_is_deployed_there(shop: Shop, systems: Systems) -> None:
    before = shop.deploy("api", "c000001", "staging")
    promoted = shop.change("promote", project=shop.name, **{"from": "development"}, to="staging", services=["api"])
    shop.ends(promoted["commit"]["sha"], "DEPLOYED", "staging")
    staging = shop.namespace("staging")
    assert systems.kube.runs(staging, "api") == [("registry.local/api:a1b2c3d", 1)]
    rolled = shop.change("rollback", project=shop.name, environment="staging", to=before, services=["api"])
    shop.ends(rolled["commit"]["sha"], "DEPLOYED", "staging")
    assert systems.kube.runs(staging, "api") == [("registry.local/api:c000001", 1)]


def test_an_image_that_cannot_be_pulled_degrades_its_service_only(shop: Shop) -> None:
    shop.change("updateService", project=shop.name, name="web", image="registry.local/broken/web")
    web = shop.deploy("web", "d000001")
    api = shop.deploy("api", "e1b2c3d")
    assert shop.ends(api, "DEPLOYED")["final"]
    broken = shop.ends(web, "DEGRADED")
    assert "exceeded its progress deadline" in broken["message"]
    assert "ImagePullBackOff" in broken["message"]
    assert {one["serviceName"] for one in broken["resources"]} == {"web"}
    assert shop.rollout(api)["phase"] == "DEPLOYED"


def test_a_good_deploy_heals_it(shop: Shop, systems: Systems) -> None:
    shop.change("updateService", project=shop.name, name="web", image="registry.local/web")
    sha = shop.deploy("web", "d000002")
    shop.ends(sha, "DEPLOYED")
    assert systems.kube.runs(shop.namespace("development"), "web") == [("registry.local/web:d000002", 1)]
    shop.well("development")


def test_values_that_break_the_chart_are_refused_before_the_push(shop: Shop) -> None:
    shop.change("addService", project=shop.name, name="worker", image="registry.local/worker")
    before = shop.deploy("worker", "a000001")
    given = [{"key": "services.worker.hosts", "value": ["a.example"]}]
    job_id = shop.client.change("setValues", project=shop.name, environment="development", set=given)
    job = shop.client.ended([job_id])[job_id]
    assert (job["state"], job["error"]["__typename"]) == ("FAILED", "RenderFailed"), job
    assert "a service with hosts needs a port" in job["error"]["message"]
    assert shop.head() == before


def test_values_that_break_the_chart_pushed_by_hand_fail_to_render_and_heal(shop: Shop, tmp_path: Path) -> None:
    clone = Clone.of(shop.up.git_url(shop.name), tmp_path / "clone")
    before = (clone.folder / VALUES).read_text()
    sha = clone.commit("break it", {VALUES: before.replace("services:", BREAKING, 1)})
    clone.push()
    found = shop.ends(sha, "RENDER_FAILED")
    assert "a service with hosts needs a port" in found["message"]
    good = clone.commit("mend it", {VALUES: before})
    clone.push()
    shop.ends(good, "DEPLOYED")
    shop.well("development")


def test_a_sync_waits_its_turn_while_another_operation_runs(shop: Shop, systems: Systems) -> None:
    with Stack.found().frozen("controller"):
        systems.argo.sync(shop.namespace("development"))
        job_id = shop.client.change("syncEnvironment", project=shop.name, environment="development")
        query = "query ($id: ID!) { job(id: $id) { state steps { message } } }"

        def waits() -> bool:
            job = shop.client.insist(query, {"id": job_id})["job"]
            assert job["state"] in {"QUEUED", "RUNNING"}, job
            return "another operation" in str(job["steps"])

        shop.wait("the job to say what it waits for", waits)
    shop.client.succeeded(job_id)
    shop.well("development")
