"""The beginning and the end of environments and projects on a real cluster."""

from pathlib import Path

from tests.support.git import git
from tests.support.realshop import IDENTITY, Shop, Systems

JOB = """query ($id: ID!) { job(id: $id) { state commit { sha } error { __typename message
  ... on AlreadyExists { what name } } } }"""


def test_a_deleted_environment_ends_with_its_application_and_its_namespace(shop: Shop, systems: Systems) -> None:
    shop.change("createEnvironment", project=shop.name, name="pr-1", **{"from": "development"}, ephemeral=True)
    shop.deploy("api", "a000001", "pr-1")
    shop.well("pr-1")
    namespace = systems.namespace(shop.namespace("pr-1"))
    assert namespace is not None
    assert namespace["metadata"]["labels"]["lucity.dev/ephemeral"] == "true"
    shop.change("deleteEnvironment", project=shop.name, name="pr-1")
    assert shop.namespace("pr-1") not in systems.argo.applications(shop.name)
    assert systems.namespace(shop.namespace("pr-1")) is None


def test_an_environment_deleted_and_created_again_at_once_is_the_new_one_and_alive(
    shop: Shop, systems: Systems
) -> None:
    shop.ends(shop.deploy("api", "a000002", "staging"), "DEPLOYED", "staging")
    name = shop.namespace("staging")
    old = [systems.argo.applications(shop.name)[name]["metadata"], (systems.namespace(name) or {})["metadata"]]
    given = {"project": shop.name, "name": "staging"}
    gone = shop.client.change("deleteEnvironment", **given, confirm="staging")
    again = shop.client.change("createEnvironment", **given, **{"from": "development"})
    made = shop.client.succeeded(gone, again)[1]["commit"]["sha"]
    new = [systems.argo.applications(shop.name)[name]["metadata"], (systems.namespace(name) or {})["metadata"]]
    for before, after in zip(old, new, strict=True):
        assert after["uid"] != before["uid"]
        assert after["annotations"][IDENTITY] == made
        assert "deletionTimestamp" not in after
    shop.well("staging")
    shop.ends(shop.deploy("api", "a000003", "staging"), "DEPLOYED", "staging")
    assert systems.kube.runs(name, "api") == [("registry.local/api:a000003", 1)]


def test_a_strangers_namespace_is_refused_before_the_commit_and_never_touched(shop: Shop, systems: Systems) -> None:
    name = shop.namespace("pr-2")
    systems.kube.run("create", "namespace", name)
    systems.kube.run("create", "configmap", "precious", "--namespace", name)
    before, head = systems.namespace(name), shop.head()
    given = {"project": shop.name, "name": "pr-2", "from": "development"}
    job_id = shop.client.change("createEnvironment", **given)
    shop.client.ended([job_id])
    job = shop.client.insist(JOB, {"id": job_id})["job"]
    assert (job["state"], job["commit"]) == ("FAILED", None)
    assert job["error"].items() >= {"__typename": "AlreadyExists", "what": "namespace", "name": name}.items()
    assert shop.head() == head
    assert systems.namespace(name) == before
    assert systems.kube.get("configmap", "precious", name) is not None
    systems.kube.run("delete", "namespace", name)
    shop.change("createEnvironment", **given)
    shop.well("pr-2")


def test_a_deleted_project_leaves_an_archive_and_nothing_else(systems: Systems, tmp_path: Path) -> None:
    shop = Shop(systems.up)
    shop.ends(shop.deploy("api", "a000001"), "DEPLOYED")
    head = shop.head()
    assert shop.name in systems.argo.names("projects")
    assert shop.name in systems.argo.names("repositories")
    shop.delete()
    assert systems.argo.applications(shop.name) == {}
    assert shop.name not in systems.argo.names("projects")
    assert shop.name not in systems.argo.names("repositories")
    for environment in ("development", "staging"):
        assert systems.namespace(shop.namespace(environment)) is None
    assert shop.name not in systems.soft.administer("repo", "list", "--all")
    (bundle,) = (systems.up.data / "archive").glob(f"{shop.name}-*.bundle")
    git(tmp_path, "clone", "--quiet", str(bundle), "archived")
    git(tmp_path / "archived", "bundle", "verify", "--quiet", str(bundle))
    assert git(tmp_path / "archived", "log", "--first-parent", "--format=%s", "-1") == f"project(delete): {shop.name}"
    assert git(tmp_path / "archived", "rev-parse", "HEAD~1") == head


def test_a_project_deleted_in_the_middle_of_a_rollout_leaves_nothing(systems: Systems) -> None:
    shop = Shop(systems.up, services=("api",))
    shop.deploy("api", "a000001")
    shop.delete()
    assert systems.argo.applications(shop.name) == {}
    assert systems.namespace(shop.namespace("development")) is None
