"""Plans over the API: shown, done exactly as shown, or answered by the new plan."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from adapters.records import JobState
from gitops.operations import AddService, CreateProject, Deploy, Promote, ServiceImage, SetVariables, VariableSetting
from gitops.plans import token_of
from gitops.problems import PlanStale, Refused
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

PLAN = """... on PromotionPlan { token base { sha } subject valuesDiff manifestDiff noChange warnings
    gates { name open }
    items { service from { tag } to { tag } sourceDeployment { commit { sha } } targetDeployment { image { tag } } }
    changes { path key kind after } }"""
PROMOTION = """query P($to: String = "staging") { promotionPlan(input: {project: "shop", from: "development", to: $to})
    { __typename %s ... on NotFound { what name } ... on InvalidInput { errors { path } } } }"""
ROLLBACK = """query R($to: String!) { rollbackPlan(input: {project: "shop", environment: "development", to: $to,
    reason: "it broke"})
    { __typename %s ... on NotFound { what name } } }"""
PROMOTE = """mutation M($token: String) { promote(input: {project: "shop", from: "development", to: "staging",
    planToken: $token}) { __typename ... on Job { id } ... on PlanStale { message plan { token subject } } } }"""
FAILED = "query F($id: ID!) { job(id: $id) { error { __typename ... on PlanStale { plan { token subject } } } } }"


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """Api runs in development, with a variable that nobody should read."""
    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development", "staging", "production")))
        hidden = SetVariables("shop", "staging", "api", (VariableSetting("API_KEY", "hunter2"),))
        lab.carry(AddService("shop", "api", "registry.example.com/api"), hidden, deploy("one"))
        yield lab


def deploy(tag: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, (ServiceImage("api", tag),))


def head(lab: Lab) -> str:
    return lab.ports.events.heads(["shop"])["shop"]


async def planned(api: Api, document: str = PROMOTION, **given: Any) -> dict[str, Any]:
    return await api.change(document % PLAN, **given)


async def carry(api: Api, change: Any) -> None:
    await asyncio.to_thread(api.lab.carry, change)


def test_a_plan_shows_what_the_promotion_then_does(shop: Lab) -> None:
    async def story(api: Api) -> None:
        plan = await planned(api)
        assert plan["base"]["sha"] == head(shop)
        assert plan["subject"] == "promote(staging): api one from development"
        deployed = {"commit": {"sha": head(shop)}}
        assert plan["items"] == [
            {"service": "api", "from": None, "to": {"tag": "one"}}
            | {"sourceDeployment": deployed, "targetDeployment": None}
        ]
        assert [(one["key"], one["after"]) for one in plan["changes"]] == [("lucity-app.services.api.image.tag", "one")]
        assert '+        tag: "one"' in plan["valuesDiff"]
        assert "registry.example.com/api:one" in plan["manifestDiff"]
        assert "hunter2" not in plan["manifestDiff"] + plan["valuesDiff"]
        assert 'API_KEY: "(redacted 1)"' in plan["valuesDiff"]
        assert (plan["noChange"], plan["warnings"]) == (False, ["api does not run in staging yet"])
        assert plan["gates"] == [{"name": "pipeline", "open": True}]
        await carry(api, deploy("elsewhere", "production"))
        job = await api.change(PROMOTE, token=plan["token"])
        await asyncio.to_thread(shop.work, "shop")
        assert shop.job(job["id"]).state is JobState.SUCCEEDED
        found = shop.ports.history.find("shop", head(shop), [head(shop)])[head(shop)]
        assert found.git.subject == plan["subject"]
        assert (await planned(api))["noChange"] is True

    with_api(shop, story)


def test_what_moved_since_is_answered_with_the_new_plan(shop: Lab) -> None:
    async def story(api: Api) -> None:
        plan = await planned(api)
        await carry(api, deploy("two"))
        told = await api.change(PROMOTE, token=plan["token"])
        assert told["__typename"] == "PlanStale"
        assert told["plan"]["subject"] == "promote(staging): api two from development"
        assert (await api.change(PROMOTE, token=told["plan"]["token"]))["__typename"] == "Job"

    with_api(shop, story)


def test_what_a_job_ahead_moves_ends_the_job_with_the_new_plan(shop: Lab) -> None:
    async def story(api: Api) -> None:
        plan = await planned(api)
        shop.admit(deploy("two"))
        job = await api.change(PROMOTE, token=plan["token"])
        await asyncio.to_thread(shop.work, "shop")
        assert shop.job(job["id"]).state is JobState.FAILED
        error = (await api.data(FAILED, id=job["id"]))["job"]["error"]
        assert error["__typename"] == "PlanStale"
        assert error["plan"]["subject"] == "promote(staging): api two from development"

    with_api(shop, story)


def test_a_rollback_is_planned_and_what_stands_later_is_warned_of(shop: Lab) -> None:
    first = head(shop)

    async def story(api: Api) -> None:
        await carry(api, deploy("two"))
        plan = await planned(api, ROLLBACK, to=first)
        assert plan["subject"] == "rollback(development): api one"
        (item,) = plan["items"]
        assert (item["from"], item["to"]) == ({"tag": "two"}, {"tag": "one"})
        assert item["sourceDeployment"] == {"commit": {"sha": first}}
        held = {change["key"]: change["after"] for change in plan["changes"]}
        assert held["holds.api.reason"] == f"rolled back to {first[:7]}: it broke"
        await carry(api, deploy("hotfix", "staging"))
        assert "api was put into staging later than into development" in (await planned(api))["warnings"]

    with_api(shop, story)


def test_what_cannot_be_planned_is_a_member_of_the_union(shop: Lab) -> None:
    async def story(api: Api) -> None:
        assert await planned(api, to="nowhere") == {"__typename": "NotFound", "what": "environment", "name": "nowhere"}
        told = await planned(api, to="development")
        assert told == {"__typename": "InvalidInput", "errors": [{"path": ["to"]}]}
        closed = await planned(api, to="production")
        assert closed["gates"] == [{"name": "pipeline", "open": False}]

    with_api(shop, story)


def test_a_plan_is_done_as_it_was_or_not_at_all_among_others(shop: Lab) -> None:
    for number in range(4):
        tree = shop.ports.repositories.snapshot("shop", head(shop))
        change = Promote(
            "shop", "development", "staging", plan_token=token_of(Promote("shop", "development", "staging"), tree)
        )
        jobs = [shop.admit(deploy(f"t{number}", "production" if number % 2 else "development")), shop.admit(change)]
        shop.work("shop")
        wanted = JobState.SUCCEEDED if number % 2 else JobState.FAILED
        assert [shop.job(job.id).state for job in jobs] == [JobState.SUCCEEDED, wanted]
    with pytest.raises(Refused) as refused:
        shop.admit(Promote("shop", "development", "staging", plan_token="0" * 64))
    assert isinstance(refused.value.problem, PlanStale)
