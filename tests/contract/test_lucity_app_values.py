"""Chart lucity-app: variables arrive as they are written, and wrong values are refused by name."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitops.problems import Refused
from tests.support.rendering import Shop, container, pod


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    shop = Shop(tmp_path_factory.mktemp("helm") / "scratch")
    yield shop
    shop.renderer.close()


def message(shop: Shop, service: dict[str, Any], **values: Any) -> str:
    with pytest.raises(Refused) as refused:
        shop.service(service, **values)
    return refused.value.problem.message


def test_pods_restart_when_a_variable_changes_and_only_then(shop: Shop) -> None:
    def checksum(service: dict[str, Any], **shared: Any) -> str:
        found: str = pod(shop.service(service, variables=shared))["metadata"]["annotations"]["checksum/variables"]
        return found

    before = checksum({"variables": {"A": "1"}}, B="2")
    assert before == checksum({"variables": {"A": "1"}, "replicas": 4}, B="2")
    assert before == checksum({"variables": {"A": "1", "B": "2"}})
    assert before != checksum({"variables": {"A": "2"}}, B="2")
    assert before != checksum({"variables": {"A": {"secret": "a", "key": "a"}}}, B="2")


def test_a_services_variable_beats_the_shared_one_wherever_the_two_are_written(shop: Shop) -> None:
    image = {"repository": "r/api", "tag": "1"}
    base = {"services": {"api": {"image": image, "variables": {"A": "service in base"}}}, "variables": {"B": "base"}}
    objects = shop.objects(base, {"variables": {"A": "shared in environment", "B": "environment", "C": "new"}})
    (data,) = [found["data"] for found in objects if found["kind"] == "ConfigMap"]
    assert data == {"A": "service in base", "B": "environment", "C": "new"}


def test_null_in_the_environment_removes_a_variable(shop: Shop) -> None:
    api = {"image": {"repository": "r/api", "tag": "1"}, "variables": {"A": "1", "B": "2"}}
    objects = shop.objects(
        {"services": {"api": api}, "variables": {"C": "3"}},
        {"variables": {"C": None}, "services": {"api": {"variables": {"A": None}}}},
    )
    assert [found["data"] for found in objects if found["kind"] == "ConfigMap"] == [{"B": "2"}]


def test_a_literal_replaces_a_secret_and_the_other_way_round(shop: Shop) -> None:
    secret = {"secret": "db", "key": "url"}
    literal = shop.service({"variables": {"A": "text"}}, variables={"A": secret})
    assert literal["ConfigMap"]["data"] == {"A": "text"}
    assert "env" not in container(literal)
    hidden = shop.service({"variables": {"A": secret}}, variables={"A": "text"})
    assert not hidden["ConfigMap"]["data"]
    assert container(hidden)["env"] == [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "url"}}}]


@pytest.mark.parametrize(
    "value",
    ["", " ", 'a"b\'c', "a\nb\n", "{{ .Values }}", "$(A) ${B} $$", "é 🚀 \u2028\x7f\x85",
     "no", "x" * 65536, "\t- a: b #"]
)  # fmt: skip
def test_a_variable_arrives_literally(shop: Shop, value: str) -> None:
    assert shop.variables({"variables": {"A": value}}) == {"A": value}


@settings(max_examples=50)
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_arrives_literally(shop: Shop, value: str) -> None:
    assert shop.variables({"variables": {"A": value}}) == {"A": value}


@pytest.mark.parametrize(
    ("service", "words"),
    [
        ({"port": "80"}, "at '/services/api/port': got string, want null or integer"),
        ({"image": {"tag": 1234567}}, "at '/services/api/image/tag': got number, want null or string"),
        ({"replicas": 1.5}, "at '/services/api/replicas': got number, want null or integer"),
        ({"replica": 1}, "at '/services/api': additional properties 'replica' not allowed"),
        ({"variables": {"A": 1}}, "at '/services/api/variables/A': got number, want null or string or object"),
        ({"variables": {"A": {"secret": "db"}}}, "at '/services/api/variables/A': missing property 'key'"),
        ({"command": "run"}, "at '/services/api/command': got string, want null or array"),
        ({"hosts": [1]}, "at '/services/api/hosts/0': got number, want string or object"),
        ({"port": 80, "hosts": ["a-.example.com"]}, "at '/services/api/hosts/0'"),
        ({"image": {"tag": "x" * 129}}, "at '/services/api/image/tag'"),
        ({"image": {"digest": "sha512:" + "a" * 64}}, "at '/services/api/image/digest'"),
        ({"probes": {"ready": {}}}, "at '/services/api/probes': additional properties 'ready' not allowed"),
        ({"securityContext": {"runAsUser": 0}}, "at '/services/api/securityContext/runAsUser'"),
        ({"hosts": ["a.example.com"]}, "services.api.hosts: a service with hosts needs a port"),
        ({"autoscaling": {"minReplicas": 1}}, "services.api.autoscaling.maxReplicas is missing"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_by_name(shop: Shop, service: dict[str, Any], words: str) -> None:
    assert words in message(shop, service)


@pytest.mark.parametrize("name", ["API", "a_b", "a--b", "a-", "-a", "1a", "a" * 31])
def test_a_wrong_service_name_is_refused(shop: Shop, name: str) -> None:
    with pytest.raises(Refused, match=name):
        shop.objects({"services": {name: {}}})


@pytest.mark.parametrize(
    "image",
    [
        {"tag": "x" * 128},
        {"digest": "sha256:" + "a" * 64},
        {"digest": "sha512:" + "a" * 128},
        {"tag": "1", "digest": ""},
    ],
)
def test_every_tag_and_digest_of_a_registry_is_accepted(shop: Shop, image: dict[str, str]) -> None:
    image = {"repository": "r/api", **image}
    found = container(shop.service({"image": image}))["image"]
    assert found.endswith(image.get("digest") or image["tag"])


def test_an_unknown_key_at_the_top_is_refused(shop: Shop) -> None:
    assert "additional properties 'servces' not allowed" in message(shop, {}, servces={})
