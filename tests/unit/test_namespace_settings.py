"""What settings put into every namespace; a mistake in them stops the start."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from adapters.namespace_guards import guards
from adapters.settings import Settings
from cli.configuration import read_settings
from cli.failures import StartFailed

OPERATIONS = Path(__file__).parents[2] / "docs" / "operations.md"


def specs(**given: Any) -> dict[str, Any]:
    return {guard.kind: guard.spec for guard in guards(Settings.model_validate(given))}


def test_nothing_is_put_into_a_namespace_that_settings_leave_out() -> None:
    assert specs(namespace_quota={}, container_requests={}, namespace_network="open") == {
        "ResourceQuota": None,
        "LimitRange": None,
        "NetworkPolicy": None,
    }


def test_every_amount_of_the_default_quota_has_a_default_request() -> None:
    found = specs()
    amounts = {name.removeprefix("requests.") for name in found["ResourceQuota"]["hard"] if "." in name}
    assert amounts == set(found["LimitRange"]["limits"][0]["defaultRequest"])


def test_a_closed_network_lets_pods_of_the_namespace_and_name_resolution_pass_only() -> None:
    policy = specs()["NetworkPolicy"]
    assert policy["ingress"] == [{"from": [{"podSelector": {}}]}]
    within, dns = policy["egress"]
    assert within == {"to": [{"podSelector": {}}]}
    assert {(port["port"], port["protocol"]) for port in dns["ports"]} == {(53, "UDP"), (53, "TCP")}


@pytest.mark.parametrize(
    "given",
    [
        {"namespace_quota": {"pods": "many"}},
        {"container_limits": {"memory": "1 Gi"}},
        {"namespace_egress_to": ["example.com"]},
        {"namespace_network": "shut"},
    ],
)
def test_a_setting_that_kubernetes_would_refuse_is_refused_at_the_start(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate(given)


def test_every_setting_that_the_kubernetes_section_names_exists() -> None:
    section = OPERATIONS.read_text().split("\n## Kubernetes\n")[1].split("\n## ")[0]
    named = set(re.findall(r"LUCITY_([A-Z_]+)", section))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}


def test_a_kubeconfig_that_is_not_there_stops_the_start_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match=r"LUCITY_KUBECONFIG=.*/nowhere cannot be used"):
        read_settings({"data": tmp_path, "kubeconfig": str(tmp_path / "nowhere")})
