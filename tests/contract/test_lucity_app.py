"""Chart lucity-app: what it makes of values, judged by Kubernetes' own types."""

from collections.abc import Iterator
from typing import Any

import pytest

from gitops.problems import Refused
from tests.support.kubernetes_models import faults
from tests.support.rendering import DIGEST, FULL, Shop, container, pod


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("helm") / "scratch")
    yield shop
    shop.renderer.close()


def message(shop: Shop, service: dict[str, Any], **values: Any) -> str:
    with pytest.raises(Refused) as refused:
        shop.service(service, **values)
    return refused.value.problem.message


def test_kubernetes_takes_every_object(shop: Shop) -> None:
    objects = shop.objects(FULL)
    assert {found["kind"] for found in objects} == {
        "Deployment", "Service", "HorizontalPodAutoscaler", "Ingress", "HTTPRoute", "CronJob", "ConfigMap",
        "ServiceAccount",
    }  # fmt: skip
    assert [fault for found in objects for fault in faults(found)] == []


def test_an_unknown_field_and_a_wrong_type_would_be_found(shop: Shop) -> None:
    deployment = shop.service({})["Deployment"]
    assert faults(deployment) == []
    deployment["spec"]["template"]["spec"]["containers"][0]["imagePulPolicy"] = "Always"
    (found,) = faults(deployment)
    assert "containers.0.imagePulPolicy" in found
    deployment["spec"]["replicas"] = "one"
    assert "spec.replicas" in faults(deployment)[0]


def test_no_two_objects_of_a_kind_have_one_name(shop: Shop) -> None:
    names = [(found["kind"], found["metadata"]["name"]) for found in shop.objects(FULL)]
    assert len(names) == len(set(names))


def test_everything_carries_the_labels(shop: Shop) -> None:
    objects = shop.objects(FULL, {"ephemeral": True})
    labels = [found["metadata"]["labels"] for found in objects]
    labels += [found["spec"]["template"]["metadata"]["labels"] for found in objects if found["kind"] == "Deployment"]
    for found in labels:
        assert found["lucity.dev/project"] == "shop"
        assert found["lucity.dev/environment"] == "dev"
        assert found["lucity.dev/ephemeral"] == "true"
        assert found["lucity.dev/service"] == found["app.kubernetes.io/name"]
        assert found["app.kubernetes.io/instance"] == "shop-dev"
        assert {f"app.kubernetes.io/{name}" for name in ("component", "part-of", "managed-by")} <= set(found)


def test_a_service_without_repository_or_image_version_is_not_rendered(shop: Shop) -> None:
    services = {"a": {"image": {"repository": "r/a"}, "port": 1}, "b": {"image": {"tag": "1"}}, "c": {}, "d": None}
    assert shop.objects({"services": services}) == []


@pytest.mark.parametrize("tag", ["1234567", "12e4567", "0x1F", "no", "1_000", "2026-11-23", "a" * 128, "v1_", "_x"])
def test_a_tag_arrives_as_written_and_makes_a_valid_label(shop: Shop, tag: str) -> None:
    objects = shop.service({"image": {"repository": "r/api", "tag": tag}})
    assert container(objects)["image"] == f"r/api:{tag}"
    assert faults(objects["Deployment"]) == []


def test_an_image_goes_by_its_digest(shop: Shop) -> None:
    assert container(shop.service({"image": {"repository": "r/a", "digest": DIGEST}}))["image"] == f"r/a@{DIGEST}"
    both = {"repository": "r/a", "tag": "x", "digest": DIGEST}
    assert container(shop.service({"image": both}))["image"] == f"r/a:x@{DIGEST}"


def test_selectors_do_not_change_with_the_version(shop: Shop) -> None:
    one = shop.service({"port": 1, "image": {"repository": "r/a", "tag": "1"}})
    two = shop.service({"port": 1, "image": {"repository": "r/b", "tag": "2"}})
    assert one["Deployment"]["spec"]["selector"] == two["Deployment"]["spec"]["selector"]
    assert one["Service"]["spec"]["selector"] == one["Deployment"]["spec"]["selector"]["matchLabels"]


def test_replicas_are_left_to_the_autoscaler(shop: Shop) -> None:
    assert shop.service({"replicas": 3})["Deployment"]["spec"]["replicas"] == 3
    assert shop.service({})["Deployment"]["spec"]["replicas"] == 1
    scaled = shop.service({"replicas": 3, "autoscaling": {"maxReplicas": 5}})
    assert "replicas" not in scaled["Deployment"]["spec"]
    assert scaled["HorizontalPodAutoscaler"]["spec"]["metrics"][0]["resource"]["name"] == "cpu"


def test_restarted_at_stands_on_the_pods(shop: Shop) -> None:
    annotations = pod(shop.service({"restartedAt": "2026-11-23T12:00:00Z"}))["metadata"]["annotations"]
    assert annotations["lucity.dev/restarted-at"] == "2026-11-23T12:00:00Z"


def test_a_stuck_rollout_is_reported_after_two_minutes(shop: Shop) -> None:
    assert shop.service({})["Deployment"]["spec"]["progressDeadlineSeconds"] == 120


def test_pods_meet_the_restricted_security_standard(shop: Shop) -> None:
    objects = shop.service({"securityContext": {"runAsUser": 1000710000}})
    spec = pod(objects)["spec"]
    assert spec["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000710000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container(objects)["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container(objects)["securityContext"]["allowPrivilegeEscalation"] is False
    assert spec["automountServiceAccountToken"] is False
    assert objects["ServiceAccount"]["automountServiceAccountToken"] is False


def test_a_port_makes_a_service_and_a_readiness_probe_that_can_be_switched_off(shop: Shop) -> None:
    objects = shop.service({"port": 8080})
    assert objects["Service"]["spec"]["ports"][0]["port"] == 8080
    assert container(objects)["readinessProbe"] == {"tcpSocket": {"port": 8080}}
    assert "readinessProbe" not in container(shop.service({"port": 8080, "probes": {"readiness": False}}))
    assert "Service" not in shop.service({})
    assert "readinessProbe" not in container(shop.service({}))


def test_a_probe_without_a_port_asks_the_services(shop: Shop) -> None:
    probes = {"readiness": {"httpGet": {"path": "/"}}, "liveness": {"httpGet": {"path": "/", "port": 9}}}
    found = container(shop.service({"port": 8080, "probes": probes}))
    assert found["readinessProbe"]["httpGet"] == {"path": "/", "port": 8080}
    assert found["livenessProbe"]["httpGet"] == {"path": "/", "port": 9}
    assert "services.api.probes.liveness.httpGet.port is missing" in message(
        shop, {"probes": {"liveness": {"httpGet": {"path": "/"}}}}
    )


def test_hosts_make_an_ingress_with_tls(shop: Shop) -> None:
    ingress = shop.objects(FULL)
    (spec,) = [found["spec"] for found in ingress if found["kind"] == "Ingress"]
    assert [rule["host"] for rule in spec["rules"]] == ["api.example.com", "*.example.com"]
    assert [rule["http"]["paths"][0]["path"] for rule in spec["rules"]] == ["/", "/api"]
    assert spec["tls"] == [{"hosts": ["api.example.com", "*.example.com"], "secretName": "api-tls"}]


def test_a_gateway_makes_one_route_for_each_path(shop: Shop) -> None:
    routes = [found for found in shop.objects(FULL) if found["kind"] == "HTTPRoute"]
    assert [(route["metadata"]["name"], route["spec"]["hostnames"]) for route in routes] == [
        ("web", ["a.example.com", "b.example.com"]),
        ("web.1", ["a.example.com"]),
    ]
    assert routes[1]["spec"]["parentRefs"] == [{"name": "public", "namespace": "gateways"}]
    assert routes[1]["spec"]["rules"] == [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/x"}}],
            "backendRefs": [{"name": "web", "port": 80}],
        }
    ]


def test_a_schedule_makes_a_cron_job_instead_of_a_deployment(shop: Shop) -> None:
    objects = shop.service({"schedule": "*/5 * * * *", "port": 80, "hosts": ["a.example.com"]})
    assert set(objects) == {"CronJob", "ConfigMap", "ServiceAccount"}
    spec = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    assert (spec["restartPolicy"], objects["CronJob"]["spec"]["concurrencyPolicy"]) == ("Never", "Forbid")


def test_null_counts_as_absent_in_every_place(shop: Shop) -> None:
    api = FULL["services"]["api"]
    nothing = {key: None for key in api if key != "image"}
    objects = shop.objects(FULL, {"services": {"api": nothing, "web": None, "cleanup": None, "worker": None}})
    assert [fault for found in objects for fault in faults(found)] == []
    assert {found["kind"] for found in objects} == {"ConfigMap", "Deployment", "ServiceAccount"}
    (deployment,) = [found for found in objects if found["kind"] == "Deployment"]
    assert deployment["spec"]["replicas"] == 1
    limits = {"services": {"api": {"resources": {"limits": {"memory": None}}}}}
    (deployment,) = [
        found
        for found in shop.objects(FULL, limits)
        if (found["kind"], found["metadata"]["name"]) == ("Deployment", "api")
    ]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {"nvidia.com/gpu": "1"}


def test_an_environment_that_does_not_say_its_name_is_refused(shop: Shop) -> None:
    with pytest.raises(Refused, match=r"lucity-app\.environment is missing"):
        shop.objects(FULL, {"environment": None})
