"""Chart lucity: which values it takes, what it says of others, and that the command renders what the library does."""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.installing import (
    CHART,
    LEAST,
    LOCAL,
    RELEASE,
    Installation,
    merged,
    named,
    variables,
)
from tests.support.real_tools import real_tool

_INFORMATION = 1


def test_what_is_missing_is_said_at_once_with_what_makes_it(chart: Installation) -> None:
    said = chart.refusal({"cluster": {"access": "kubeconfig"}, "httpRoute": {"enabled": True}})
    lines = {line.strip().split(":")[0] for line in said.splitlines() if line.startswith("  - ")}
    assert lines == {
        "- image.repository",
        "- publicUrl",
        "- redis.existingSecret",
        "- keys.existingSecret",
        "- git.softserve.sshUrl",
        "- git.softserve.httpUrl",
        "- git.softserve.adminKey.existingSecret",
        "- delivery.argocd.url",
        "- delivery.argocd.token.existingSecret",
        "- cluster.kubeconfig.existingSecret",
        "- httpRoute.parentRefs",
    }
    assert "kubectl --namespace delivery create secret generic lucity-keys --from-file=token=token" in said


def test_the_local_git_host_needs_a_shared_volume_and_soft_serve_none(chart: Installation) -> None:
    assert "storage.shared.enabled" in chart.refusal(merged(LEAST, {"git": {"host": "local"}}))
    assert named(chart.objects(), "PersistentVolumeClaim") == {}
    objects = chart.objects(LOCAL)
    (claim,) = named(objects, "PersistentVolumeClaim").values()
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    for deployment in named(objects, "Deployment").values():
        pod = deployment["spec"]["template"]["spec"]
        volumes = {volume["name"]: volume for volume in pod["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]
        mounts = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
        assert {mounts[f"/data/{cache}"] for cache in ("mirrors", "history", "scratch")} == {"caches"}
        assert "LUCITY_SOFTSERVE_SSH_URL" not in variables(deployment)


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ({"publicUrl": "lucity.example.com"}, "publicUrl"),
        ({"git": {"host": "github"}}, "git"),
        ({"settings": {"LUCITY_REDIS_URL": "redis://:secret@redis"}}, "LUCITY_REDIS_URL"),
        ({"settings": {"LUCITY_TESTING": "true"}}, "LUCITY_TESTING"),
        ({"settings": {"LUCITY_BATCH_LIMIT": 5}}, "LUCITY_BATCH_LIMIT"),
        ({"aip": {}}, "aip"),
        ({"observer": {"autoscaling": {"enabled": True}}}, "autoscaling"),
        ({"redis": {"url": "redis://:secret@redis"}}, "url"),
    ],
)
def test_values_that_mean_nothing_are_refused(chart: Installation, values: dict[str, Any], word: str) -> None:
    assert word in chart.refusal(merged(LEAST, values))


def test_every_value_is_in_the_schema_and_every_one_of_the_schema_has_a_default(chart: Installation) -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["properties"]) - {"global"} == {
        line.split(":")[0] for line in (CHART / "values.yaml").read_text().splitlines() if re.match("[a-z]", line)
    }
    assert chart.answer(LEAST)["files"]


def test_the_notes_say_how_to_get_in_and_what_is_kept_nowhere(chart: Installation) -> None:
    notes = chart.notes({})
    assert "exec deployment/lucity-api -- lucity token create" in notes
    assert "storage.shared is off" in notes
    assert "storage.shared is off" not in chart.notes(LOCAL)


def test_helm_finds_nothing_to_complain_of() -> None:
    script = "import helm_python, json, sys; print(json.dumps(helm_python.lint(*map(json.loads, sys.argv[1:]))))"
    command = [sys.executable, "-c", script, json.dumps(str(CHART)), json.dumps(LEAST)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    findings = [found for found in json.loads(done.stdout)["messages"] if found["severity"] > _INFORMATION]
    assert findings == []


def test_the_helm_command_renders_the_same(chart: Installation, tmp_path: Path) -> None:
    """Arguments of the command are those of docs/operations.md."""
    helm = real_tool("helm")
    values = tmp_path / "values.yaml"
    values.write_text(yaml.safe_dump(merged(LEAST, LOCAL)))
    given = ["--namespace", RELEASE["namespace"], "--values", str(values)]
    run([helm, "lint", "--strict", CHART, *given])
    text = run([helm, "template", RELEASE["name"], CHART, *given, "--kube-version", "1.31.0"])
    said = [one for one in yaml.safe_load_all(text) if one]
    assert sorted(said, key=_place) == sorted(chart.objects(LOCAL), key=_place)


def _place(manifest: dict[str, Any]) -> tuple[str, str]:
    return manifest["kind"], manifest["metadata"]["name"]


def run(command: Sequence[str | Path]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
