"""A delivery by Argo CD and a look at Argo CD past it, for tests on a fake or on a real one."""

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from adapters.argocd import ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, Credentials
from adapters.argocd_objects import Place
from adapters.ports import Unreachable
from adapters.records import Application

DEADLINE_SECONDS = 30.0
PLACE = Place()
T = TypeVar("T")


@dataclass
class Argo:
    """A delivery, and a look at Argo CD past it. Whatever a test made is taken away at its end."""

    api: ArgoCdApi
    delivery: ArgoCdDelivery
    project: str = field(default_factory=lambda: f"t{uuid.uuid4().hex[:10]}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:1/gitops/{self.project}.git"

    def application(self, environment: str = "development", identity: str = "a" * 40) -> Application:
        return Application(self.project, environment, f"{self.project}-{environment}", identity, ephemeral=False)

    def body(self, environment: str = "development") -> dict[str, object]:
        path = f"/api/v1/applications/{self.project}-{environment}"
        return self.api.get(path, {"project": self.project})

    def namespaces(self) -> list[str]:
        spec = self.api.get(f"/api/v1/projects/{self.project}")["spec"]
        return [one["namespace"] for one in spec.get("destinations") or ()]

    def repositories(self) -> set[str]:
        return {one["repo"] for one in self.api.get("/api/v1/repositories").get("items") or ()}

    def deleted(self, application: Application) -> None:
        wait(f"the end of {application}", lambda: self.delivery.delete(application))

    def clean(self) -> None:
        self.delivery.applications(self.project)
        for body in self.delivery.watching.bodies(self.project):
            name = body["metadata"]["name"]
            query = {"cascade": "true", "project": body["spec"]["project"]}
            self.api.send("DELETE", f"/api/v1/applications/{name}", query=query)
        wait("the end of the project", self._ended)
        self.delivery.close()

    def _ended(self) -> bool:
        """Argo CD keeps a project as long as an Application of it is going."""
        try:
            self.delivery.end(self.project)
        except Unreachable:
            return False
        return True


def wait(what: str, probe: Callable[[], T]) -> T:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not (answer := probe()):
        assert time.monotonic() < deadline, f"waited {DEADLINE_SECONDS} s for {what}"
        time.sleep(0.05)
    return answer


def reach(url: str, credentials: Credentials) -> Argo:
    api = ArgoCdApi(url, credentials)
    return Argo(
        api, ArgoCdDelivery(api, lambda name: (f"http://127.0.0.1:1/gitops/{name}.git", "reader", "word"), PLACE)
    )
