"""The chart and the repositories that Lucity makes, as a user's own Helm and a real API server take them."""

import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.charts import carried_charts
from adapters.cluster import KubernetesCluster
from adapters.helm import HelmRenderer
from adapters.namespace_guards import guards
from adapters.records import Application
from adapters.settings import Settings
from gitops.changes import Change
from gitops.operations import AddService, CreateProject, Deploy, ServiceImage
from gitops.tree import Files
from tests.support.kubernetes import ControlPlane
from tests.support.real_tools import real_tool
from tests.support.rendering import FULL, repository
from tests.support.shop import CONTEXT

CHART = Path(__file__).parents[2] / "charts" / "lucity-app"
FOREIGN_KINDS = {"HTTPRoute"}
"""Kinds that a bare API server does not know."""
CHANGES: tuple[Change, ...] = (
    CreateProject("shop", ("dev",)),
    AddService("shop", "api", "registry.example.com/api", 8080),
    AddService("shop", "web", "registry.example.com/web"),
    Deploy("shop", "dev", (ServiceImage("api", "1234567"), ServiceImage("web", "12e4567"))),
)


def generated() -> Files:
    """A project as Lucity's own changes make it."""
    tree, context = Files({}), replace(CONTEXT, charts=carried_charts())
    for change in CHANGES:
        tree = tree.with_writes(change.apply(tree, context).writes)
    return tree


@pytest.fixture(params=["generated", "everything"])
def tree(request: pytest.FixtureRequest) -> Files:
    return generated() if request.param == "generated" else repository(FULL, {})


def helm(*arguments: str) -> str:
    """Run Helm; what it printed. It must succeed."""
    done = subprocess.run([str(real_tool("helm")), *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"helm {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
    return done.stdout


def written(tree: Files, folder: Path) -> Path:
    for path in tree.files(""):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(tree.read(path) or b"")
    return folder


def templated(tree: Files, folder: Path) -> str:
    """What the README tells a user to do with a clone."""
    clone = written(tree, folder)
    values = clone / "environments" / "dev" / "values.yaml"
    return helm("template", "shop-dev", str(clone / "base"), "-n", "shop-dev", "-f", str(values))


def objects(text: str) -> list[dict[str, Any]]:
    return sorted((found for found in yaml.safe_load_all(text) if found), key=place)


def place(found: Mapping[str, Any]) -> tuple[str, str]:
    return found["kind"], found["metadata"]["name"]


def test_helm_finds_no_fault_in_the_chart() -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART))


def test_helm_finds_no_fault_in_a_repository(tree: Files, tmp_path: Path) -> None:
    clone = written(tree, tmp_path)
    values = clone / "environments" / "dev" / "values.yaml"
    assert "0 chart(s) failed" in helm("lint", "--strict", str(clone / "base"), "-f", str(values))


def test_a_users_helm_renders_what_lucity_renders(tree: Files, tmp_path: Path) -> None:
    renderer = HelmRenderer(tmp_path / "scratch")
    try:
        ours = renderer.render(tree, "shop", "dev").files.values()
    finally:
        renderer.close()
    assert objects(templated(tree, tmp_path / "clone")) == sorted(
        (found for text in ours for found in objects(text)), key=place
    )


def test_a_real_api_server_takes_everything(tree: Files, tmp_path: Path, plane: ControlPlane) -> None:
    shop = Application("shop", "dev", "shop-dev", "a" * 40, ephemeral=False)
    KubernetesCluster(plane.api(), guards(Settings())).ensure_namespace(shop)
    wanted = [found for found in objects(templated(tree, tmp_path)) if found["kind"] not in FOREIGN_KINDS]
    options = ("--server-side", "--dry-run=server", "--validate=strict", "-n", "shop-dev", "-o", "name", "-f", "-")
    taken = plane.kubectl("apply", *options, given=yaml.safe_dump_all(wanted))
    assert len(taken.split()) == len(wanted) > 1
