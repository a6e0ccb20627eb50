"""What an ejected package is worth: the project goes on, by Argo CD alone, from a repository of its user's."""

import io
import tarfile
from pathlib import Path

import httpx
import yaml

from tests.support.git import git
from tests.support.realshop import Shop, Systems


def test_an_ejected_project_runs_on_by_argo_cd_alone(systems: Systems, tmp_path: Path) -> None:
    shop = Shop(systems.up)
    for environment in ("development", "staging"):
        shop.ends(shop.deploy("api", f"a-{environment}", environment), "DEPLOYED", environment)
    home = f"mine/{shop.name}"
    ejected = package(systems, shop, f"{systems.soft.http_url}/{home}.git", tmp_path)
    pods = {name: pod_names(systems, shop.namespace(name)) for name in ("development", "staging")}
    assert systems.up.stop() == 0
    try:
        take_over(systems, ejected, home)
        for environment in ("development", "staging"):
            is_taken_over(systems, shop, environment)
            assert pod_names(systems, shop.namespace(environment)) == pods[environment], "nothing was started anew"
        deploy_by_hand(ejected, systems, home)
        name = shop.namespace("development")
        systems.kube.run(  # Argo CD looks by itself too, every few minutes
            "annotate", "application", name, "--namespace=argocd", "argocd.argoproj.io/refresh=normal"
        )
        runs = systems.kube.runs
        shop.wait(
            "what was pushed by hand to run",
            lambda: runs(name, "api") == [("registry.local/api:by-hand", 1)],
        )
        systems.kube.run("delete", "--filename", str(ejected / "argocd"))
    finally:
        systems.up.restart()
    shop.delete()


def package(systems: Systems, shop: Shop, address: str, folder: Path) -> Path:
    """The package of the project, unpacked."""
    headers = {"Authorization": f"Bearer {systems.up.token}"}
    url = f"{systems.up.url}/eject/{shop.name}"
    answer = httpx.get(url, params={"repoUrl": address}, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    with tarfile.open(fileobj=io.BytesIO(answer.content)) as tar:
        tar.extractall(folder, filter="data")
    return folder / shop.name


def take_over(systems: Systems, ejected: Path, home: str) -> None:
    """Do what the package's README says."""
    systems.soft.administer("repo", "create", home, "--private")
    git(ejected, "clone", "--quiet", f"{ejected.name}.bundle", ejected.name)
    git(ejected / ejected.name, "push", "--quiet", systems.soft.address(home), "main")
    systems.argo.register(f"{systems.soft.http_url}/{home}.git", "admin", systems.soft.token)
    systems.kube.run("apply", "--filename", str(ejected / "argocd"))


def is_taken_over(systems: Systems, shop: Shop, environment: str) -> None:
    """Wait until the user's own Application runs the environment."""
    written = f"{systems.soft.http_url}/mine/{shop.name}.git"

    def well() -> bool:
        body = systems.kube.get("application", shop.namespace(environment), "argocd")
        assert body is not None
        assert (body["spec"]["project"], body["spec"]["source"]["repoURL"]) == ("default", written)
        status = body.get("status", {})
        compared = status.get("sync", {}).get("comparedTo", {}).get("source", {}).get("repoURL")
        return (compared, status["sync"]["status"], status["health"]["status"]) == (written, "Synced", "Healthy")

    shop.wait(f"{environment} to be synced and healthy from its new home", well)


def deploy_by_hand(ejected: Path, systems: Systems, home: str) -> None:
    """A deployment is a commit."""
    clone = ejected / ejected.name
    path = clone / "environments" / "development" / "values.yaml"
    assert "a-development" in path.read_text()
    path.write_text(path.read_text().replace("a-development", "by-hand"))
    assert yaml.safe_load(path.read_text())
    git(clone, "commit", "--quiet", "--all", "-m", "deploy by hand")
    git(clone, "push", "--quiet", systems.soft.address(home), "main")


def pod_names(systems: Systems, namespace: str) -> list[str]:
    return sorted(systems.kube.run("get", "pods", "--namespace", namespace, "--output=name").split())
