"""Telling the outside: the event log is turned into webhook messages and reports to forges, sent until they are taken.

One process leads by a lease. It may be killed at any line: a message's id follows from what it tells, so it is queued
once, and what was claimed for sending is due again soon. Endpoints get each message at least once.
"""

import hashlib
import json
import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog

from adapters.endpoint_list import Endpoint
from adapters.judged_calls import TIMEOUT_SECONDS
from adapters.outbound import FORGE_TARGET, Delivery, DeliveryState, Message
from adapters.ports import MissingCommit, Unreachable
from adapters.records import Event
from adapters.trust import Trust
from adapters.webhook_calls import Answer, call, signature
from adapters.wiring import Ports
from gitops.times import rfc3339
from jobs import forge_reports, heads
from jobs.outbound_messages import News, news_of

SCHEDULE: Final = (5, 30, 120, 600, 1800, 3600, 7200, 14400, 28800, 28800)
"""Seconds before each further attempt: about a day in all."""
_LEASE: Final = "outbound"
_IDLE_SECONDS: Final = 1.0
_CALLS: Final = 24
_BESIDE: Final = 3
"""Calls under way to one endpoint."""
_GONE: Final = 410
_log = structlog.get_logger()
T = TypeVar("T")


def tell_until(ports: Ports, stopped: threading.Event) -> None:
    """Lead whenever nobody else does, until told to stop."""
    owner = uuid.uuid4().hex
    with ThreadPoolExecutor(_CALLS, thread_name_prefix="webhook") as calls:
        under_way: dict[Future[None], str] = {}
        while not stopped.is_set():
            with _told_if_it_fails():
                if ports.leases.acquire(_LEASE, owner, ports.settings.lease_seconds + TIMEOUT_SECONDS):
                    queue_news(ports)
                    busy = Counter(under_way.values())
                    for delivery in ports.outbound.claim(_CALLS - busy.total(), 2 * TIMEOUT_SECONDS, _BESIDE, busy):
                        under_way[calls.submit(_send, ports, delivery)] = delivery.message.endpoint
            if not under_way:
                stopped.wait(_IDLE_SECONDS)
            for done in wait(under_way, _IDLE_SECONDS, FIRST_COMPLETED).done:
                del under_way[done]
    ports.leases.release(_LEASE, owner)


@contextmanager
def _told_if_it_fails() -> Iterator[None]:
    try:
        yield
    except Unreachable as outage:
        _log.warning("webhooks wait", component=outage.component, message=str(outage))
    except Exception:  # noqa: BLE001 - a mistake of ours must not end the telling
        _log.exception("webhooks failed unexpectedly")


def _send(ports: Ports, delivery: Delivery) -> None:
    with _told_if_it_fails():
        send(ports, delivery)


def queue_news(ports: Ports) -> None:
    """Queue what the event log tells since it was last looked at. From before the first look nothing is told."""
    position = ports.outbound.position()
    if position is None:
        ports.outbound.queue(ports.events.position(), ())
        return
    page = ports.events.after(position)
    if page.gap:
        _log.warning("the event log was lost or trimmed: what it held is not told", position=position)
    if page.position == position:
        return
    endpoints = list(ports.endpoints.list().values())
    found = [message for event in page.events for message in _messages(ports, event, endpoints)]
    reports = [message for event in page.events for message in _told(ports, event, forge_reports.messages_of)]
    newest = {message.id: message for message in reports}
    ports.outbound.queue(page.position, [*found, *newest.values()])


def _messages(ports: Ports, event: Event, endpoints: Iterable[Endpoint]) -> list[Message]:
    near = [endpoint for endpoint in endpoints if endpoint.project in {None, event.project}]
    if not near:
        return []
    told = [
        (endpoint, news)
        for news in _told(ports, event, news_of)
        for endpoint in near
        if endpoint.wants(news.type, event.project)
    ]
    return [_message(endpoint, news, event) for endpoint, news in told]


def _told(ports: Ports, event: Event, read: Callable[[Ports, Event], Iterable[T]]) -> list[T]:
    """What is read of an event, once more when its commit was not here yet."""
    try:
        return list(read(ports, event))
    except MissingCommit:
        heads.current(ports, event.project)
    try:
        return list(read(ports, event))
    except MissingCommit:
        _log.warning("a commit cannot be read, so its deployments are not told", commit=event.commit)
        return []


def _message(endpoint: Endpoint, news: News, event: Event) -> Message:
    digest = hashlib.sha256(f"{endpoint.id} {news.type} {news.identity}".encode()).hexdigest()
    body = {"type": news.type, "timestamp": rfc3339(event.at), "data": news.data}
    return Message(
        f"msg_{digest[:26]}", endpoint.id, news.type, json.dumps(body, separators=(",", ":"), ensure_ascii=False)
    )


def send(ports: Ports, delivery: Delivery) -> None:
    """One attempt, and what comes of it."""
    message = delivery.message
    if message.endpoint.startswith(FORGE_TARGET):
        forge_reports.send(ports, delivery, SCHEDULE)
        return
    endpoint = ports.endpoints.list().get(message.endpoint)
    if endpoint is None:
        ports.outbound.settle(delivery, DeliveryState.FAILED, None, "the endpoint was deleted")
        return
    answer = _called(ports, endpoint, message)
    if answer.is_success:
        ports.outbound.settle(delivery, DeliveryState.DELIVERED, answer.status, None)
    elif answer.status == _GONE or delivery.attempts > len(SCHEDULE):
        ports.outbound.settle(delivery, DeliveryState.FAILED, answer.status, answer.error)
    else:
        pause = SCHEDULE[delivery.attempts - 1] * random.uniform(0.9, 1.1)  # noqa: S311 - jitter, not a secret
        ports.outbound.settle(delivery, DeliveryState.PENDING, answer.status, answer.error, pause)


def _called(ports: Ports, endpoint: Endpoint, message: Message) -> Answer:
    """What came of a call; an endpoint whose secret cannot be read is not called."""
    try:
        secrets = ports.endpoints.signing(endpoint.id)
    except Unreachable as outage:
        return Answer(None, str(outage))
    body, moment = message.body.encode(), int(datetime.now(UTC).timestamp())
    headers = {
        "webhook-id": message.id,
        "webhook-timestamp": str(moment),
        "webhook-signature": signature(message.id, moment, body, secrets),
        "user-agent": "Lucity",
    }
    settings = ports.settings
    return call(endpoint.url, headers, body, local=settings.allow_local_sources, trust=Trust.of(settings))
