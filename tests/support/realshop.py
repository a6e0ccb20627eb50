"""A project on real systems, followed until the cluster says what became of a change."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from tests.support.clients import Client
from tests.support.realstack import Kubectl
from tests.support.softserve import SoftServe
from tests.support.streams import over_websocket
from tests.support.up import Up

DEADLINE_SECONDS = 240.0
T = TypeVar("T")
ROLLOUT = "phase final message resources { kind name serviceName health message }"
IDENTITY = "lucity.dev/environment-commit"


class Shop:
    """A project of its own, in two environments, with services whose images are registry.local/<service>."""

    def __init__(self, up: Up, services: tuple[str, ...] = ("api", "web")) -> None:
        self.up = up
        self.name = f"t{uuid.uuid4().hex[:8]}"
        self.client = Client(lambda: up.url, up.token, up.report)
        environments = ["development", "staging"]
        self.created = self.change("createProject", name=self.name, environments=environments)["commit"]["sha"]
        for service in services:
            image = f"registry.local/{service}"
            self.change("addService", project=self.name, name=service, image=image, port=8080)

    def namespace(self, environment: str) -> str:
        """Also the name of its Application."""
        return f"{self.name}-{environment}"

    def change(self, mutation: str, **given: object) -> dict[str, Any]:
        """Ask for a change and wait for its success; the job."""
        return self.client.succeeded(self.client.change(mutation, **given))[0]

    def deploy(self, service: str, tag: str, environment: str = "development") -> str:
        """Deploy and answer the commit."""
        job = self.client.succeeded(self.client.deploy(self.name, service, tag, environment))[0]
        return str(job["commit"]["sha"])

    def delete(self) -> None:
        """Delete the project, and let go of it."""
        self.change("deleteProject", name=self.name, confirm=self.name)
        self.client.close()

    def rollouts(self, sha: str) -> dict[str, dict[str, Any]]:
        """The fate of a commit, by environment."""
        query = f"""query ($project: String!, $sha: String!) {{ project(name: $project) {{
          commit(revision: $sha) {{ rollouts {{ environmentName rollout {{ {ROLLOUT} }} }} }} }} }}"""
        found = self.client.insist(query, {"project": self.name, "sha": sha})["project"]["commit"]["rollouts"]
        return {one["environmentName"]: one["rollout"] for one in found}

    def rollout(self, sha: str, environment: str = "development") -> dict[str, Any]:
        """The fate of a commit in an environment."""
        return self.rollouts(sha)[environment]

    def ends(self, sha: str, phase: str, environment: str = "development") -> dict[str, Any]:
        """The rollout of a commit once it has this phase."""

        def probe() -> dict[str, Any] | None:
            found = self.rollout(sha, environment)
            return found if found["phase"] == phase else None

        what = f"{sha[:7]} in {environment} to be {phase}"
        return self.wait(what, probe, lambda: str(self.rollout(sha, environment)))

    def phases(self, sha: str, environment: str = "development") -> list[str]:
        """What a subscriber hears of a commit until its rollout completes."""
        query = f"""subscription {{ rollout(project: "{self.name}", environment: "{environment}", commit: "{sha}") {{
          commit {{ sha }} rollout {{ phase final }} }} }}"""
        with over_websocket(self.up, query) as stream:
            heard = list(stream)
        assert {item["commit"]["sha"] for item in heard} == {sha}
        assert [item["rollout"]["final"] for item in heard] == [False] * (len(heard) - 1) + [True]
        return [item["rollout"]["phase"] for item in heard]

    def status(self, environment: str) -> dict[str, Any]:
        """What the delivery said last."""
        query = """query ($project: String!, $name: String!) { project(name: $project) { environment(name: $name) {
          status { sync health revision message stale } } } }"""
        found = self.client.insist(query, {"project": self.name, "name": environment})["project"]["environment"]
        status: dict[str, Any] = found["status"]
        return status

    def well(self, environment: str) -> None:
        """Wait until an environment is synced and healthy."""

        def probe() -> bool:
            status = self.status(environment)
            return (status["sync"], status["health"]) == ("SYNCED", "HEALTHY")

        self.wait(f"{environment} to be synced and healthy", probe, lambda: str(self.status(environment)))

    def wait(self, what: str, probe: Callable[[], T | None], present: Callable[[], str] = str) -> T:
        """Ask until there is an answer; `present` says how it stands when there is none in time."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not (answer := probe()):
            late = time.monotonic() > deadline
            assert not late, f"waited {DEADLINE_SECONDS} s for {what}: {present()}\n{self.up.report()}"
            time.sleep(0.1)
        return answer

    def head(self) -> str:
        """The newest commit that Lucity shows."""
        query = "query ($name: String!) { project(name: $name) { commits(first: 1) { nodes { sha } } } }"
        nodes = self.client.insist(query, {"name": self.name})["project"]["commits"]["nodes"]
        return str(nodes[0]["sha"])


class ArgoCd:
    """Argo CD as an operator sees it; `given` as of realstack.argocd_settings."""

    def __init__(self, given: dict[str, str]) -> None:
        self.http = httpx.Client(base_url=given["LUCITY_ARGOCD_URL"], timeout=30)
        token = given.get("LUCITY_ARGOCD_TOKEN") or self._login(given)
        self.http.headers["Authorization"] = f"Bearer {token}"

    def _login(self, given: dict[str, str]) -> str:
        body = {"username": given["LUCITY_ARGOCD_USERNAME"], "password": given["LUCITY_ARGOCD_PASSWORD"]}
        return str(self.http.post("/api/v1/session", json=body).json()["token"])

    def applications(self, project: str) -> dict[str, dict[str, Any]]:
        """All of a project, by name."""
        selector = {"selector": f"lucity.dev/project={project}"}
        items = self.http.get("/api/v1/applications", params=selector).json()["items"] or []
        return {body["metadata"]["name"]: body for body in items}

    def names(self, kind: str) -> set[str]:
        """Of all `projects`, or the projects of all `repositories` ('' for one that belongs to none)."""
        items = self.http.get(f"/api/v1/{kind}").json()["items"] or []
        return {body["metadata"]["name"] if "metadata" in body else body.get("project", "") for body in items}

    def sync(self, name: str) -> None:
        """Ask for a sync."""
        self.http.post(f"/api/v1/applications/{name}/sync", json={"prune": True}).raise_for_status()

    def register(self, url: str, user: str, password: str) -> None:
        """Let every project read a repository, as `argocd repo add` does."""
        body = {"type": "git", "repo": url, "username": user, "password": password}
        self.http.post("/api/v1/repositories", json=body, params={"upsert": "true"}).raise_for_status()

    def close(self) -> None:
        """Let go of the connection."""
        self.http.close()


@dataclass(frozen=True)
class Systems:
    """One Lucity, and the systems that it works on, each as its own operator sees it."""

    up: Up
    argo: ArgoCd
    kube: Kubectl
    soft: SoftServe

    def namespace(self, name: str) -> dict[str, Any] | None:
        """A namespace; None when there is none."""
        return self.kube.get("namespace", name)
