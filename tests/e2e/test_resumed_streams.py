"""Subscriptions cut at every event and resumed by cursor: no gap, no double; a cursor that means nothing any more."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import pytest

from tests.support.product import Product, product
from tests.support.streams import Subscribe, over_sse, over_websocket

DEPLOYS = 5
FIELDS = ("projectEvents", "environmentStatus", "job", "rollout")
WAYS = pytest.mark.parametrize("subscribe", [over_websocket, over_sse], ids=["websocket", "sse"])


@dataclass(frozen=True)
class Followed:
    """A subscription that can be written with a cursor, and what of its items tells one from another."""

    field: str
    arguments: str
    selection: str
    complete: bool = False
    """It completes by itself."""

    def query(self, after: str | None) -> str:
        given = f'{self.arguments}, after: "{after}"' if after else self.arguments
        return f"subscription {{ {self.field}({given}) {{ cursor gap at {self.selection} }} }}"


@dataclass
class Shop:
    """A project in which a little has happened, and the cursor from before that."""

    lucity: Product
    start: str
    job: str
    sha: str

    def deployed(self) -> str:
        """The commit of a further deploy."""
        (job,) = self.lucity.asks.succeeded(self.lucity.asks.deploy("shop", "api", f"more-{secrets.token_hex(4)}"))
        return str(job["commit"]["sha"])

    def followed(self, field: str) -> Followed:
        project = 'project: "shop"'
        place = f'{project}, environment: "development"'
        return {
            "projectEvents": Followed(
                field, project, "kind job { id state } commit { sha } status { sync revision } deployment { id }"
            ),
            "environmentStatus": Followed(field, place, "status { sync health revision }"),
            "job": Followed(field, f'id: "{self.job}"', "job { state steps { name state } }", complete=True),
            "rollout": Followed(field, f'{place}, commit: "{self.sha}"', "rollout { phase final }", complete=True),
        }[field]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with product(tmp_path_factory.mktemp("streams") / "data") as lucity:
        lucity.found("shop")
        with over_websocket(lucity.up, 'subscription { projectEvents(project: "shop") { cursor } }') as items:
            start = next(items)["cursor"]
        jobs = [lucity.asks.succeeded(lucity.asks.deploy("shop", "api", f"v{number}"))[0] for number in range(DEPLOYS)]
        sha = jobs[-1]["commit"]["sha"]
        with over_sse(lucity.up, Shop(lucity, start, "", sha).followed("rollout").query(None)) as items:
            assert list(items)[-1]["rollout"] == {"phase": "SYNCED", "final": True}
        yield Shop(lucity, start, jobs[-1]["id"], sha)


def past(shop: Shop, followed: Followed, subscribe: Subscribe) -> list[dict[str, Any]]:
    """All that has happened since the start; a stream without an end is read up to a change made for that."""
    with subscribe(shop.lucity.up, followed.query(shop.start)) as items:
        if followed.complete:
            return list(items)
        return next_until(items, shop.deployed())


def next_until(items: Iterator[dict[str, Any]], revision: str) -> list[dict[str, Any]]:
    """The next items, up to the status at this revision."""
    found = []
    for item in items:
        found.append(item)
        if (item.get("status") or {}).get("revision") == revision:
            return found
    raise AssertionError(f"the stream ended before {revision}")


@WAYS
@pytest.mark.parametrize("field", FIELDS)
def test_a_stream_cut_after_every_item_and_resumed_has_no_gap_and_no_double(
    shop: Shop, field: str, subscribe: Subscribe
) -> None:
    followed = shop.followed(field)
    whole = past(shop, followed, subscribe)
    assert len(whole) >= 2
    assert not any(item["gap"] for item in whole)
    assert len({item["cursor"] for item in whole}) == len(whole)
    after: str | None = shop.start
    resumed = []
    for _ in whole:
        with subscribe(shop.lucity.up, followed.query(after)) as items:
            item = next(items)
        resumed.append(item)
        after = item["cursor"]
    assert resumed == whole
    if followed.complete:
        with subscribe(shop.lucity.up, followed.query(after)) as items:
            assert list(items) == []
            assert items.error == ""


@WAYS
def test_a_live_stream_cut_after_every_item_sees_what_one_that_stayed_sees(shop: Shop, subscribe: Subscribe) -> None:
    followed = shop.followed("projectEvents")
    with subscribe(shop.lucity.up, followed.query(None)) as staying:
        after = next(staying)["cursor"]
        jobs = [shop.lucity.asks.deploy("shop", "api", f"live-{number}") for number in range(3)]
        seen: list[dict[str, Any]] = []
        while sum(1 for item in seen if item["kind"] == "JOB" and item["job"]["state"] == "SUCCEEDED") < len(jobs):
            with subscribe(shop.lucity.up, followed.query(after)) as items:
                item = next(items)
            seen.append(item)
            after = item["cursor"]
        assert list(islice(staying, len(seen))) == seen


def assert_one_gap(shop: Shop, followed: Followed, subscribe: Subscribe, cursor: str) -> None:
    """The present state as a gap, once, and then what follows, or the end."""
    epoch = shop.start.partition(".")[0]
    with subscribe(shop.lucity.up, followed.query(cursor)) as items:
        first = next(items)
        assert first["gap"] is True
        assert first["cursor"].startswith(epoch)
        match followed.field:
            case "job":
                assert first["job"]["state"] == "SUCCEEDED"
                assert list(items) == []
            case "rollout":
                assert first["rollout"]["final"] is True
                assert list(items) == []
            case _:
                following = next_until(items, shop.deployed())
                assert not any(item["gap"] for item in following)
                with subscribe(shop.lucity.up, followed.query(first["cursor"])) as again:
                    assert [next(again) for _ in following] == following


@WAYS
@pytest.mark.parametrize("field", FIELDS)
def test_a_cursor_of_another_log_is_a_gap(shop: Shop, field: str, subscribe: Subscribe) -> None:
    sequence = shop.start.partition(".")[2]
    assert_one_gap(shop, shop.followed(field), subscribe, f"0123456789abcdef.{sequence}")


@WAYS
@pytest.mark.parametrize("field", FIELDS)
def test_a_cursor_ahead_of_the_log_is_a_gap(shop: Shop, field: str, subscribe: Subscribe) -> None:
    epoch = shop.start.partition(".")[0]
    assert_one_gap(shop, shop.followed(field), subscribe, f"{epoch}.999999")


def test_a_trimmed_cursor_is_a_gap(shop: Shop) -> None:
    with shop.lucity.valkey() as client:
        client.xtrim("lucity:events", maxlen=1, approximate=False)
    # What the API still holds in memory it may tell: a new one knows only the log.
    shop.lucity.restart_api()
    for field in FIELDS:
        for subscribe in (over_websocket, over_sse):
            assert_one_gap(shop, shop.followed(field), subscribe, shop.start)
