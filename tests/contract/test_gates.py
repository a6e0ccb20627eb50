"""Holds through the whole of Lucity: asked for by GraphQL, kept in Git, judged at admission and at the commit."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.records import JobState
from gitops.changes import ActorKind
from gitops.commits import CommitFilter, CommitKind
from gitops.gates import standing_holds
from gitops.operations import AddService, CreateProject, Deploy, ReleaseHold, ServiceImage, SetHold
from gitops.problems import GateClosed, NotFound, Refused
from gitops.rollouts import RolloutPhase
from tests.support.git import git
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab

ROBOT = replace(ANN, id="tok_robot", name="ci", email="ci@example.org", kind=ActorKind.AUTOMATION)
ANSWER = """{ __typename ... on Job { id kind state summary } ... on Problem { message }
    ... on InvalidInput { errors { path } }
    ... on GateClosed { gates { name open message nextOpenAt } nextOpenAt } }"""
HOLDS = """{ environment(project: "shop", name: "staging") {
    holds { serviceName reason actor { name email } since expiresAt } } }"""


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """Services api and web, which run in development."""
    lab.settle(CreateProject("shop", ("development", "staging")))
    images = (ServiceImage("api", "a1"), ServiceImage("web", "w1"))
    lab.carry(
        AddService("shop", "api", "registry.example.com/api"),
        AddService("shop", "web", "registry.example.com/web"),
        Deploy("shop", "development", images),
    )
    return lab


def deploy(tag: str, environment: str = "staging", *, override: bool = False) -> Deploy:
    return Deploy("shop", environment, (ServiceImage("api", tag),), override=override)


def held(lab: Lab, *names: str, seconds: int | None = None) -> None:
    job = lab.admit(SetHold("shop", "staging", names, seconds), reason="incident 12")
    lab.work("shop")
    assert lab.job(job.id).state is JobState.SUCCEEDED


async def ask(api: Api, mutation: str, **others: Any) -> dict[str, Any]:
    return await api.change(f"mutation {{ {mutation} {ANSWER} }}", **others)


async def done(api: Api, mutation: str, **others: Any) -> str:
    """The subject of the commit that a mutation becomes."""
    answer = await ask(api, mutation, **others)
    await asyncio.to_thread(api.lab.work, "shop")
    job = api.lab.job(answer["id"])
    assert job.state is JobState.SUCCEEDED, job
    return job.summary


def test_a_hold_is_set_seen_passed_and_released(shop: Lab) -> None:
    hold = 'hold(input: {project: "shop", environment: "staging", services: ["api"], reason: "incident 12"%s})'
    release = 'releaseHold(input: {project: "shop", environment: "staging", services: ["api"]})'
    deploying = 'deploy(input: {project: "shop", environment: "staging", services: [{service: "api", tag: "a2"}], %s})'

    async def story(api: Api) -> None:
        assert await done(api, hold % ", expiresInSeconds: 3600") == "hold(staging): api"
        (seen,) = (await api.data(HOLDS))["environment"]["holds"]
        assert [seen["serviceName"], seen["reason"], seen["actor"]["email"]] == ["api", "incident 12", ANN.email]
        refused = await ask(api, deploying % "override: false", actor=ROBOT)
        assert refused["__typename"] == "GateClosed"
        assert [(gate["name"], gate["open"]) for gate in refused["gates"]] == [("hold", False)]
        assert refused["nextOpenAt"] == seen["expiresAt"]
        for override in ("override: false", 'override: true, reason: "hotfix"'):
            assert (await ask(api, deploying % override, actor=ROBOT))["__typename"] == "GateClosed"
        assert (await ask(api, deploying % "override: false"))["__typename"] == "GateClosed"
        refused = await ask(api, deploying % "override: true")
        assert refused["errors"] == [{"path": ["reason"]}]
        assert await done(api, deploying % 'override: true, reason: "hotfix"') == "deploy(staging): api a2"
        assert await done(api, release) == "release(staging): api"
        assert (await api.data(HOLDS))["environment"]["holds"] == []
        assert await done(api, deploying.replace("a2", "a3") % "override: false", actor=ROBOT)

    with_api(shop, story)
    body = git(shop.clone("shop").folder, "log", "--format=%B", "--grep", "api a2")
    assert "Override: hold: hotfix" in body
    assert "Reason: hotfix" in body


def test_a_hold_without_a_reason_is_malformed(shop: Lab) -> None:
    async def story(api: Api) -> None:
        refused = await ask(api, 'hold(input: {project: "shop", environment: "staging", reason: " "})')
        assert refused["errors"] == [{"path": ["reason"]}]

    with_api(shop, story)


def test_the_commits_of_holds_are_holds_and_touch_no_values(shop: Lab) -> None:
    held(shop, "api")
    shop.carry(ReleaseHold("shop", "staging"))
    head = shop.ports.events.heads(["shop"])["shop"]
    page, _ = shop.ports.history.commits("shop", head, CommitFilter(), 2, None)
    assert [(one.kind, one.environments, one.services) for one in page] == [(CommitKind.HOLD, ("staging",), ())] * 2
    assert [one.git.subject for one in page] == ["release(staging): all services", "hold(staging): api"]


def test_the_rollout_of_a_hold_ends_and_leaves_what_runs_as_it_was(shop: Lab) -> None:
    place = ("shop", "staging")
    with shop.observer():
        (deployed,) = shop.carry(deploy("a2"))
        shop.wait("the deploy's rollout", lambda: rollout(shop, deployed.commit))
        before = shop.ports.statuses.status([place])[place].images
        held(shop, "api")
        head = shop.ports.events.heads(["shop"])["shop"]
        assert shop.wait("the hold's rollout", lambda: rollout(shop, head)) is RolloutPhase.SYNCED
    assert shop.ports.statuses.status([place])[place].images == before


def rollout(lab: Lab, sha: str | None) -> RolloutPhase | None:
    """The final phase of a commit in staging, once there is one."""
    key = ("shop", "staging", sha or "")
    found = lab.ports.statuses.rollouts([key]).get(key)
    return found.rollout.phase if found and found.rollout.final else None


def test_an_environment_that_cannot_be_rendered_can_be_held(shop: Lab) -> None:
    clone = shop.clone("shop")
    clone.commit(
        "break staging", {"environments/staging/values.yaml": "lucity-app:\n  services:\n    api: {port: x}\n"}
    )
    clone.push()
    held(shop)


def test_a_release_that_queues_ahead_lets_automation_in(shop: Lab) -> None:
    held(shop)
    with pytest.raises(Refused) as refused:
        shop.admit(deploy("a2"), actor=ROBOT)
    assert isinstance(refused.value.problem, GateClosed)
    shop.admit(ReleaseHold("shop", "staging"))
    job = shop.admit(deploy("a2"), actor=ROBOT)
    shop.work("shop")
    assert shop.job(job.id).state is JobState.SUCCEEDED


def test_a_hold_that_queues_ahead_stops_automation_at_the_commit_point(shop: Lab) -> None:
    shop.admit(SetHold("shop", "staging"), reason="freeze")
    job = shop.admit(deploy("a2"), actor=ROBOT)
    shop.work("shop")
    stopped = shop.job(job.id)
    assert stopped.state is JobState.FAILED
    assert isinstance(stopped.problem, GateClosed)
    assert stopped.problem.gates[0].message.endswith("freeze")

    async def story(api: Api) -> None:
        found = await api.data(
            "query E($id: ID!) { job(id: $id) { error { __typename ... on GateClosed { gates { name open } } } } }",
            id=job.id,
        )
        assert found["job"]["error"] == {"__typename": "GateClosed", "gates": [{"name": "hold", "open": False}]}

    with_api(shop, story)


def test_an_expired_hold_is_neither_seen_nor_felt(shop: Lab) -> None:
    held(shop, seconds=1)

    tree = shop.ports.repositories.snapshot("shop", shop.ports.events.heads(["shop"])["shop"])
    shop.wait("the hold's end", lambda: not standing_holds(tree, "staging", datetime.now(UTC)))

    async def story(api: Api) -> None:
        assert (await api.data(HOLDS))["environment"]["holds"] == []
        assert await done(
            api,
            'deploy(input: {project: "shop", environment: "staging", services: [{service: "api", tag: "a2"}]})',
            actor=ROBOT,
        )

    with_api(shop, story)


def test_releasing_what_is_not_held_is_no_change(shop: Lab) -> None:
    (job,) = shop.carry(ReleaseHold("shop", "staging", ("api",)))
    assert (job.state, job.no_change) == (JobState.SUCCEEDED, True)


def test_what_is_to_be_held_must_exist(shop: Lab) -> None:
    for change, what in (
        (SetHold("shop", "nowhere"), "environment"),
        (ReleaseHold("shop", "staging", ("x",)), "service"),
    ):
        with pytest.raises(Refused) as refused:
            shop.admit(change, reason="x")
        assert isinstance(refused.value.problem, NotFound)
        assert refused.value.problem.what == what
