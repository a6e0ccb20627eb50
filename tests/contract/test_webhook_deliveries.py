"""Events told to the outside: real Git, a real Valkey, a real HTTP server that takes them."""

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from adapters.endpoint_list import Endpoint, parse, render
from adapters.endpoints import ROTATION
from adapters.outbound import DeliveryState, Message
from gitops.changes import ActorKind
from gitops.operations import AddService, CreateProject, Deploy, ServiceImage
from gitops.problems import Refused
from jobs.outbound import queue_news, send, tell_until
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab, make_lab
from tests.support.valkey import ValkeyServer
from tests.support.webhook_receiver import Receiver, is_signed_by

ROBOT = replace(ANN, id="tok_robot", name="ci", email="ci@example.org", kind=ActorKind.AUTOMATION)


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, allow_local_sources=True)) as made:
        made.flush()
        yield made


def endpoint(lab: Lab, url: str, *events: str, project: str | None = None) -> tuple[Endpoint, str]:
    """A new endpoint and its secret, from whose making on everything is told."""
    made = lab.ports.endpoints.create(ANN, url, events, project)
    queue_news(lab.ports)
    return made


def shop(lab: Lab) -> None:
    """A project with a service that is deployed."""
    lab.settle(CreateProject("shop", ("development",)))
    lab.carry(AddService("shop", "api", "registry.example.com/api"))
    lab.carry(Deploy("shop", "development", (ServiceImage("api", "a1"),)))


def tell(lab: Lab) -> None:
    """Queue what is new, and send what is due, once."""
    queue_news(lab.ports)
    while due := lab.ports.outbound.claim(100, 60):
        for delivery in due:
            send(lab.ports, delivery)


def types(taker: Receiver) -> list[str]:
    return [json.loads(each.body)["type"] for each in taker.calls]


def told(lab: Lab, taker: Receiver) -> list[str]:
    """What was sent so far, with all that is due now."""
    tell(lab)
    return types(taker)


def test_jobs_deployments_and_rollouts_are_told_signed_and_once(lab: Lab, taker: Receiver) -> None:
    _, secret = endpoint(lab, taker.url())
    shop(lab)
    with lab.observer():
        lab.wait("a rollout's news", lambda: any("rollout" in each for each in told(lab, taker)) or None)
    assert {"job.queued", "job.succeeded", "deployment.created"} <= set(types(taker))
    assert all(is_signed_by(secret, each) for each in taker.calls)
    ids = [each.headers["webhook-id"] for each in taker.calls]
    assert len(ids) == len(set(ids))
    deployed = next(json.loads(each.body) for each in taker.calls if b"deployment.created" in each.body)
    assert deployed["data"]["image"] == "registry.example.com/api:a1"
    assert (deployed["data"]["environment"], deployed["data"]["author"]["name"]) == ("development", "Ann")


def test_an_endpoint_gets_what_it_asked_for(lab: Lab, taker: Receiver) -> None:
    endpoint(lab, taker.url(), "deployment", "job.failed", project="shop")
    endpoint(lab, taker.url(), project="other")
    shop(lab)
    tell(lab)
    assert types(taker) == ["deployment.created"]


def test_what_is_not_taken_is_sent_again_later(lab: Lab, taker: Receiver) -> None:
    made, _ = endpoint(lab, taker.url(), "deployment")
    taker.answers["/hook"] = 503
    shop(lab)
    tell(lab)
    (waiting,), _ = lab.ports.outbound.page(made.id, 10, None)
    assert (waiting.state, waiting.status, waiting.attempts) == (DeliveryState.PENDING, 503, 1)
    assert waiting.next_at is not None
    assert waiting.next_at > waiting.created_at + timedelta(seconds=4)
    taker.answers["/hook"] = 204
    assert lab.ports.outbound.again(waiting.message.id)
    tell(lab)
    (taken,), _ = lab.ports.outbound.page(made.id, 10, None)
    assert (taken.state, taken.status, taken.error) == (DeliveryState.DELIVERED, 204, None)
    assert taker.calls[0].headers["webhook-id"] == taker.calls[1].headers["webhook-id"]


def test_a_message_is_given_up_after_a_day_or_when_the_endpoint_is_gone(lab: Lab, taker: Receiver) -> None:
    made, _ = endpoint(lab, taker.url(), "deployment")
    shop(lab)
    taker.answers["/hook"] = 500
    queue_news(lab.ports)
    for _ in range(11):
        (due,) = lab.ports.outbound.claim(10, 0)
        send(lab.ports, due)
        lab.redis.zadd("lucity:outbound:due", {due.message.id: 0}, xx=True)
    (given_up,), _ = lab.ports.outbound.page(made.id, 10, None)
    assert (given_up.state, given_up.attempts) == (DeliveryState.FAILED, 11)
    taker.answers["/hook"] = 410
    lab.ports.outbound.again(given_up.message.id)
    tell(lab)
    assert lab.ports.outbound.page(made.id, 10, None)[0][0].state is DeliveryState.FAILED


def test_a_redirect_is_not_followed(lab: Lab, taker: Receiver) -> None:
    made, _ = endpoint(lab, taker.url(), "deployment")
    taker.answers["/hook"] = 307
    shop(lab)
    tell(lab)
    assert len(taker.calls) == 1
    assert "redirect" in (lab.ports.outbound.page(made.id, 10, None)[0][0].error or "")


def test_for_a_day_after_rotation_both_secrets_sign(lab: Lab, taker: Receiver) -> None:
    made, former = endpoint(lab, taker.url(), "deployment")
    _, secret = lab.ports.endpoints.rotate(made.id)
    shop(lab)
    tell(lab)
    assert is_signed_by(former, taker.calls[0])
    assert is_signed_by(secret, taker.calls[0])
    later = lab.ports.endpoints.files.clock() + ROTATION + timedelta(seconds=1)
    files = replace(lab.ports.endpoints.files, clock=lambda: later)
    assert replace(lab.ports.endpoints, files=files).signing(made.id) == (secret,)


def test_a_lost_secret_is_an_attempt_that_failed_and_nobody_elses_trouble(lab: Lab, taker: Receiver) -> None:
    (broken, _), _ = endpoint(lab, taker.url(), "deployment"), endpoint(lab, taker.url("/other"), "deployment")
    lab.ports.secrets.delete(f"webhooks.{broken.id}")
    shop(lab)
    tell(lab)
    (waiting,), _ = lab.ports.outbound.page(broken.id, 10, None)
    assert (waiting.state, waiting.status, waiting.attempts) == (DeliveryState.PENDING, None, 1)
    assert "rotate it" in (waiting.error or "")
    assert len(taker.calls) == 1


def test_a_teller_that_dies_at_any_moment_tells_everything_once_queued(lab: Lab, taker: Receiver) -> None:
    made, _ = endpoint(lab, taker.url(), "deployment")
    before = lab.ports.outbound.position()
    assert before is not None
    shop(lab)
    queue_news(lab.ports)
    lab.ports.outbound.queue(before, ())  # as if the teller had died before it moved its position
    queue_news(lab.ports)
    assert len(lab.ports.outbound.page(made.id, 10, None)[0]) == 1
    assert lab.ports.outbound.claim(10, 0)  # claimed by one that dies before it sends
    tell(lab)
    assert len(taker.calls) == 1


def test_what_was_deleted_gets_nothing_more(lab: Lab, taker: Receiver) -> None:
    made, _ = endpoint(lab, taker.url(), "deployment")
    shop(lab)
    queue_news(lab.ports)
    lab.ports.endpoints.delete(ANN, made.id)
    tell(lab)
    assert taker.calls == []
    assert lab.ports.secrets.get(f"webhooks.{made.id}") is None


def test_a_teller_runs_by_itself_and_stops_when_told(lab: Lab, taker: Receiver) -> None:
    stopped = threading.Event()
    thread = threading.Thread(target=tell_until, args=(lab.ports, stopped), daemon=True)
    thread.start()
    try:
        lab.wait("the first look", lab.ports.outbound.position)
        lab.ports.endpoints.create(ANN, taker.url(), ("deployment",), None)
        shop(lab)
        lab.wait("the news", lambda: taker.calls or None)
    finally:
        stopped.set()
        thread.join(10)
    assert not thread.is_alive()


def test_the_list_of_endpoints_comes_back(lab: Lab) -> None:
    made = lab.ports.endpoints.create(ANN, "https://example.org/ä?x=1", ("job", "rollout.deployed"), "shop")[0]
    assert parse(render({made.id: made})) == {made.id: made}
    assert parse(b"") == {}
    with pytest.raises(Refused):
        parse(b"endpoints: [")


def test_only_so_many_deliveries_are_kept_and_pages_follow_each_other(lab: Lab) -> None:
    outbound = lab.ports.outbound
    outbound.queue("p", [Message(f"msg_{number}", "whe_1", "job.failed", "{}") for number in range(1003)])
    found, more = outbound.page("whe_1", 2, None)
    assert ([each.message.id for each in found], more) == (["msg_1002", "msg_1001"], True)
    after, _ = outbound.page("whe_1", 1000, "msg_1001")
    assert (len(after), after[-1].message.id) == (998, "msg_3")


CREATE = """mutation($url: String!, $events: [String!], $project: String) {
  createWebhookEndpoint(input: {url: $url, events: $events, project: $project}) {
    __typename ... on IssuedWebhookEndpoint { secret endpoint { id url events projectName } }
    ... on Problem { message } ... on InvalidInput { errors { path } } } }"""
DELIVERIES = """query($id: ID!, $first: Int) { webhookEndpoints { id }
  webhookDeliveries(endpoint: $id, first: $first) {
    nodes { id type state attempts statusCode body } pageInfo { hasNextPage } } }"""


def test_people_manage_endpoints_by_api_and_see_what_was_sent(lab: Lab, taker: Receiver) -> None:
    async def story(api: Api) -> None:
        made = await api.change(CREATE, url=taker.url(), events=["deployment"])
        endpoint_id = made["endpoint"]["id"]
        assert made["secret"].startswith("whsec_")
        await asyncio.to_thread(queue_news, lab.ports)
        await asyncio.to_thread(shop, lab)
        await asyncio.to_thread(tell, lab)
        seen: dict[str, Any] = await api.data(DELIVERIES, id=endpoint_id)
        (sent,) = seen["webhookDeliveries"]["nodes"]
        assert (sent["type"], sent["state"], sent["statusCode"]) == ("deployment.created", "DELIVERED", 200)
        again = await api.change("mutation($id: ID!) { redeliver(id: $id) { __typename } }", id=sent["id"])
        assert again == {"__typename": "WebhookDelivery"}
        await asyncio.to_thread(tell, lab)
        assert len(taker.calls) == 2
        rotated = await api.change(
            "mutation($id: ID!) { rotateWebhookSecret(id: $id) { ... on IssuedWebhookEndpoint { secret } } }",
            id=endpoint_id,
        )
        assert rotated["secret"] != made["secret"]
        deleted = await api.change(
            "mutation($id: ID!) { deleteWebhookEndpoint(id: $id) { __typename } }", id=endpoint_id
        )
        assert deleted == {"__typename": "WebhookEndpoint"}
        assert (await api.data("{ webhookEndpoints { id } }"))["webhookEndpoints"] == []

    with_api(lab, story)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"url": "javascript:alert(1)"}, "url"),
        ({"url": "https://example.org", "events": ["everything"]}, "events"),
        ({"url": "https://example.org", "events": ["rollout.deploied"]}, "events"),
        ({"url": "https://example.org", "project": "../x"}, "project"),
    ],
)
def test_what_is_wrong_with_an_endpoint_is_named(lab: Lab, given: dict[str, Any], path: str) -> None:
    async def story(api: Api) -> None:
        answer = await api.change(CREATE, **given)
        assert (answer["__typename"], answer["errors"][0]["path"]) == ("InvalidInput", [path])
        unknown = await api.change(CREATE, url="https://example.org", project="elsewhere")
        assert unknown["__typename"] == "NotFound"
        refusal = await api.change(CREATE, actor=ROBOT, url="https://example.org")
        assert refusal["__typename"] == "PermissionDenied"

    with_api(lab, story)
