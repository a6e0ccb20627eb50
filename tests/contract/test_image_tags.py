"""Tags of a service's image through the API, as the registry tells them."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from api.reading.tags import tags_of
from gitops.operations import AddService, CreateProject
from tests.fakes import FakeRegistry
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab, make_lab
from tests.support.valkey import valkey_server

API = "registry.test:5000/shop/api"
ALL = ["v1.10", "v1.9", "main", "b2c3d4e", "a1b2c3d"]


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    with valkey_server() as server:
        yield server.url


@pytest.fixture
def registry() -> FakeRegistry:
    registry = FakeRegistry()
    for tag in (*ALL, "src-0123456789abcdef", "src-0123456789abcdef-1234"):
        registry.put(API, tag, tag.encode())
    return registry


@pytest.fixture
def shop(tmp_path: Path, redis_url: str, registry: FakeRegistry) -> Iterator[Lab]:
    """Service api has its images in the registry, web has none there, and old has them elsewhere."""
    with closing(make_lab(tmp_path, redis_url)) as lab:
        lab.flush()
        lab.ports = replace(lab.ports, registry=registry)
        lab.settle(CreateProject("shop", ("development",)))
        images = {"api": API, "web": "registry.test:5000/shop/web", "old": "elsewhere.test/shop/old"}
        lab.carry(*(AddService("shop", name, image) for name, image in images.items()))
        yield lab


def tags(shop: Lab, arguments: str = "") -> dict[str, list[str] | None]:
    """Tags by service."""
    document = f'{{ project(name: "shop") {{ services {{ name tags{arguments} }} }} }}'

    async def ask(api: Api) -> dict[str, list[str] | None]:
        answer = await api.data(document)
        return {service["name"]: service["tags"] for service in answer["project"]["services"]}

    return with_api(shop, ask)


def test_tags_are_told_the_highest_first_without_those_of_builds(shop: Lab) -> None:
    assert tags(shop) == {"api": ALL, "web": [], "old": None}


def test_pages_follow_each_other_even_after_a_tag_that_is_gone(shop: Lab, registry: FakeRegistry) -> None:
    assert tags(shop, "(first: 2)")["api"] == ALL[:2]
    del registry.images[API]["v1.9"]
    assert tags(shop, '(first: 2, after: "v1.9")')["api"] == ALL[2:4]
    assert tags(shop, '(after: "a1b2c3d")')["api"] == []


def test_a_part_of_a_tag_finds_it(shop: Lab) -> None:
    assert tags(shop, '(contains: "V1.")')["api"] == ["v1.10", "v1.9"]
    assert tags(shop, '(contains: "C3D", first: 1)')["api"] == ["b2c3d4e"]


@pytest.mark.parametrize(("outage", "refusal"), [("it is away", None), (None, "it does not let us in")])
def test_what_cannot_be_told_is_null_and_no_error(
    shop: Lab, registry: FakeRegistry, outage: str | None, refusal: str | None
) -> None:
    registry.outage, registry.refusal = outage, refusal
    assert tags(shop) == {"api": None, "web": None, "old": None}


def test_without_a_registry_nothing_can_be_told(shop: Lab) -> None:
    shop.ports = replace(shop.ports, registry=None)
    assert tags(shop) == {"api": None, "web": None, "old": None}


def test_a_page_has_its_bounds(shop: Lab) -> None:
    document = '{ project(name: "shop") { service(name: "api") { tags(first: 101) } } }'
    assert with_api(shop, lambda api: api.code(document)) == "BAD_USER_INPUT"


def test_a_silent_registry_is_not_waited_for(shop: Lab, registry: FakeRegistry) -> None:
    released = Event()

    class Silent(FakeRegistry):
        def tags(self, repository: str) -> list[str]:
            released.wait(20)
            return [repository]

    ports = replace(shop.ports, registry=Silent(images=registry.images))
    told = tags_of(ports, [API, "elsewhere.test/a", API], 0.1)
    released.set()
    assert told == [None, None, None]
