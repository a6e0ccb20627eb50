"""The tree of an environment's objects, over both transports of a running Lucity."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from tests.support.product import Product, product
from tests.support.streams import Stream, Subscribe, over_sse, over_websocket

WAYS = pytest.mark.parametrize("subscribe", [over_websocket, over_sse], ids=["websocket", "sse"])
TREE = 'subscription { resourceTree(project: "shop", environment: "%s") { at nodes { kind name uid images } } }'
TOKEN = """mutation ($name: String!) { result: createToken(input: {name: $name, email: "watcher@example.org"}) {
  ... on IssuedToken { secret token { id } } } }"""
_numbers = count(1)


@dataclass(frozen=True)
class Watcher:
    """Somebody with a token of their own."""

    url: str
    token: str
    id: str


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("trees") / "data") as lucity:
        lucity.found("shop")
        yield lucity


@pytest.fixture
def watcher(shop: Product) -> Watcher:
    issued = shop.asks.insist(TOKEN, {"name": f"watcher-{next(_numbers)}"})["result"]
    return Watcher(shop.up.url, issued["secret"], issued["token"]["id"])


def showing(stream: Stream, image: str) -> dict[str, Any]:
    """The first tree in which this image stands."""
    return next(item for item in stream if any(image in node["images"] for node in item["nodes"]))


@WAYS
def test_a_tree_is_streamed_as_it_is_and_whenever_it_is_another(shop: Product, subscribe: Subscribe) -> None:
    with subscribe(shop.up, TREE % "development") as stream:
        first = next(stream)
        tag = f"v{next(_numbers)}"
        shop.asks.succeeded(shop.asks.deploy("shop", "api", tag))
        shown = showing(stream, f"registry.example.com/shop/api:{tag}")
    assert shown["at"] > first["at"]
    query = '{ environment(project: "shop", name: "development") { resourceTree { kind name uid images } } }'
    assert shop.asks.insist(query)["environment"]["resourceTree"] == shown["nodes"]


@WAYS
def test_a_revoked_token_ends_its_trees(shop: Product, watcher: Watcher, subscribe: Subscribe) -> None:
    with subscribe(watcher, TREE % "development") as stream:
        next(stream)
        shop.asks.insist("mutation ($id: ID!) { revokeToken(id: $id) { __typename } }", {"id": watcher.id})
        assert list(stream) == []
    assert stream.error == "UNAUTHENTICATED"


@WAYS
def test_a_deleted_environment_completes_its_trees(shop: Product, subscribe: Subscribe) -> None:
    name = f"pr-{next(_numbers)}"
    given = {"project": "shop", "name": name}
    shop.asks.succeeded(shop.asks.change("createEnvironment", **given, **{"from": "development"}))
    with subscribe(shop.up, TREE % name) as stream:
        next(stream)
        shop.asks.succeeded(shop.asks.change("deleteEnvironment", **given, confirm=name))
        assert [item["nodes"] for item in stream if item["nodes"]] == []
    assert stream.error == ""


@WAYS
def test_an_environment_that_is_none_has_no_tree(shop: Product, subscribe: Subscribe) -> None:
    with subscribe(shop.up, TREE % "nowhere") as stream:
        assert list(stream) == []
    assert stream.error == "NOT_FOUND"
