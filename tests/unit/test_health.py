"""Checks of components: what they say, and who is asked."""

import asyncio
import json
from functools import partial

import pytest
from starlette.requests import Request

from adapters.ports import Unreachable
from adapters.probes import Probe, cluster_probe, registry_probe
from api.health import Readiness, checks_by
from tests.fakes import FakeCluster, FakeRegistry


def test_a_component_left_out_is_not_asked() -> None:
    asked: list[str] = []

    def probe(name: str) -> str:
        asked.append(name)
        return ""

    checks = checks_by({"redis": partial(probe, "redis"), "git": partial(probe, "git")})
    assert [check.name for check in checks(["git", "unheard of"])] == ["redis"]
    assert asked == ["redis"]
    assert [check.name for check in checks()] == ["redis", "git"]


@pytest.mark.parametrize(("away", "status"), [("registry", 200), ("git", 503)])
def test_a_registry_that_is_away_is_shown_and_leaves_the_rest_ready(away: str, status: int) -> None:
    outage = FakeRegistry(outage="it does not answer")
    probes: dict[str, Probe] = {"git": lambda: "", "registry": lambda: "", away: partial(registry_probe, outage)}
    request = Request({"type": "http", "query_string": b"", "headers": []})
    answer = asyncio.run(Readiness(checks_by(probes)).answer(request))
    assert answer.status_code == status
    shown = {one["name"]: one["message"] for one in json.loads(bytes(answer.body))["components"]}
    assert shown == {"git": None, "registry": None, away: "it does not answer"}


def test_a_cluster_that_is_away_is_named_and_leaves_the_rest_ready() -> None:
    cluster = FakeCluster()
    checks = checks_by({"cluster": partial(cluster_probe, cluster)})
    assert [(check.name, check.healthy) for check in checks()] == [("cluster", True)]
    cluster.outage = "the Kubernetes API does not answer"
    answer = asyncio.run(Readiness(checks).answer(Request({"type": "http", "query_string": b"", "headers": []})))
    (shown,) = json.loads(bytes(answer.body))["components"]
    assert (answer.status_code, shown["healthy"], shown["message"]) == (200, False, cluster.outage)


def test_a_registry_that_refuses_our_login_is_not_healthy() -> None:
    refusing = FakeRegistry(refusal="it does not let us in")
    found = checks_by({"registry": partial(registry_probe, refusing)})()
    assert [(check.healthy, check.message) for check in found] == [(False, "it does not let us in")]


def test_a_probe_that_fails_is_a_component_that_is_not_ready() -> None:
    def unreachable() -> str:
        raise Unreachable("git", "it does not answer")

    def mistaken() -> str:
        raise RuntimeError("boom")

    found = checks_by({"git": unreachable, "disk": mistaken, "redis": lambda: ""})()
    assert [(check.name, check.healthy, check.message) for check in found] == [
        ("git", False, "it does not answer"),
        ("disk", False, "the check itself failed: RuntimeError"),
        ("redis", True, None),
    ]
