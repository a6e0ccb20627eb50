"""`lucity up` with a real Argo CD that deploys to a cluster: named by LUCITY_TEST_ARGOCD_URL and _TOKEN, or _USERNAME
and _PASSWORD. On that cluster, images whose reference contains `/broken` must never start (realstack does so).
"""

import os
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from tests.support.clients import Client
from tests.support.git import Clone
from tests.support.realstack import Stack
from tests.support.up import Up, running

DEADLINE_SECONDS = 240.0
T = TypeVar("T")
ROLLOUT = "phase final message resources { kind name serviceName health message }"


def settings() -> dict[str, str]:
    """What `lucity up` needs to reach it."""
    url = os.environ.get("LUCITY_TEST_ARGOCD_URL")
    if not url:
        pytest.skip("LUCITY_TEST_ARGOCD_URL names no Argo CD")
    logins = {name: os.environ.get(f"LUCITY_TEST_ARGOCD_{name}") for name in ("TOKEN", "USERNAME", "PASSWORD")}
    given = {f"LUCITY_ARGOCD_{name}": value for name, value in logins.items() if value}
    return {"LUCITY_DELIVERY": "argocd", "LUCITY_ARGOCD_URL": url, **given}


class Shop:
    """A project of its own, in two environments, with the services api and web."""

    def __init__(self, up: Up) -> None:
        self.up = up
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.client = Client(lambda: up.url, up.token, up.report)
        environments = ["development", "staging"]
        self.change("createProject", name=self.name, environments=environments)
        for service in ("api", "web"):
            image = f"registry.local/{service}"
            self.change("addService", project=self.name, name=service, image=image, port=8080)

    def change(self, mutation: str, **given: object) -> dict[str, Any]:
        return self.client.succeeded(self.client.change(mutation, **given))[0]

    def deploy(self, service: str, tag: str, environment: str = "development") -> str:
        """Deploy and answer the commit."""
        job = self.client.succeeded(self.client.deploy(self.name, service, tag, environment))[0]
        return str(job["commit"]["sha"])

    def rollout(self, sha: str, environment: str = "development") -> dict[str, Any]:
        query = f"""query ($project: String!, $sha: String!) {{ project(name: $project) {{
          commit(revision: $sha) {{ rollouts {{ environmentName rollout {{ {ROLLOUT} }} }} }} }} }}"""
        found = self.client.insist(query, {"project": self.name, "sha": sha})["project"]["commit"]["rollouts"]
        return next(one["rollout"] for one in found if one["environmentName"] == environment)

    def ends(self, sha: str, phase: str, environment: str = "development") -> dict[str, Any]:
        """The rollout of a commit once it has this phase."""

        def probe() -> dict[str, Any] | None:
            found = self.rollout(sha, environment)
            return found if found["phase"] == phase else None

        return self.wait(f"{sha[:7]} in {environment} to be {phase}; it is {self.rollout(sha, environment)}", probe)

    def status(self, environment: str) -> dict[str, Any]:
        query = """query ($project: String!, $name: String!) { project(name: $project) { environment(name: $name) {
          status { sync health revision message stale } } } }"""
        found = self.client.insist(query, {"project": self.name, "name": environment})["project"]["environment"]
        status: dict[str, Any] = found["status"]
        return status

    def well(self, environment: str) -> None:
        def probe() -> bool:
            status = self.status(environment)
            return (status["sync"], status["health"]) == ("SYNCED", "HEALTHY")

        self.wait(f"{environment} to be synced and healthy", probe)

    def wait(self, what: str, probe: Callable[[], T | None]) -> T:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (answer := probe()):
            assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {what}\n{self.up.report()}"
            time.sleep(0.1)
        return answer

    def head(self) -> str:
        query = "query ($name: String!) { project(name: $name) { commits(first: 1) { nodes { sha } } } }"
        nodes = self.client.insist(query, {"name": self.name})["project"]["commits"]["nodes"]
        return str(nodes[0]["sha"])


class ArgoCd:
    """Argo CD as an operator sees it."""

    def __init__(self, given: dict[str, str]) -> None:
        self._http = httpx.Client(base_url=given["LUCITY_ARGOCD_URL"], timeout=30)
        token = given.get("LUCITY_ARGOCD_TOKEN") or self._login(given)
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _login(self, given: dict[str, str]) -> str:
        body = {"username": given["LUCITY_ARGOCD_USERNAME"], "password": given["LUCITY_ARGOCD_PASSWORD"]}
        return str(self._http.post("/api/v1/session", json=body).json()["token"])

    def applications(self, project: str) -> dict[str, dict[str, Any]]:
        selector = {"selector": f"lucity.dev/project={project}"}
        items = self._http.get("/api/v1/applications", params=selector).json()["items"] or []
        return {body["metadata"]["name"]: body for body in items}

    def close(self) -> None:
        self._http.close()


@pytest.fixture(scope="module")
def argo() -> Iterator[ArgoCd]:
    made = ArgoCd(settings())
    yield made
    made.close()


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", variables=settings()) as started:
        yield started


@pytest.fixture(scope="module")
def shop(up: Up) -> Iterator[Shop]:
    made = Shop(up)
    yield made
    made.change("deleteProject", name=made.name, confirm=made.name)
    made.client.close()


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
    query = """query ($project: String!, $sha: String!) { project(name: $project) {
      commit(revision: $sha) { rollouts { environmentName } } } }"""
    found = shop.client.insist(query, {"project": shop.name, "sha": sha})["project"]["commit"]["rollouts"]
    assert found == [{"environmentName": "staging"}]
    after = argo.applications(shop.name)[f"{shop.name}-development"]["status"]
    assert after["reconciledAt"] == before["reconciledAt"], "development was not refreshed"


def test_an_image_that_cannot_start_degrades_its_service_only(shop: Shop) -> None:
    shop.change("updateService", project=shop.name, name="web", image="registry.local/broken/web")
    web = shop.deploy("web", "d000001")
    api = shop.deploy("api", "e1b2c3d")
    assert shop.ends(api, "DEPLOYED")["final"]
    broken = shop.ends(web, "DEGRADED")
    assert "exceeded its progress deadline" in broken["message"]
    assert "ImagePullBackOff" in broken["message"]
    assert {one["serviceName"] for one in broken["resources"]} == {"web"}
    assert shop.rollout(api)["phase"] == "DEPLOYED"


def test_a_good_deploy_heals_it(shop: Shop) -> None:
    shop.change("updateService", project=shop.name, name="web", image="registry.local/web")
    sha = shop.deploy("web", "d000002")
    shop.ends(sha, "DEPLOYED")


def test_values_that_break_the_chart_by_hand_are_a_render_error_and_heal(shop: Shop, up: Up, tmp_path: Path) -> None:
    clone = Clone.of(up.git_url(shop.name), tmp_path / "clone")
    path = "environments/development/values.yaml"
    before = (clone.folder / path).read_text()
    broken = before.replace(
        "services:", 'services:\n    worker:\n      image: {repository: r, tag: "1"}\n      hosts: [a.example]\n', 1
    )
    sha = clone.commit("break it", {path: broken})
    clone.push()
    found = shop.ends(sha, "RENDER_FAILED")
    assert "a service with hosts needs a port" in found["message"]
    good = clone.commit("mend it", {path: before})
    clone.push()
    shop.ends(good, "DEPLOYED")


def test_argo_cd_killed_in_the_middle_of_a_rollout_delays_its_verdict_only(shop: Shop) -> None:
    stack = Stack.found()
    sha = shop.deploy("api", "f000001")
    with stack.killed("server"):
        web = shop.deploy("web", "f000001")
    shop.ends(sha, "DEPLOYED")
    shop.ends(web, "DEPLOYED")


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
    identity = "lucity.dev/environment-commit"
    assert new["annotations"][identity] != old["annotations"][identity]
    assert "deletionTimestamp" not in new
    shop.change("deleteEnvironment", **given, confirm="staging")
    assert list(argo.applications(shop.name)) == [f"{shop.name}-development"]


def test_a_deleted_project_leaves_nothing(up: Up, argo: ArgoCd) -> None:
    shop = Shop(up)
    assert argo.applications(shop.name)
    shop.change("deleteProject", name=shop.name, confirm=shop.name)
    shop.client.close()
    assert argo.applications(shop.name) == {}
