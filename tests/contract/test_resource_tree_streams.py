"""resourceTree as query and subscription, over real Git, a real Valkey, and Argo CD as its fake plays it."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.argocd import ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, FixedToken
from adapters.argocd_tree_watch import ArgoCdTrees
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.environments import DeleteEnvironment
from gitops.operations.projects import CreateProject, DeleteProject
from gitops.operations.services import AddService
from tests.support.argocd_state import TOKEN, FakeArgoCd
from tests.support.argocd_trees import Body, altered, recorded_tree, recorded_trees
from tests.support.fake_argocd import fake_argocd
from tests.support.graphql_lab import Api, Stream, with_api
from tests.support.lab import Lab, make_lab
from tests.support.shown_trees import NAME, degraded, has, healths, listened
from tests.support.valkey import ValkeyServer
from tests.support.waiting import until

NODE = "uid parentUids group version kind namespace name health message images createdAt"
QUERY = f"""query Q($environment: String = "development") {{
    environment(project: "shop", name: $environment) {{ resourceTree {{ {NODE} }} }} }}"""
TREE = f"""subscription T($environment: String = "development") {{
    resourceTree(project: "shop", environment: $environment) {{ at nodes {{ {NODE} }} }} }}"""


@pytest.fixture
def fake() -> Iterator[FakeArgoCd]:
    with fake_argocd() as started:
        yield started


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer, fake: FakeArgoCd) -> Iterator[Lab]:
    """A project in two environments, and Argo CD with what was recorded of one."""
    settings = {"delivery": "argocd", "argocd_url": fake.url, "argocd_token": TOKEN, "argocd_git_url": "http://git"}
    with closing(make_lab(tmp_path, valkey.url, **settings)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development", "staging")))
        has(fake)
        yield lab
        assert isinstance(lab.ports.delivery, ArgoCdDelivery)
        lab.ports.delivery.close()


def test_a_tree_is_read_when_it_is_asked_for(shop: Lab) -> None:
    async def story(api: Api) -> None:
        nodes = {node["uid"]: node for node in (await api.data(QUERY))["environment"]["resourceTree"]}
        pod = next(node for node in nodes.values() if node["kind"] == "Pod")
        above = nodes[pod["parentUids"][0]]
        top = nodes[above["parentUids"][0]]
        assert [above["kind"], top["kind"], top["parentUids"]] == ["ReplicaSet", "Deployment", []]
        assert pod["images"] == ["registry.local/api:f000001"]
        assert (pod["namespace"], pod["health"], pod["message"]) == ("myapp-development", "HEALTHY", None)
        assert pod["createdAt"] == "2026-11-23T02:42:15Z"
        assert {node["health"] for node in nodes.values() if node["kind"] == "Endpoints"} == {None}

    with_api(shop, story)


def test_before_there_is_an_application_the_tree_is_empty(shop: Lab, fake: FakeArgoCd) -> None:
    fake.applications.clear()

    async def story(api: Api) -> None:
        assert (await api.data(QUERY))["environment"]["resourceTree"] == []

    with_api(shop, story)


def test_a_delivery_that_is_away_is_null_and_nulls_nothing_else(shop: Lab, fake: FakeArgoCd) -> None:
    fake.broken = (502, "text/html", b"<html>Bad Gateway</html>")
    query = 'query { environment(project: "shop", name: "development") { name resourceTree { uid } } }'

    async def story(api: Api) -> None:
        assert (await api.data(query))["environment"] == {"name": "development", "resourceTree": None}

    with_api(shop, story)


def test_the_present_tree_comes_first_and_then_every_other_one(shop: Lab, fake: FakeArgoCd) -> None:
    trees = recorded_trees()
    fake.trees.change(NAME, trees[0])

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            first = await stream.next()
            assert len(first["nodes"]) == len(trees[0]["nodes"])
            for tree in (trees[1], trees[3], trees[-1]):
                await listened(fake)
                fake.trees.put(NAME, tree)
                item = await stream.next()
                assert len(item["nodes"]) == len(tree["nodes"])
                assert item["at"] > first["at"]

    with_api(shop, story)


def test_equal_trees_are_no_event(shop: Lab, fake: FakeArgoCd) -> None:
    def ticked(node: Body) -> None:
        node["resourceVersion"], node["info"] = "99999", []

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            await stream.next()
            await listened(fake)
            for kind in ("Pod", "Deployment", "ReplicaSet"):
                fake.trees.read.clear()
                fake.trees.put(NAME, altered(recorded_tree(), kind, ticked))
                await until(lambda: fake.trees.read, "the tree to be read again")
            fake.trees.put(NAME, altered(recorded_tree(), "Pod", degraded))
            assert healths(await stream.next()) == ["DEGRADED", "DEGRADED"]

    with_api(shop, story)


def test_what_falls_between_the_look_and_the_stream_is_found(shop: Lab, fake: FakeArgoCd) -> None:
    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            await stream.next()
            fake.trees.change(NAME, altered(recorded_tree(), "Pod", degraded))
            assert healths(await stream.next()) == ["DEGRADED", "DEGRADED"]

    with_api(shop, story)


def test_an_outage_is_outlived_and_what_changed_in_it_is_told(shop: Lab, fake: FakeArgoCd) -> None:
    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            await stream.next()
            await listened(fake)
            fake.broken = (502, "text/html", b"<html>Bad Gateway</html>")
            fake.trees.tell(NAME, b'data: {"result": {"nod')
            fake.trees.end()
            await until(lambda: not fake.trees.streams(NAME), "the stream to be over")
            fake.trees.change(NAME, altered(recorded_tree(), "Pod", degraded))
            fake.broken = None
            assert healths(await stream.next()) == ["DEGRADED", "DEGRADED"]
            await listened(fake)
            fake.trees.put(NAME, recorded_tree())
            assert healths(await stream.next()) == ["HEALTHY", "HEALTHY"]

    with_api(shop, story)


def test_a_subscription_in_an_outage_begins_when_it_is_over(shop: Lab, fake: FakeArgoCd) -> None:
    fake.broken = (504, "text/html", b"<html>Gateway Timeout</html>")

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            first = asyncio.ensure_future(stream.next())
            await until(lambda: fake.turned_away, "a request that is turned away")
            fake.broken = None
            assert healths(await first) == ["HEALTHY", "HEALTHY"]

    with_api(shop, story)


def test_a_stream_that_is_silent_is_opened_again_and_the_tree_read(shop: Lab, fake: FakeArgoCd) -> None:
    opened = ArgoCdApi(fake.url, FixedToken(TOKEN))
    quick = ArgoCdTrees(opened, "argocd", silence_seconds=0.3)
    fake.trees.mute = True

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            await stream.next()
            await until(lambda: len(fake.trees.opened) > 1, "another stream")
            fake.trees.put(NAME, altered(recorded_tree(), "Pod", degraded))
            assert healths(await stream.next()) == ["DEGRADED", "DEGRADED"]

    with closing(opened):
        with_api(replace(shop, ports=replace(shop.ports, trees=quick)), story)


def test_an_application_that_comes_later_is_told(shop: Lab, fake: FakeArgoCd) -> None:
    fake.applications.clear()

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            assert (await stream.next())["nodes"] == []
            has(fake)
            assert healths(await stream.next()) == ["HEALTHY", "HEALTHY"]

    with_api(shop, story)


def test_many_subscribers_share_one_stream_which_ends_with_the_last(shop: Lab, fake: FakeArgoCd) -> None:
    async def story(api: Api) -> None:
        async with AsyncExitStack() as stack:
            streams: list[Stream] = [await stack.enter_async_context(api.stream(TREE)) for _ in range(20)]
            first = [await stream.next() for stream in streams]
            assert {item["at"] for item in first} == {first[0]["at"]}
            await listened(fake)
            fake.trees.put(NAME, altered(recorded_tree(), "Pod", degraded))
            assert {tuple(healths(await stream.next())) for stream in streams} == {("DEGRADED", "DEGRADED")}
            assert fake.trees.opened == [NAME]
            assert fake.trees.streams(NAME) == 1
        await until(lambda: not fake.trees.streams(NAME), "the stream to be over")
        async with api.stream(TREE) as stream:
            assert healths(await stream.next()) == ["DEGRADED", "DEGRADED"]
            await until(lambda: fake.trees.opened == [NAME, NAME], "a new stream")

    with_api(shop, story)


def test_a_late_subscriber_gets_the_newest_tree_only(shop: Lab, fake: FakeArgoCd) -> None:
    async def story(api: Api) -> None:
        async with api.stream(TREE) as quick, api.stream(TREE) as slow:
            await quick.next()
            await slow.next()
            await listened(fake)
            for alter in (degraded, lambda node: node.pop("health")):
                fake.trees.put(NAME, altered(recorded_tree(), "Pod", alter))
                await quick.next()
            assert {node["health"] for node in (await slow.next())["nodes"] if node["kind"] == "Pod"} == {None}

    with_api(shop, story)


def test_environments_have_streams_of_their_own(shop: Lab, fake: FakeArgoCd) -> None:
    has(fake, "staging")

    async def story(api: Api) -> None:
        async with api.stream(TREE) as one, api.stream(TREE, environment="staging") as other:
            await one.next()
            await other.next()
            await listened(fake, "shop-staging")
            fake.trees.put("shop-staging", altered(recorded_tree(), "Pod", degraded))
            assert healths(await other.next()) == ["DEGRADED", "DEGRADED"]
            fake.trees.put(NAME, altered(recorded_tree(), "Deployment", degraded))
            assert healths(await one.next()) == ["HEALTHY", "HEALTHY"]

    with_api(shop, story)


def test_it_completes_when_its_environment_is_deleted_and_not_when_another_is(shop: Lab, fake: FakeArgoCd) -> None:
    has(fake, "staging")

    async def story(api: Api) -> None:
        async with api.stream(TREE) as stays, api.stream(TREE, environment="staging") as ends:
            await stays.next()
            await ends.next()
            await asyncio.to_thread(api.lab.settle, DeleteEnvironment("shop", "staging", confirm="staging"))
            await ends.rest()
            await until(lambda: not fake.trees.streams("shop-staging"), "its stream to be over")
            await listened(fake)
            fake.trees.put(NAME, altered(recorded_tree(), "Pod", degraded))
            assert healths(await stays.next()) == ["DEGRADED", "DEGRADED"]
        async with api.stream(TREE, environment="staging") as stream:
            assert await stream.failure() == "NOT_FOUND"

    with_api(shop, story)


def test_it_completes_when_its_project_is_deleted(shop: Lab) -> None:
    async def story(api: Api) -> None:
        async with api.stream(TREE) as stream:
            await stream.next()
            await asyncio.to_thread(api.lab.settle, DeleteProject("shop", "shop"))
            await stream.rest()

    with_api(shop, story)


@pytest.mark.parametrize(("environment", "code"), [("nowhere", "NOT_FOUND"), ("No Name", "BAD_USER_INPUT")])
def test_an_environment_that_is_none_is_an_error(shop: Lab, environment: str, code: str) -> None:
    async def story(api: Api) -> None:
        async with api.stream(TREE, environment=environment) as stream:
            assert await stream.failure() == code

    with_api(shop, story)


def test_the_local_delivery_shows_what_it_rendered(tmp_path: Path, valkey: ValkeyServer) -> None:
    async def story(api: Api) -> None:
        with api.lab.observer():
            async with api.stream(TREE) as stream:
                item = await stream.next()
                change = Deploy("shop", "development", (ServiceImage("api", "a1b2c3d"),))
                await asyncio.to_thread(api.lab.carry, change)
                while not any(node["images"] == ["registry.local/api:a1b2c3d"] for node in item["nodes"]):
                    item = await stream.next()
            assert {node["health"] for node in item["nodes"]} == {"UNKNOWN"}
            assert {node["kind"] for node in item["nodes"]} >= {"Deployment", "Service"}
            assert {tuple(node["parentUids"]) for node in item["nodes"]} == {()}
            shown = (await api.data(QUERY))["environment"]["resourceTree"]
            assert shown == item["nodes"]

    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development",)))
        lab.carry(AddService("shop", "api", "registry.local/api", port=8080))
        with_api(lab, story)
