"""What forges are told of builds, deployments and previews: real Git, a real Valkey, twins of forges over HTTP."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.outbound import FORGE_TARGET, DeliveryState
from gitops.operations import CreateEnvironment, DeleteEnvironment, Promote, SetValues, UpdateProject, ValueSetting
from jobs.outbound import queue_news
from tests.fakes import FakeSources
from tests.support.fake_forge import FakeComment, FakeRepository, fake_forge
from tests.support.forged import PATH, ForgedShop, forged_shop
from tests.support.valkey import ValkeyServer

BUILD, DEVELOPMENT = "lucity/build/api", "lucity/development/api"


@pytest.fixture(params=["github", "gitlab", "gitea"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, valkey: ValkeyServer) -> Iterator[ForgedShop]:
    with fake_forge(request.param) as forge, forged_shop(tmp_path, valkey.url, forge) as made:
        yield made


@pytest.fixture
def hub(tmp_path: Path, valkey: ValkeyServer) -> Iterator[ForgedShop]:
    with fake_forge("github") as forge, forged_shop(tmp_path, valkey.url, forge) as made:
        yield made


def told(shop: ForgedShop, sha: str, context: str) -> str | None:
    found = shop.forge.repository(PATH).status(sha, context)
    return found.state if found else None


def told_after(shop: ForgedShop, sha: str, context: str) -> str | None:
    shop.tell()
    return told(shop, sha, context)


def states(shop: ForgedShop) -> list[DeliveryState]:
    return [each.state for each in shop.lab.ports.outbound.page(f"{FORGE_TARGET}shop", 50, None)[0]]


def test_a_pushed_commit_is_pending_until_it_is_built_and_runs(shop: ForgedShop) -> None:
    sha = shop.commit("1")
    shop.push(sha)
    shop.tell()
    assert (told(shop, sha, BUILD), told(shop, sha, DEVELOPMENT)) == ("pending", None)
    shop.lab.work("shop/build/api")
    shop.lab.work("shop")
    shop.tell()
    assert (told(shop, sha, BUILD), told(shop, sha, DEVELOPMENT)) == ("success", "pending")
    with shop.lab.observer():
        shop.lab.wait("the rollout to be told", lambda: told_after(shop, sha, DEVELOPMENT) == "success")
    found = shop.forge.repository(PATH).status(sha, BUILD)
    assert found is not None
    assert (found.description, found.url) == (f"build api {sha[:7]}", shop.lab.ports.settings.origin)
    assert set(states(shop)) == {DeliveryState.DELIVERED}


def test_the_same_is_told_once(hub: ForgedShop) -> None:
    sha = hub.commit("1")
    hub.push(sha)
    hub.carry()
    for _ in range(3):
        hub.tell()
    position = hub.lab.ports.events.position()
    hub.lab.ports.outbound.queue(position, ())
    said = [(one.context, one.state) for one in hub.forge.repository(PATH).told]
    assert sorted(said) == sorted(set(said))


def test_a_build_that_fails_says_why(shop: ForgedShop) -> None:
    sha = shop.commit("1")
    shop.push(sha)
    shop.lab.ports = replace(shop.lab.ports, sources=FakeSources())
    shop.carry()
    shop.tell()
    found = shop.forge.repository(PATH).status(sha, BUILD)
    assert found is not None
    assert (found.state, "no source repository" in found.description) == ("failure", True)


def test_a_build_that_was_cancelled_or_superseded_is_not_pending_for_ever(hub: ForgedShop) -> None:
    first, second = hub.commit("1"), hub.commit("2")
    cancelled = hub.commit("3")
    hub.push(first)
    hub.push(second)
    hub.carry()
    job = hub.push(cancelled).jobs[0]
    hub.lab.ports.ledger.cancel(job.id)
    hub.tell()
    assert [told(hub, sha, BUILD) for sha in (first, second, cancelled)] == ["success", "success", "error"]


def test_a_deployment_that_makes_no_commit_is_told_too(hub: ForgedShop) -> None:
    sha = hub.commit("1")
    hub.push(sha)
    hub.lab.work("shop/build/api")
    hub.tell()
    assert (told(hub, sha, BUILD), told(hub, sha, DEVELOPMENT)) == ("success", "pending")
    (deploy,) = hub.lab.ports.ledger.unfinished(["shop"])["shop"]
    hub.lab.ports.ledger.cancel(deploy.id)
    hub.tell()
    assert told(hub, sha, DEVELOPMENT) == "error"


def test_a_deployment_whose_environment_is_gone_is_not_pending_for_ever(hub: ForgedShop) -> None:
    sha = hub.commit("1")
    hub.push(sha)
    hub.carry()
    hub.lab.admit(DeleteEnvironment("shop", "development", "development"))
    hub.carry()
    hub.tell()
    assert told(hub, sha, DEVELOPMENT) == "success"


def test_a_promotion_is_told_to_the_commit_that_its_image_was_built_from(hub: ForgedShop) -> None:
    hub.lab.admit(CreateEnvironment("shop", "staging"))
    hub.lab.admit(CreateEnvironment("shop", "production"))
    ways = [{"from": "development", "to": "staging"}, {"from": "staging", "to": "production"}]
    hub.lab.admit(UpdateProject("shop", (ValueSetting("pipeline", ways),)))
    sha = hub.commit("1")
    hub.push(sha)
    hub.carry()
    hub.lab.carry(Promote("shop", "development", "staging"), Promote("shop", "staging", "production"))
    hub.tell()
    places = ("lucity/staging/api", "lucity/production/api")
    assert [told(hub, sha, context) for context in places] == ["pending", "pending"]
    with hub.lab.observer():
        for context in places:
            hub.lab.wait(f"{context} to be told", lambda about=context: told_after(hub, sha, about) == "success")  # type: ignore[misc]


def test_nothing_is_told_without_a_token(hub: ForgedShop) -> None:
    hub.lab.ports.secrets.delete("projects.shop.forge")
    hub.push(hub.commit("1"))
    hub.carry()
    hub.tell()
    assert (hub.forge.asked, states(hub)) == ([], [])


def test_what_a_forge_in_trouble_missed_it_is_told_later_as_it_is_then(hub: ForgedShop) -> None:
    sha = hub.commit("1")
    hub.forge.failing = (503, {})
    hub.push(sha)
    hub.tell()
    assert states(hub) == [DeliveryState.PENDING]
    hub.forge.failing = None
    hub.carry()
    hub.tell()
    told_of_build = [one.state for one in hub.forge.repository(PATH).told if one.context == BUILD]
    assert told_of_build == ["success"]


def test_a_forge_that_is_asked_too_much_is_left_alone_for_a_while(hub: ForgedShop) -> None:
    hub.forge.failing = (403, {"retry-after": "600"})
    hub.push(hub.commit("1"))
    hub.tell()
    asked = len(hub.forge.asked)
    hub.carry()
    hub.tell()
    hub.sweep()
    assert len(hub.forge.asked) == asked
    assert set(states(hub)) == {DeliveryState.PENDING}


def test_a_refused_token_is_not_tried_again_until_there_is_another(hub: ForgedShop) -> None:
    hub.forge.token = "renewed"
    hub.push(hub.commit("1"))
    hub.tell()
    asked = len(hub.forge.asked)
    hub.push(hub.commit("2"))
    hub.carry()
    hub.tell()
    assert (len(hub.forge.asked), set(states(hub))) == (asked, {DeliveryState.FAILED})
    hub.give_token(f"{hub.forge.origin} renewed")
    sha = hub.commit("3")
    hub.push(sha)
    hub.tell()
    assert told(hub, sha, BUILD) == "pending"


def test_the_token_is_in_no_delivery(hub: ForgedShop) -> None:
    hub.forge.failing = (422, {})
    hub.push(hub.commit("1"))
    hub.tell()
    (failed,), _ = hub.lab.ports.outbound.page(f"{FORGE_TARGET}shop", 9, None)
    assert failed.state is DeliveryState.FAILED
    assert hub.forge.secret.split(" ")[1] not in f"{failed}"


def comments(shop: ForgedShop, number: int = 7) -> list[FakeComment]:
    return shop.forge.repository(PATH).requests[number].comments


def test_one_comment_follows_the_preview_until_it_is_gone(shop: ForgedShop) -> None:
    sha = shop.commit("2", "feature")
    repository: FakeRepository = shop.forge.repository(PATH)
    shop.deliver(repository.open(7, sha))
    shop.tell()
    assert ["is being made" in comment.text for comment in comments(shop)] == [True]
    shop.carry()
    shop.tell()
    (comment,) = comments(shop)
    assert comment.text.startswith("<!-- lucity:shop -->")
    for part in ("`pr-7`", f"shop/api:{sha[:7]}@sha256:", "succeeded", "It stays until 20"):
        assert part in comment.text
    shop.lab.carry(SetValues("shop", "pr-7", (ValueSetting("services.api.hosts", ["pr-7.example.org"]),)))
    shop.tell()
    assert ["https://pr-7.example.org" in comment.text for comment in comments(shop)] == [True]
    assert told(shop, sha, "lucity/pr-7/api") is not None
    repository.close(7, 1)
    shop.deliver(repository.requests[7])
    shop.carry()
    shop.tell()
    assert ["was deleted" in comment.text for comment in comments(shop)] == [True]


def test_an_environment_of_a_persons_gets_no_comment(hub: ForgedShop) -> None:
    hub.forge.repository(PATH).open(8, "a" * 40)
    created = hub.lab.admit(CreateEnvironment("shop", "pr-8", "development", ephemeral=True))
    hub.tell()
    hub.carry()
    hub.tell()
    assert hub.lab.job(created.id).state.ended
    assert comments(hub, 8) == []


def test_many_events_of_a_request_are_one_report(hub: ForgedShop) -> None:
    request = hub.forge.repository(PATH).open(7, hub.commit("2", "feature"))
    hub.deliver(request)
    hub.carry()
    queue_news(hub.lab.ports)
    deliveries, _ = hub.lab.ports.outbound.page(f"{FORGE_TARGET}shop", 50, None)
    assert [each.message.type for each in deliveries].count("forge.request") == 1


def test_what_changes_while_it_is_told_is_told_again(hub: ForgedShop) -> None:
    sha = hub.commit("1")
    hub.push(sha)
    queue_news(hub.lab.ports)
    hub.hurry()
    (claimed,) = hub.lab.ports.outbound.claim(10, 60)
    hub.carry()
    queue_news(hub.lab.ports)
    hub.lab.ports.outbound.settle(claimed, DeliveryState.DELIVERED, None, None, told="what was so before")
    found = hub.lab.ports.outbound.get(claimed.message.id)
    assert found is not None
    assert found.state is DeliveryState.PENDING
    hub.tell()
    assert told(hub, sha, BUILD) == "success"
