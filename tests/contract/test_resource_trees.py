"""The live objects of an environment: from Argo CD as its fake plays it, and from the local delivery."""

import asyncio
import shutil
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from adapters.argocd_http import ArgoCdApi, FixedToken, Login
from adapters.argocd_tree import parse_tree
from adapters.argocd_tree_watch import ArgoCdTrees
from adapters.local_tree import HEALTH_UNKNOWN, LocalTrees, keep_tree
from adapters.ports import Unreachable
from adapters.records import Application
from gitops.rollouts import HealthStatus
from tests.support.argocd_state import PASSWORD, TOKEN, FakeArgoCd
from tests.support.argocd_trees import recorded_tree, recorded_trees
from tests.support.fake_argocd import fake_argocd
from tests.support.waiting import until

NAME = "shop-development"
APPLICATION = Application("shop", "development", NAME, "a" * 40, ephemeral=False)
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "api"},
    "spec": {"template": {"spec": {"containers": [{"image": "registry.local/api:1"}]}}},
}
SERVICE = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "api"}}
DEADLINE_SECONDS = 30.0


@pytest.fixture
def fake() -> Iterator[FakeArgoCd]:
    with fake_argocd() as started:
        started.applications[NAME] = {"metadata": {"name": NAME}, "spec": {"project": "shop"}}
        started.trees.change(NAME, recorded_tree())
        yield started


@pytest.fixture
def trees(fake: FakeArgoCd) -> Iterator[ArgoCdTrees]:
    api = ArgoCdApi(fake.url, FixedToken(TOKEN))
    yield ArgoCdTrees(api, "argocd", silence_seconds=1.0)
    api.close()


def hearing(trees: ArgoCdTrees | LocalTrees, story: Callable[[AsyncGenerator[None, None]], Awaitable[None]]) -> None:
    """Tell a story with the bell of the environment."""

    async def run() -> None:
        async with aclosing(trees.rings("shop", "development")) as rings, asyncio.timeout(DEADLINE_SECONDS):
            await story(rings)

    asyncio.run(run())


def test_a_tree_is_what_argo_cd_shows_now(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    assert trees.tree("shop", "development") == parse_tree(recorded_tree())
    fake.trees.change(NAME, recorded_trees()[0])
    assert trees.tree("shop", "development") == parse_tree(recorded_trees()[0])


def test_what_argo_cd_does_not_have_is_no_tree(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    assert trees.tree("shop", "staging") is None
    fake.applications[NAME]["spec"]["project"] = "strangers"
    assert trees.tree("shop", "development") is None


@pytest.mark.parametrize("status", [200, 404, 502, 504])
def test_a_page_of_a_proxy_is_an_outage_and_no_empty_tree(fake: FakeArgoCd, trees: ArgoCdTrees, status: int) -> None:
    fake.broken = (status, "text/html", b"<html><h1>Gateway</h1></html>")
    with pytest.raises(Unreachable):
        trees.tree("shop", "development")

    async def story(rings: AsyncGenerator[None, None]) -> None:
        with pytest.raises(Unreachable):
            await anext(rings)

    hearing(trees, story)


def test_a_refusal_is_an_outage_that_says_so(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    fake.broken = (403, "application/json", b'{"error":"permission denied","code":7,"message":"permission denied"}')
    with pytest.raises(Unreachable, match="permission denied"):
        trees.tree("shop", "development")


def test_where_nobody_listens_there_is_no_bell() -> None:
    async def story(rings: AsyncGenerator[None, None]) -> None:
        with pytest.raises(Unreachable, match="does not answer"):
            await anext(rings)

    hearing(ArgoCdTrees(ArgoCdApi("http://127.0.0.1:1", FixedToken(TOKEN)), "argocd"), story)


def test_it_rings_at_every_change(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    async def story(rings: AsyncGenerator[None, None]) -> None:
        for tree in recorded_trees()[:3]:
            ring = asyncio.ensure_future(anext(rings))
            await until(lambda: fake.trees.streams(NAME), "a stream")
            fake.trees.put(NAME, tree)
            await ring

    hearing(trees, story)
    assert fake.trees.opened == [NAME]


def test_signs_of_life_are_no_rings(fake: FakeArgoCd) -> None:
    api = ArgoCdApi(fake.url, FixedToken(TOKEN))

    async def story(rings: AsyncGenerator[None, None]) -> None:
        ring = asyncio.ensure_future(anext(rings))
        await until(lambda: fake.trees.streams(NAME), "a stream")
        fake.trees.put(NAME, recorded_tree())
        await ring
        ring = asyncio.ensure_future(anext(rings))
        alive = fake.trees.alive
        await until(lambda: fake.trees.alive > alive + 3, "signs of life")
        assert not ring.done()
        fake.trees.put(NAME, recorded_tree())
        await ring

    hearing(ArgoCdTrees(api, "argocd"), story)
    api.close()


def test_a_frame_that_is_cut_rings_too(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    async def story(rings: AsyncGenerator[None, None]) -> None:
        ring = asyncio.ensure_future(anext(rings))
        await until(lambda: fake.trees.streams(NAME), "a stream")
        fake.trees.tell(NAME, b'data: {"result": {"nod')
        fake.trees.tell(NAME, None)
        await ring
        with pytest.raises(StopAsyncIteration):
            await anext(rings)

    hearing(trees, story)


def test_silence_ends_it_without_an_error_for_a_tree_may_be_at_rest(fake: FakeArgoCd, trees: ArgoCdTrees) -> None:
    async def story(rings: AsyncGenerator[None, None]) -> None:
        with pytest.raises(StopAsyncIteration):
            await anext(rings)

    hearing(trees, story)
    assert fake.trees.opened == [NAME]


def test_a_session_that_a_look_renewed_opens_the_stream(fake: FakeArgoCd) -> None:
    api = ArgoCdApi(fake.url, Login("admin", PASSWORD))
    trees = ArgoCdTrees(api, "argocd")
    trees.tree("shop", "development")
    fake.expire_sessions()
    trees.tree("shop", "development")

    async def story(rings: AsyncGenerator[None, None]) -> None:
        ring = asyncio.ensure_future(anext(rings))
        await until(lambda: fake.trees.streams(NAME), "a stream")
        fake.trees.put(NAME, recorded_tree())
        await ring

    hearing(trees, story)
    assert fake.logins == 2
    api.close()


@pytest.fixture
def local(tmp_path: Path) -> LocalTrees:
    folder = tmp_path / "shop" / "development"
    folder.mkdir(parents=True)
    (folder / "application.json").write_text("{}")
    return LocalTrees(tmp_path)


def test_the_local_tree_is_what_was_rendered_and_claims_nothing(local: LocalTrees, tmp_path: Path) -> None:
    assert local.tree("shop", "production") is None
    assert local.tree("shop", "development") == ()
    keep_tree(tmp_path / "shop" / "development", APPLICATION, [SERVICE, DEPLOYMENT])
    found = local.tree("shop", "development")
    assert found is not None
    assert [(one.group, one.version, one.kind, one.name, one.images) for one in found] == [
        ("", "v1", "Service", "api", ()),
        ("apps", "v1", "Deployment", "api", ("registry.local/api:1",)),
    ]
    assert {(one.namespace, one.health, one.message, one.parent_uids) for one in found} == {
        (NAME, HealthStatus.UNKNOWN, HEALTH_UNKNOWN, ())
    }


def test_a_local_uid_stays_until_the_environment_is_another(local: LocalTrees, tmp_path: Path) -> None:
    def uids(identity: str) -> list[str]:
        application = Application("shop", "development", NAME, identity, ephemeral=False)
        keep_tree(tmp_path / "shop" / "development", application, [SERVICE, DEPLOYMENT])
        return [one.uid for one in local.tree("shop", "development") or ()]

    assert uids("a" * 40) == uids("a" * 40)
    assert len({*uids("a" * 40), *uids("b" * 40)}) == 4


def test_the_local_bell_rings_at_a_render_and_at_the_end(local: LocalTrees, tmp_path: Path) -> None:
    folder = tmp_path / "shop" / "development"

    async def story(rings: AsyncGenerator[None, None]) -> None:
        ring = asyncio.ensure_future(anext(rings))
        await asyncio.sleep(0)
        keep_tree(folder, APPLICATION, [SERVICE])
        await ring
        shutil.rmtree(folder)
        await anext(rings)
        assert local.tree("shop", "development") is None

    hearing(local, story)
