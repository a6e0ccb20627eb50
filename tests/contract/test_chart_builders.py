"""Builders in chart lucity: what they may do, that it is enough, and what it takes to have them."""

import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.support.building import builder
from tests.support.installing import BUILDER, LEAST, LOCAL, OPTIONS, Installation, merged, named

ROOT = Path(__file__).parents[2]
OPTIONS_WITH_BUILDERS = [name for name, values in OPTIONS.items() if "builder" in values]
BUILDS = """
import shutil, sys
from pathlib import Path
from adapters.ports import Stopped
from tests.support.building import BUSYBOX, Log, begun, builder, never, order
data, mark = Path(sys.argv[1]), sys.argv[2]
made, log = builder(data / "builds"), Log()
run = "RUN mkdir /d && touch /d/x && chown 5 /d /d/x && chmod 1700 /d && echo one was built\\n"
made.build(order(data / "one", BUSYBOX + run), log, never)
try:
    made.build(order(data / "two", BUSYBOX + f"RUN sleep {mark}\\n"), log, begun(f"sleep\\0{mark}"))
except Stopped:
    log("stdout", "one was stopped")
for cache in (data / "builds").iterdir():
    shutil.rmtree(cache)
print(log.text)
"""


def pod_of(chart: Installation, values: dict[str, Any]) -> dict[str, Any]:
    """The builder's."""
    pod: dict[str, Any] = named(chart.objects(values), "Deployment")["builder"]["spec"]["template"]["spec"]
    return pod


@pytest.mark.parametrize("option", OPTIONS_WITH_BUILDERS)
def test_a_builder_is_restricted_but_for_what_confining_builds_takes(chart: Installation, option: str) -> None:
    pod = pod_of(chart, OPTIONS[option])
    assert pod["securityContext"] == {
        "runAsNonRoot": False,
        "runAsUser": 0,
        "runAsGroup": 0,
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
    }
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": True,
        "readOnlyRootFilesystem": True,
        "capabilities": {
            "drop": ["ALL"],
            "add": ["CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SYS_ADMIN"],
        },
    }
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
    assert not [volume for volume in pod["volumes"] if "hostPath" in volume]


def test_what_a_builder_is_allowed_is_enough_for_builds(chart: Installation, tmp_path: Path) -> None:
    """With its capabilities, no other ones, and a read-only root, as its container has them."""
    builder(tmp_path / "probe")
    data, mark = tmp_path / "data", f"4{uuid.uuid4().int % 10**12}"
    data.mkdir()
    allowed = pod_of(chart, BUILDER)["containers"][0]["securityContext"]["capabilities"]["add"]
    bound = ",".join(["-all", *(f"+{name.lower()}" for name in allowed)])
    read_only = f"mount --make-rprivate / && mount --bind {data} {data} && mount -o remount,bind,ro / && exec"
    limited = ["setpriv", f"--bounding-set={bound}", "--inh-caps=-all", sys.executable, "-B", "-c", BUILDS]
    command = ["unshare", "--mount", "sh", "-c", f"{read_only} {shlex.join([*limited, str(data), mark])}"]
    variables = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=variables)
    assert done.returncode == 0, done.stdout + done.stderr
    assert {"one was built", "one was stopped"} <= set(done.stdout.splitlines())
    assert list((data / "builds").iterdir()) == []


def test_builders_are_there_when_they_are_asked_for_and_share_no_volume(chart: Installation) -> None:
    assert "builder" not in named(chart.objects(), "Deployment")
    for option, image, storage in (
        ("builders", "registry.example.com/lucity-builder:0.1.0", {"emptyDir": {"sizeLimit": "64Gi"}}),
        ("builders beside a volume", "registry.example.com/lucity-builder:0.1.0", {"emptyDir": {"sizeLimit": "64Gi"}}),
        ("builders of one's own", "example.com/builder@sha256:" + "b" * 64, None),
    ):
        builder = named(chart.objects(OPTIONS[option]), "Deployment")["builder"]
        pod = builder["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert (container["image"], container["args"]) == (image, ["builder"])
        volumes = {volume.pop("name"): volume for volume in pod["volumes"]}
        assert not [volume for volume in volumes.values() if "persistentVolumeClaim" in volume]
        assert [mount["name"] for mount in container["volumeMounts"]] == ["data", "temporary", "secrets"]
        if storage is None:
            claim = volumes["data"]["ephemeral"]["volumeClaimTemplate"]["spec"]
            assert (claim["storageClassName"], claim["resources"]["requests"]["storage"]) == ("fast", "100Gi")
        else:
            assert volumes["data"] == storage
    said = chart.refusal(merged(LEAST, {"builder": {"enabled": True}, **LOCAL}))
    lines = {line.strip().split(":")[0] for line in said.splitlines() if line.startswith("  - ")}
    assert lines == {"- registry.address", "- git.host", "- secrets.in"}


def test_nobody_calls_a_builder_and_it_calls_what_it_is_given(chart: Installation) -> None:
    given = merged(OPTIONS["network"], OPTIONS["builders of one's own"])
    policies = {name: one["spec"] for name, one in named(chart.objects(given), "NetworkPolicy").items()}
    assert "ingress" not in policies["builder"]
    assert policies["builder"]["policyTypes"] == ["Ingress", "Egress"]
    wanted = [*policies["worker"]["egress"], *OPTIONS["builders of one's own"]["builder"]["egress"]]
    assert policies["builder"]["egress"] == wanted
    free = named(chart.objects(BUILDER), "NetworkPolicy")["builder"]["spec"]
    assert (free["policyTypes"], "ingress" in free) == (["Ingress"], False)


def test_a_builder_may_read_secrets_and_nothing_else_in_the_cluster(chart: Installation) -> None:
    objects = chart.objects(BUILDER)
    account = named(objects, "Deployment")["builder"]["spec"]["template"]["spec"]["serviceAccountName"]
    bindings = [one for one in objects if one["kind"] in {"RoleBinding", "ClusterRoleBinding"}]
    (binding,) = [one for one in bindings if account in {subject["name"] for subject in one["subjects"]}]
    assert (binding["kind"], binding["roleRef"]["kind"]) == ("RoleBinding", "Role")
    roles = {one["metadata"]["name"]: one["rules"] for one in objects if one["kind"] == "Role"}
    assert roles[binding["roleRef"]["name"]] == [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}]
