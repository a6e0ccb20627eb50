"""Requests sent again, and requests sent without waiting for the answers to those before."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.support.agreement import assert_agreement, history
from tests.support.product import Product, product

TIMES = 50


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("repeated") / "data") as started:
        started.found("shop")
        yield started


def deploy(tag: str, key: str) -> dict[str, Any]:
    services = [{"service": "api", "tag": tag}]
    return {"project": "shop", "environment": "development", "services": services, "idempotencyKey": key}


def at_once(lucity: Product, mutation: str, **given: object) -> list[dict[str, Any]]:
    """The answers to one request, sent many times at the same time."""

    def send(_: int) -> dict[str, Any]:
        client = lucity.client()
        try:
            return client.try_change(mutation, **given)
        finally:
            client.close()

    with ThreadPoolExecutor(TIMES) as threads:
        return list(threads.map(send, range(TIMES)))


def test_the_same_key_many_times_at_once_is_one_job(lucity: Product) -> None:
    answers = at_once(lucity, "deploy", **deploy("v1", "one"))
    assert {answer["__typename"] for answer in answers} == {"Job"}
    (job_id,) = {answer["id"] for answer in answers}
    lucity.asks.succeeded(job_id)
    assert [commit.job for commit in history(lucity.repository("shop"))].count(job_id) == 1
    assert [job["id"] for job in lucity.asks.admitted("shop")].count(job_id) == 1
    assert lucity.asks.try_change("deploy", **deploy("v1", "one"))["id"] == job_id


def test_the_same_key_many_times_at_once_makes_one_project(lucity: Product) -> None:
    answers = at_once(lucity, "createProject", name="once", environments=["development"], idempotencyKey="once")
    assert {answer["__typename"] for answer in answers} == {"Job"}
    (job_id,) = {answer["id"] for answer in answers}
    lucity.asks.succeeded(job_id)
    assert [commit.job for commit in history(lucity.repository("once"))] == [job_id]


@pytest.mark.parametrize(
    ("mutation", "given"),
    [
        ("deploy", deploy("other", "used")),
        ("deploy", {**deploy("v1", "used"), "reason": "another"}),
        ("restart", {"project": "shop", "environment": "development", "services": ["api"], "idempotencyKey": "used"}),
        ("createEnvironment", {"project": "shop", "name": "other", "idempotencyKey": "used"}),
        ("createProject", {"name": "other", "idempotencyKey": "used"}),
    ],
)
def test_the_same_key_with_another_request_is_a_conflict(lucity: Product, mutation: str, given: dict[str, Any]) -> None:
    first = lucity.asks.change("deploy", **deploy("v1", "used"))
    refused = lucity.asks.try_change(mutation, **given)
    assert (refused["__typename"], refused.get("code")) == ("Conflict", "KEY_REUSED"), refused
    assert refused["job"] == {"id": first}
    lucity.asks.succeeded(first)


def test_an_environment_created_deployed_to_deleted_and_created_again_without_waiting(lucity: Product) -> None:
    asks, here = lucity.asks, {"project": "shop", "name": "pr-1"}
    ids = [
        asks.change("createEnvironment", **here, ephemeral=True),
        asks.deploy("shop", "api", "v1", "pr-1"),
        asks.change("deleteEnvironment", **here),
        asks.change("createEnvironment", **here, ephemeral=True),
        asks.deploy("shop", "api", "v2", "pr-1"),
    ]
    asks.succeeded(*ids)
    landed = [commit for commit in history(lucity.repository("shop")) if commit.job in ids]
    assert [commit.job for commit in landed] == ids
    assert [commit.subject for commit in landed] == [
        "env(create): pr-1",
        "deploy(pr-1): api v1",
        "env(delete): pr-1",
        "env(create): pr-1",
        "deploy(pr-1): api v2",
    ]
    assert_agreement(lucity.repository("shop"), asks.admitted("shop"), lucity.up.report())


def test_a_project_created_deleted_and_created_again_without_waiting(lucity: Product) -> None:
    asks = lucity.asks
    ids = [
        asks.change("createProject", name="brief", environments=["development"]),
        asks.change("addService", project="brief", name="api", image="registry.example.com/brief/api"),
        asks.deploy("brief", "api", "v1"),
        asks.change("deleteProject", name="brief", confirm="brief"),
        asks.change("createProject", name="brief", environments=["staging"]),
        asks.change("addService", project="brief", name="web", image="registry.example.com/brief/web"),
        asks.deploy("brief", "web", "v1", "staging"),
    ]
    ended = asks.ended(ids)
    assert [job["state"] for job in ended.values()] == ["SUCCEEDED"] * len(ids), ended
    assert [commit.job for commit in history(lucity.repository("brief"))] == ids[4:]
    assert len(list((lucity.up.data / "archive").glob("brief-*.bundle"))) == 1


def test_the_last_of_many_wishes_about_a_project_stands(lucity: Product) -> None:
    asks = lucity.asks
    ids = [
        asks.change("createProject", name="torn", environments=["development"]),
        asks.change("deleteProject", name="torn", confirm="torn"),
        asks.change("createProject", name="torn", environments=["development"]),
        asks.change("deleteProject", name="torn", confirm="torn"),
    ]
    ended = asks.ended(ids)
    assert [ended[ids[1]]["state"], ended[ids[3]]["state"]] == ["SUCCEEDED"] * 2, ended
    assert asks.insist('{ project(name: "torn") { name } }')["project"] is None
    assert len(list((lucity.up.data / "archive").glob("torn-*.bundle"))) == 2
