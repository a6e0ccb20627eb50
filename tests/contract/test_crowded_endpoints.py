"""Endpoints that do not answer, and those beside them."""

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest

from adapters.outbound import Delivery, Message
from jobs.outbound import tell_until
from tests.support.lab import ANN, Lab, make_lab
from tests.support.valkey import ValkeyServer
from tests.support.webhook_receiver import Receiver


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, allow_local_sources=True)) as made:
        made.flush()
        yield made


def messages(endpoint: str, number: int) -> list[Message]:
    return [Message(f"msg_{endpoint}_{each:03}", endpoint, "job.failed", "{}") for each in range(number)]


def endpoints(claimed: Sequence[Delivery]) -> list[str]:
    return [each.message.endpoint for each in claimed]


def test_an_endpoint_has_so_many_calls_under_way_and_no_more(lab: Lab) -> None:
    outbound = lab.ports.outbound
    outbound.queue("p", [*messages("whe_a", 5), *messages("whe_b", 1)])
    assert endpoints(outbound.claim(10, 60, 3)) == ["whe_a"] * 3 + ["whe_b"]
    assert endpoints(outbound.claim(10, 60, 3, {"whe_a": 3})) == []
    assert endpoints(outbound.claim(10, 60, 3, {"whe_a": 2})) == ["whe_a"]


def test_whoever_waits_behind_thousands_is_reached(lab: Lab) -> None:
    outbound = lab.ports.outbound
    outbound.queue("p", messages("whe_a", 900))
    outbound.queue("p", messages("whe_b", 1))
    found = [endpoints(outbound.claim(10, 60, 3, {"whe_a": 3})) for _ in range(3)]
    assert ["whe_b"] in found


def test_an_endpoint_that_does_not_answer_holds_up_nobody_else(lab: Lab, taker: Receiver) -> None:
    stopped = threading.Event()
    thread = threading.Thread(target=tell_until, args=(lab.ports, stopped), daemon=True)
    with socket.create_server(("127.0.0.1", 0), backlog=100) as silent:
        dead, _ = lab.ports.endpoints.create(ANN, f"http://127.0.0.1:{silent.getsockname()[1]}/", (), None)
        other, _ = lab.ports.endpoints.create(ANN, taker.url(), (), None)
        lab.ports.outbound.queue(lab.ports.events.position(), [*messages(dead.id, 40), *messages(other.id, 5)])
        thread.start()
        try:
            lab.wait("all for the other", lambda: len(taker.calls) >= 5 or None)
            waiting, _ = lab.ports.outbound.page(dead.id, 100, None)
            assert {each.error for each in waiting} == {None}
        finally:
            stopped.set()
    thread.join(30)
    assert not thread.is_alive()
