"""The logs of a service from the pods of a real cluster."""

from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from typing import Any

from tests.support.realshop import Shop
from tests.support.realstack import Stack
from tests.support.streams import over_websocket


def say(text: str) -> None:
    """Every container writes a line."""
    at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
    with (Stack.found().folder / "pod.log").open("a") as log:
        log.write(f"{at} stdout F {text}\n")


def pods_that_said(lines: Iterator[dict[str, Any]], text: str, count: int, others: Collection[str] = ()) -> set[str]:
    """The first so many pods, besides others, that said it."""
    pods: set[str] = set()
    for line in lines:
        if line["text"] == text:
            assert line["container"] == "api"
            pods |= {line["pod"]} - set(others)
        if len(pods) == count:
            return pods
    raise AssertionError(f"the stream ended: {text} was said by {pods}")


def test_the_log_follows_all_pods_and_those_that_take_their_place(shop: Shop) -> None:
    shop.ends(shop.deploy("api", "a000001"), "DEPLOYED")
    place = f'project: "{shop.name}", environment: "development", service: "api"'
    query = f"subscription {{ serviceLog({place}, tail: 1) {{ pod container text }} }}"
    with over_websocket(shop.up, query) as stream:
        next(stream)
        say("one")
        (first,) = pods_that_said(stream, "one", 1)
        scaled = shop.change("scale", project=shop.name, environment="development", service="api", replicas=2)
        shop.ends(scaled["commit"]["sha"], "DEPLOYED")
        say("two")
        pods = pods_that_said(stream, "two", 2)
        assert first in pods
        shop.ends(shop.deploy("api", "a000002"), "DEPLOYED")
        say("three")
        pods_that_said(stream, "three", 2, pods)
        shop.change("removeService", project=shop.name, name="api")
        list(stream)
    assert stream.error == ""
