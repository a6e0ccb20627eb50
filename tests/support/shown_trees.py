"""A project in a Lucity over a fake Argo CD, and the trees that it shows."""

from typing import Any

from tests.support.argocd_state import FakeArgoCd
from tests.support.argocd_trees import Body, recorded_tree
from tests.support.waiting import until

NAME = "shop-development"


def has(fake: FakeArgoCd, environment: str = "development") -> None:
    """Argo CD has an Application with what was recorded of one."""
    name = f"shop-{environment}"
    fake.applications.setdefault(name, {"metadata": {"name": name}, "spec": {"project": "shop"}})
    fake.trees.change(name, recorded_tree())


async def listened(fake: FakeArgoCd, name: str = NAME) -> None:
    await until(lambda: fake.trees.streams(name), "a stream to Argo CD")


def healths(item: dict[str, Any], kind: str = "Pod") -> list[str]:
    return sorted(node["health"] for node in item["nodes"] if node["kind"] == kind)


def degraded(node: Body) -> None:
    node["health"] = {"status": "Degraded", "message": "Back-off pulling image"}
