"""What Argo CD says becomes our own records, and what is not understood is never good news."""

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.argocd_parse import Change, StreamBroken, parse_application, parse_frame, service_of
from adapters.records import Application
from gitops.rollouts import HealthStatus, Observation, OperationPhase, SyncStatus
from gitops.verdicts import is_render_error
from tests.support.recordings import OBSERVED_AT, frames, loaded, raw

HEAD = "f7e8f8c6f646d8afade6f36ef6c20eca039e0ad5"


def application(**status: Any) -> dict[str, Any]:
    """The recorded Application, at rest, with parts of its status replaced; None takes a part away."""
    body: dict[str, Any] = deepcopy(loaded("application.json"))
    del body["operation"]
    body["status"].pop("operationState")
    body["status"].update(status)
    body["status"] = {key: value for key, value in body["status"].items() if value is not None}
    return body


def observed(body: object) -> Observation:
    found = parse_application(body, OBSERVED_AT)
    assert found is not None
    return found.observation


def test_the_recorded_application_is_read_whole() -> None:
    found = parse_application(loaded("application.json"), OBSERVED_AT)
    assert found is not None
    assert found.application == Application("myapp", "development", "myapp-development", "", ephemeral=False)
    assert (found.uid, found.version, found.going) == ("f0a24655-3880-4a65-a2b6-76be87d29e8a", 846, False)
    said = found.observation
    assert (said.sync, said.health, said.revision) == (SyncStatus.SYNCED, HealthStatus.HEALTHY, HEAD)
    assert said.compared_at == datetime(2026, 11, 23, 2, 42, 15, tzinfo=UTC)
    assert said.images == ("registry.local/api:f000001",)
    assert [(one.kind, one.service, one.health) for one in said.resources] == [
        ("Service", "api", HealthStatus.HEALTHY),
        ("Deployment", "api", HealthStatus.HEALTHY),
    ]
    assert said.operation is not None
    assert said.operation.phase is OperationPhase.RUNNING
    assert said.operation.revision == "07ecff8902a1dca941b8039b6b38ecfc9fb1da83"
    assert said.operation.started_at == datetime(2026, 11, 23, 2, 42, 59, tzinfo=UTC)


def test_the_annotation_is_the_identity() -> None:
    body = application()
    body["metadata"]["annotations"]["lucity.dev/environment-commit"] = "a" * 40
    body["metadata"]["labels"]["lucity.dev/ephemeral"] = "true"
    found = parse_application(body, OBSERVED_AT)
    assert found is not None
    assert found.observation.identity == found.application.identity == "a" * 40
    assert found.application.ephemeral


@pytest.mark.parametrize("labels", [{}, {"lucity.dev/project": "myapp"}, {"lucity.dev/project": 7}, None, "text"])
def test_an_application_without_our_labels_is_not_ours(labels: object) -> None:
    body = application()
    body["metadata"]["labels"] = labels
    assert parse_application(body, OBSERVED_AT) is None


def test_an_application_under_another_name_is_not_ours() -> None:
    body = application()
    body["metadata"]["name"] = "copied"
    assert parse_application(body, OBSERVED_AT) is None


def test_words_that_are_new_are_unknown() -> None:
    said = observed(
        application(
            sync={"status": "Partly"},
            health={"status": "Blooming"},
            operationState={"phase": "Pondering"},
            resources=[{"kind": "Thing", "name": "api", "status": "Half", "health": {"status": "Odd"}}],
        )
    )
    assert (said.sync, said.health) == (SyncStatus.UNKNOWN, HealthStatus.UNKNOWN)
    assert said.operation is not None
    assert said.operation.phase is OperationPhase.UNKNOWN
    assert (said.resources[0].sync, said.resources[0].health) == (SyncStatus.UNKNOWN, HealthStatus.UNKNOWN)


def test_an_operation_that_was_asked_for_runs_whatever_the_last_one_did() -> None:
    body = application(operationState={"phase": "Succeeded", "syncResult": {"revision": "a" * 40}})
    body["operation"] = {"sync": {"revision": "b" * 40}}
    operation = observed(body).operation
    assert operation is not None
    assert (operation.phase, operation.revision) == (OperationPhase.RUNNING, "b" * 40)


def test_an_empty_operation_runs_too() -> None:
    body = application()
    body["operation"] = {}
    operation = observed(body).operation
    assert operation is not None
    assert operation.phase is OperationPhase.RUNNING


def test_kinds_without_a_health_have_nothing_to_be_unwell_with() -> None:
    resources = [{"version": "v1", "kind": "ConfigMap", "name": "api", "status": "Synced"}]
    said = observed(application(resources=resources, health={"status": "Degraded"}))
    assert said.resources[0].health is HealthStatus.HEALTHY


def test_a_deployment_whose_health_is_not_told_is_not_healthy() -> None:
    resources = [{"group": "apps", "version": "v1", "kind": "Deployment", "name": "api", "status": "Synced"}]
    assert observed(application(resources=resources, health={})).resources[0].health is HealthStatus.UNKNOWN
    well = observed(application(resources=resources, health={"status": "Healthy"}))
    assert well.resources[0].health is HealthStatus.HEALTHY


def test_what_could_not_be_applied_says_why() -> None:
    said = observed(
        application(
            operationState={
                "phase": "Failed",
                "message": "one or more objects failed to apply",
                "syncResult": {
                    "revision": HEAD,
                    "resources": [
                        {
                            "group": "apps",
                            "kind": "Deployment",
                            "namespace": "myapp-development",
                            "name": "api",
                            "status": "SyncFailed",
                            "message": "spec.selector: field is immutable",
                        },
                        {
                            "kind": "Service",
                            "namespace": "myapp-development",
                            "name": "api",
                            "status": "Synced",
                            "message": "service/api unchanged",
                        },
                    ],
                },
            }
        )
    )
    assert [one.message for one in said.resources] == [None, "spec.selector: field is immutable"]
    assert said.message == "one or more objects failed to apply"


def test_a_render_error_is_told_with_the_name_of_the_branch() -> None:
    last = [found for _, found in frames(raw("render-error.sse"))][-1].observation
    assert (last.sync, last.revision, last.health) == (SyncStatus.UNKNOWN, "main", HealthStatus.DEGRADED)
    assert [condition.type for condition in last.conditions] == ["ComparisonError"]
    assert is_render_error(last.conditions[0].message)
    assert last.message == last.conditions[0].message
    assert last.conditions[0].since == datetime(2026, 11, 23, 2, 41, 47, tzinfo=UTC)


def test_a_degraded_deployment_says_why() -> None:
    last = [found for _, found in frames(raw("deploy-broken-image.sse"))][-1].observation
    assert [(one.kind, one.health, one.message) for one in last.resources] == [
        ("Service", HealthStatus.HEALTHY, None),
        ("Deployment", HealthStatus.DEGRADED, 'Deployment "api" exceeded its progress deadline'),
    ]


def test_a_frame_that_was_cut_is_no_event() -> None:
    whole = raw("render-error.sse").rsplit(b"data:", 1)[1].decode()
    with pytest.raises(StreamBroken, match="not JSON"):
        parse_frame(whole, OBSERVED_AT)


def test_an_error_in_the_stream_ends_it_with_its_reason() -> None:
    with pytest.raises(StreamBroken, match="the server is shutting down"):
        parse_frame('{"error": {"code": 14, "message": "the server is shutting down"}}', OBSERVED_AT)


def test_a_kind_of_event_that_is_new_does_not_concern_us() -> None:
    frame = {"result": {"type": "BOOKMARK", "application": application()}}
    assert parse_frame(json.dumps(frame), OBSERVED_AT) is None


def test_a_deletion_is_announced_and_then_told() -> None:
    told = [(change, found.going) for change, found in frames(raw("application-deleted.sse"))]
    assert told[-1] == (Change.DELETED, True)
    assert told[-2] == (Change.PUT, True)


@pytest.mark.parametrize(
    ("group", "kind", "name", "service"),
    [
        ("apps", "Deployment", "api", "api"),
        ("", "Service", "api", "api"),
        ("gateway.networking.k8s.io", "HTTPRoute", "api", "api"),
        ("gateway.networking.k8s.io", "HTTPRoute", "api.1", "api"),
        ("gateway.networking.k8s.io", "HTTPRoute", "api.example", "api.example"),
        ("", "ConfigMap", "api.1", "api.1"),
    ],
)
def test_our_chart_names_objects_after_their_service(group: str, kind: str, name: str, service: str) -> None:
    assert service_of(group, kind, name) == service


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from(["sync", "health", "operationState", "resources", "conditions", "summary", "reconciledAt"]), JSON
)
def test_nonsense_anywhere_in_a_status_is_survived(part: str, nonsense: object) -> None:
    said = observed(application(**{part: nonsense}))
    assert said.health is HealthStatus.HEALTHY or part == "health"
