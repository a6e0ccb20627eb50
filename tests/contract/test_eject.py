"""What a project is without Lucity: the package, and that everything in it renders as it did, by Helm alone."""

import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from api.app import create_app
from gitops.changes import ActorKind
from gitops.operations import (
    AddService,
    CreateProject,
    Deploy,
    Scale,
    ServiceImage,
    SetValues,
    SetVariables,
    ValueSetting,
    VariableSetting,
)
from tests.support.git import Clone, git
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

ENVIRONMENTS = ("development", "production", "staging")
PLAIN_HELM = """
import json, sys
import helm_python, pathlib
folder, environment, release = sys.argv[1:]
values = helm_python.values_from_yaml(pathlib.Path(folder, "environments", environment, "values.yaml").read_text())
with helm_python.Chart.load(f"{folder}/base") as chart:
    print(json.dumps(chart.render(values, name=release, namespace=release)))
"""


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """A project with different things in each of three environments."""
    with closing(make_lab(tmp_path / "lucity", valkey.url)) as made:
        made.flush()
        made.settle(CreateProject("shop", ENVIRONMENTS))
        made.carry(*(AddService("shop", name, f"registry.example.com/{name}", port=8080) for name in ("api", "web")))
        made.carry(
            *(
                Deploy("shop", name, (ServiceImage("api", "1234567"), ServiceImage("web", "no")))
                for name in ENVIRONMENTS
            ),
            Scale("shop", "production", "api", 4),
            SetVariables("shop", "staging", "web", (VariableSetting("GREETING", 'say "hi" {{ .x }}'),)),
            SetValues("shop", "production", (ValueSetting("services.web.hosts", ["www.example.com"]),)),
        )
        yield made


def package(lab: Lab, folder: Path, query: str = "") -> Path:
    """The package of shop, unpacked."""
    answer = asked(lab, f"/eject/shop{query}")
    assert answer.status_code == 200, answer.text
    head = lab.ports.repositories.head("shop") or ""
    assert answer.headers["content-disposition"] == f'attachment; filename="shop-{head[:7]}.tar.gz"'
    assert int(answer.headers["content-length"]) == len(answer.content)
    with tarfile.open(fileobj=BytesIO(answer.content)) as tar:
        tar.extractall(folder, filter="data")
    return folder / "shop"


def asked(lab: Lab, path: str, token: str | None = None) -> Any:
    secret = token or lab.ports.tokens.issue(None, "Ann", "ann@example.org", ActorKind.PERSON)[1]
    client = TestClient(create_app(lab.ports), base_url=lab.ports.settings.origin)
    return client.get(path, headers={"Authorization": f"Bearer {secret}"})


def manifests(texts: dict[str, str]) -> dict[str, list[Any]]:
    """Objects by template."""
    loaded = {path: [one for one in yaml.safe_load_all(text) if one] for path, text in texts.items()}
    return {path: objects for path, objects in loaded.items() if objects and not path.endswith("NOTES.txt")}


def test_every_environment_renders_from_the_package_by_helm_alone_as_lucity_renders_it(
    lab: Lab, tmp_path: Path
) -> None:
    ejected = package(lab, tmp_path / "out")
    clone = Clone.of(ejected / "shop.bundle", ejected / "shop")
    head = lab.ports.repositories.head("shop") or ""
    for name in ENVIRONMENTS:
        lucity = lab.ports.renderer.render(lab.ports.repositories.snapshot("shop", head), "shop", name)
        command = [sys.executable, "-c", PLAIN_HELM, str(clone.folder), name, f"shop-{name}"]
        plain = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
        rendered = manifests(json.loads(plain.stdout))
        assert rendered == manifests(dict(lucity.files))
        assert sum(map(len, rendered.values())) >= 4


@pytest.mark.skipif(shutil.which("helm") is None, reason="there is no helm on PATH")
def test_the_helm_of_a_user_renders_the_same(lab: Lab, tmp_path: Path) -> None:
    ejected = package(lab, tmp_path / "out")
    clone = Clone.of(ejected / "shop.bundle", ejected / "shop")
    head = lab.ports.repositories.head("shop") or ""
    for name in ENVIRONMENTS:
        release, own = f"shop-{name}", f"environments/{name}/values.yaml"
        command = ["helm", "template", release, "base", "-f", own, "--namespace", release]
        plain = subprocess.run(command, cwd=clone.folder, check=True, capture_output=True, text=True, timeout=60)
        lucity = lab.ports.renderer.render(lab.ports.repositories.snapshot("shop", head), "shop", name)
        expected = [one for objects in manifests(dict(lucity.files)).values() for one in objects]
        assert by_name(one for one in yaml.safe_load_all(plain.stdout) if one) == by_name(expected)


def by_name(objects: Any) -> dict[tuple[str, str], Any]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def test_the_bundle_is_the_whole_history_on_main(lab: Lab, tmp_path: Path) -> None:
    ejected = package(lab, tmp_path / "out")
    clone = Clone.of(ejected / "shop.bundle", tmp_path / "clone")
    assert git(clone.folder, "rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert clone.subjects() == lab.clone("shop", "other").subjects()
    signers = f"gpg.ssh.allowedSignersFile={ejected / 'allowed_signers'}"
    assert git(clone.folder, "-c", signers, "log", "-1", "--format=%G?") == "G"


def test_the_applications_take_the_address_of_whoever_pushes(lab: Lab, tmp_path: Path) -> None:
    gap = package(lab, tmp_path / "gap")
    address = "https://git.example.com/me/shop.git"
    named = package(lab, tmp_path / "named", f"?repoUrl={address}")
    assert sorted(path.name for path in (named / "argocd").iterdir()) == [f"{name}.yaml" for name in ENVIRONMENTS]
    for name in ENVIRONMENTS:
        path = f"argocd/{name}.yaml"
        application = yaml.safe_load((named / path).read_text())
        assert [application["kind"], application["metadata"]["name"]] == ["Application", f"shop-{name}"]
        assert application["spec"]["source"] == {
            "repoURL": address,
            "targetRevision": "main",
            "path": "base",
            "helm": {"valueFiles": [f"/environments/{name}/values.yaml"]},
        }
        assert application["spec"]["destination"]["namespace"] == f"shop-{name}"
        assert "CreateNamespace=true" in application["spec"]["syncPolicy"]["syncOptions"]
        assert (gap / path).read_text().replace("REPO_URL", address) == (named / path).read_text()
    (said,) = [line.strip() for line in (gap / "README.md").read_text().splitlines() if "sed -i" in line]
    assert said == f"sed -i 's|REPO_URL|{address}|' argocd/*.yaml"
    assert "sed -i" not in (named / "README.md").read_text()


def test_the_readme_of_the_package_works_as_it_stands(lab: Lab, tmp_path: Path) -> None:
    ejected = package(lab, tmp_path / "out")
    home = tmp_path / "home.git"
    git(tmp_path, "init", "--quiet", "--bare", str(home))
    lines = [
        line.strip() for line in (ejected / "README.md").read_text().splitlines() if line.startswith("       git ")
    ]
    for line in lines[:3]:
        git(ejected, *line.replace("https://git.example.com/me/shop.git", str(home)).split()[1:])
    assert git(home, "rev-parse", "main") == lab.ports.repositories.head("shop")


def test_strangers_unknown_projects_and_bad_addresses_are_refused(lab: Lab) -> None:
    assert asked(lab, "/eject/shop", token="nope").status_code == 401
    assert asked(lab, "/eject/nothing").status_code == 404
    for path in ("/eject/settings", "/eject/UPPER", "/eject/shop?repoUrl=https://me:secret@example.com/x.git"):
        refused = asked(lab, path)
        assert refused.status_code == 400, path
        assert "secret" not in refused.text
    assert asked(lab, "/eject/shop?repoUrl=not an address").status_code == 400
