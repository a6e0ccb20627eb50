"""How Argo CD reads repositories of the local host: by tokens that clone one project each."""

import pytest

from adapters.reading import ReadingByToken, forget
from adapters.tokens import TokenRejected
from gitops.changes import Actor, ActorKind
from tests.fakes import FakeSecrets
from tests.support.tokens import World

BASE = "https://lucity.example.org/git"
FORMER = "argocd-git-token"
LUCITY = Actor("lucity", "Lucity", "lucity@localhost", ActorKind.AUTOMATION)


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture
def secrets() -> FakeSecrets:
    return FakeSecrets()


def reading(world: World, secrets: FakeSecrets) -> ReadingByToken:
    return ReadingByToken(BASE, world.tokens(), secrets)


def test_each_project_has_a_token_of_its_own_that_clones_it_and_is_listed_as_that(
    world: World, secrets: FakeSecrets
) -> None:
    read = reading(world, secrets)
    url, user, shop = read("shop")
    assert (url, user) == (f"{BASE}/gitops/shop.git", "argocd")
    blog = read("blog")[2]
    actors = [world.tokens().verify(token)[0] for token in (shop, blog)]
    assert [(actor.kind, actor.clones) for actor in actors] == [
        (ActorKind.AUTOMATION, "shop"),
        (ActorKind.AUTOMATION, "blog"),
    ]
    listed = {record.name: record.clones for record in world.tokens().list()}
    assert listed == {"Argo CD, clones shop": "shop", "Argo CD, clones blog": "blog"}


def test_another_process_takes_the_token_that_is_there(world: World, secrets: FakeSecrets) -> None:
    assert reading(world, secrets)("shop") == reading(world, secrets)("shop")
    assert len(world.tokens().list()) == 1


def test_after_a_revocation_the_next_one_is_made(world: World, secrets: FakeSecrets) -> None:
    first = reading(world, secrets)("shop")[2]
    actor, _ = world.tokens().verify(first)
    world.tokens().revoke(actor, actor.id)
    fresh = reading(world, secrets)("shop")[2]
    assert fresh != first
    assert world.tokens().verify(fresh)[0].clones == "shop"


def test_tokens_of_a_project_that_is_gone_are_ended_and_of_no_other(world: World, secrets: FakeSecrets) -> None:
    tokens = world.tokens()
    _, lost = tokens.issue(None, "Argo CD, clones shop", "argocd@localhost", ActorKind.AUTOMATION, clones="shop")
    shop, blog = (reading(world, secrets)(project)[2] for project in ("shop", "blog"))
    for _ in range(2):
        forget(tokens, secrets, LUCITY, "shop")
    for ended in (shop, lost):
        with pytest.raises(TokenRejected, match="revoked"):
            world.tokens().verify(ended)
    assert world.tokens().verify(blog)[0].clones == "blog"
    again = reading(world, secrets)("shop")[2]
    assert world.tokens().verify(again)[0].clones == "shop"


def test_the_former_token_that_could_push_is_ended_once_there_is_a_better_one(
    world: World, secrets: FakeSecrets
) -> None:
    _, former = world.tokens().issue(None, "Argo CD", "argocd@localhost", ActorKind.AUTOMATION)
    secrets.put(FORMER, former.encode())
    reading(world, secrets)("shop")
    assert secrets.get(FORMER) is None
    with pytest.raises(TokenRejected, match="revoked"):
        world.tokens().verify(former)


def test_a_former_token_that_means_nothing_any_more_is_forgotten(world: World, secrets: FakeSecrets) -> None:
    secrets.put(FORMER, b"lct_nothing")
    assert reading(world, secrets)("shop")[2].startswith("lct_")
    assert secrets.get(FORMER) is None


def test_a_session_of_a_token_that_clones_does_no_more(world: World) -> None:
    actor = Actor("tok_1", "Argo CD", "argocd@localhost", ActorKind.AUTOMATION, clones="shop")
    assert world.tokens().verify(world.tokens().session(actor, 60))[0] == actor
