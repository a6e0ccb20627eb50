"""From a push to a running version: the real processes, Buildah and a registry."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.building import builder
from tests.support.product import Product, product
from tests.support.registry import RegistryServer, start_registry
from tests.support.source_site import SECRET, SourceSite, deliver

TAGS = """query($project: String!) { environment(project: $project, name: "development") {
    service(name: "api") { image { tag digest } deployment { commit { message } job { actor { name } } } } } }"""
SECRET_SET = """mutation($project: String!, $value: String!) {
    setProjectSecret(input: {project: $project, name: "webhook", value: $value}) { __typename } }"""
LOG = """query($id: ID!) { job(id: $id) { steps { name state message } log(first: 100) { nodes { stream text } } } }"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with start_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory, registry: RegistryServer) -> Iterator[Product]:
    folder = tmp_path_factory.mktemp("builds")
    builder(folder / "probe")
    variables = {
        "LUCITY_REGISTRY": registry.address,
        "LUCITY_REGISTRY_INSECURE": "true",
        "LUCITY_ALLOW_LOCAL_SOURCES": "true",
        "LUCITY_SOURCE_POLL_SECONDS": "600",
    }
    with product(folder / "data", variables) as started:
        yield started


def found(lucity: Product, registry: RegistryServer, project: str, site: SourceSite) -> None:
    """A project whose service api is built from a site, and follows main into development."""
    asks = lucity.asks
    made = [asks.change("createProject", name=project, environments=["development"])]
    source = {"repositoryUrl": site.url}
    image = f"{registry.address}/{project}/api"
    made.append(asks.change("addService", project=project, name="api", image=image, source=source))
    values = [{"key": "branches.main", "value": ["development"]}]
    made.append(asks.change("updateProject", project=project, values=values))
    asks.succeeded(*made)
    answer = asks.ask(SECRET_SET, {"project": project, "value": SECRET})["setProjectSecret"]
    assert answer == {"__typename": "ProjectSecret"}


def deployed(lucity: Product, project: str) -> dict[str, Any]:
    """The service in development."""
    service: dict[str, Any] = lucity.asks.insist(TAGS, {"project": project})["environment"]["service"]
    return service


def tag(lucity: Product, project: str) -> str | None:
    image = deployed(lucity, project)["image"]
    return image["tag"] if image else None


def test_up_says_where_images_go_and_what_builds_them(lucity: Product, registry: RegistryServer) -> None:
    assert f"\n  Images       {registry.address}; builds by buildah " in lucity.up.printed()


def test_a_push_becomes_an_image_and_a_commit(lucity: Product, registry: RegistryServer, tmp_path: Path) -> None:
    site = SourceSite.make(tmp_path / "shop")
    found(lucity, registry, "shop", site)
    sha = site.commit({"text": "1"})
    answer = deliver(lucity.up.url, "shop", site.delivery(sha))
    assert answer.status_code == 202, answer.text
    (job_id,) = answer.json()["jobs"]
    (job,) = lucity.asks.succeeded(job_id)
    assert job["summary"] == f"build api {sha[:7]}"
    lucity.up.wait("the deployment", lambda: tag(lucity, "shop") == sha[:7])
    service = deployed(lucity, "shop")
    assert service["image"]["digest"].startswith("sha256:")
    assert f"Source-Revision: api={sha}" in service["deployment"]["commit"]["message"]
    assert service["deployment"]["job"]["actor"]["name"] == "Bo"
    told = lucity.asks.insist(LOG, {"id": job_id})["job"]
    assert [step["name"] for step in told["steps"]] == ["source", "build", "push", "deploy"]
    assert any("COPY text /text" in line["text"] for line in told["log"]["nodes"])
    assert deliver(lucity.up.url, "shop", site.delivery(sha), secret="another of sixteen letters").status_code == 401
    assert deliver(lucity.up.url, "ghost", site.delivery(sha)).status_code == 404


def test_a_build_that_never_ends_is_cancelled_and_leaves_nothing_running(
    lucity: Product, registry: RegistryServer, tmp_path: Path
) -> None:
    site = SourceSite.make(tmp_path / "endless")
    found(lucity, registry, "endless", site)
    site.commit({"Dockerfile": 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "54321"]\n'})
    job_id = lucity.asks.change("build", project="endless", service="api")
    lucity.up.wait("the sleep to begin", sleeping)
    assert lucity.asks.cancel(job_id)["__typename"] == "Job"
    assert lucity.asks.ended([job_id])[job_id]["state"] == "CANCELED"
    lucity.up.wait("the end of the sleep", lambda: not sleeping())


def test_a_builder_killed_in_the_middle_begins_again_and_pushes_one_image(
    lucity: Product, registry: RegistryServer, tmp_path: Path
) -> None:
    site = SourceSite.make(tmp_path / "killed")
    found(lucity, registry, "killed", site)
    slow = 'FROM scratch\nCOPY busybox /bin/busybox\nRUN ["/bin/busybox", "sleep", "3"]\nCOPY text /text\n'
    sha = site.commit({"Dockerfile": slow, "text": "1"})
    job_id = lucity.asks.change("build", project="killed", service="api", deployTo=["development"])
    lucity.up.wait("the build to begin", lambda: sleeping("3"))
    os.kill(lucity.up.child("builder"), signal.SIGKILL)
    (job,) = lucity.asks.succeeded(job_id)
    assert job["attempts"] >= 2
    lucity.up.wait("the deployment", lambda: tag(lucity, "killed") == sha[:7])


def sleeping(seconds: str = "54321") -> bool:
    """Whether somewhere a busybox sleeps for so long."""
    wanted = f"/bin/busybox\0sleep\0{seconds}\0".encode()
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if entry.read_bytes() == wanted:
                return True
        except OSError:
            continue
    return False
