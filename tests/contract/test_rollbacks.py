"""Rollbacks through the whole of Lucity: by deployment, by commit, by short SHA, and across what changed since."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from adapters.records import JobRecord, JobState
from gitops import messages
from gitops.changes import ActorKind, Change
from gitops.commits import CommitKind, CommitRecord
from gitops.operations import (
    DeleteEnvironment,
    ReleaseHold,
    RemoveService,
    Rollback,
    RollbackScope,
    SetValues,
    ValueSetting,
)
from gitops.problems import GateClosed, NotFound, Refused, RenderFailed
from gitops.repository import images
from jobs import heads
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab
from tests.support.reverting import deploy, in_production

ROBOT = replace(ANN, id="tok_robot", kind=ActorKind.AUTOMATION)
DEPLOYMENTS = """{ environment(project: "shop", name: "production") { deployments { nodes {
    id serviceName image { tag } previousImage { tag } current commit { sha shortSha } } } } }"""
ROLLBACK = """mutation R($to: String!, $services: [String!], $scope: RollbackScope, $reason: String, $override: Boolean,
    $environment: String = "production") { rollback(input: {project: "shop", environment: $environment, to: $to,
    services: $services, scope: $scope, override: $override, reason: $reason}) { __typename ... on Job { id }
    ... on InvalidInput { errors { path } } ... on NotFound { what name } ... on GateClosed { gates { name } } } }"""


@pytest.fixture
def shop(lab: Lab) -> Lab:
    return in_production(lab)


def commit(lab: Lab, subject: str) -> str:
    """The newest commit with this subject."""
    head = lab.ports.events.heads(["shop"])["shop"]
    found = lab.ports.repositories.log("shop", None, head) or ()
    return next(one.sha for one in reversed(found) if one.subject == subject)


def first(lab: Lab) -> str:
    return commit(lab, "deploy(production): api one, web one")


def running(lab: Lab) -> dict[str, str]:
    tree = lab.ports.repositories.snapshot("shop", lab.ports.events.heads(["shop"])["shop"])
    return {name: image.tag for name, image in (images(tree, "production") or {}).items()}


def carried(lab: Lab, change: Change) -> JobRecord:
    (job,) = lab.carry(change)
    return job


def landed(lab: Lab, job: JobRecord) -> CommitRecord:
    assert job.state is JobState.SUCCEEDED, job
    assert job.commit is not None
    return lab.ports.history.find("shop", job.commit, [job.commit])[job.commit]


async def done(api: Api, **given: Any) -> CommitRecord:
    answer = await api.change(ROLLBACK, **given)
    assert answer["__typename"] == "Job", answer
    await asyncio.to_thread(api.lab.work, "shop")
    return landed(api.lab, api.lab.job(answer["id"]))


def test_a_deployment_is_rolled_back_to_by_its_id_and_held(shop: Lab) -> None:
    async def story(api: Api) -> None:
        nodes = (await api.data(DEPLOYMENTS))["environment"]["deployments"]["nodes"]
        wanted = next(one for one in nodes if (one["serviceName"], one["image"]["tag"]) == ("api", "one"))
        record = await done(api, to=wanted["id"], reason="it broke")
        assert (record.git.subject, record.kind) == ("rollback(production): api one", CommitKind.ROLLBACK)
        trailers = messages.parse(record.git.message)
        assert trailers.all(messages.ROLLS_BACK_TO) == (wanted["commit"]["sha"],)
        assert trailers.all(messages.SERVICE) == ("api",)
        assert trailers.all(messages.IMAGE) == ("api=registry.example.com/api:one",)
        newest = (await api.data(DEPLOYMENTS))["environment"]["deployments"]["nodes"][0]
        assert [newest["serviceName"], newest["image"]["tag"], newest["previousImage"]["tag"]] == ["api", "one", "two"]
        holds = '{ environment(project: "shop", name: "production") { holds { serviceName reason } } }'
        (hold,) = (await api.data(holds))["environment"]["holds"]
        short = wanted["commit"]["shortSha"]
        assert hold == {"serviceName": "api", "reason": f"rolled back to {short}: it broke"}

    with_api(shop, story)
    assert running(shop) == {"api": "one", "web": "two"}
    with pytest.raises(Refused) as refused:
        shop.admit(deploy("three"), actor=ROBOT)
    assert isinstance(refused.value.problem, GateClosed)


@pytest.mark.parametrize("length", [7, 40])
@pytest.mark.parametrize("scope", [None, *RollbackScope])
def test_everything_is_rolled_back_to_a_full_or_short_sha(shop: Lab, length: int, scope: RollbackScope | None) -> None:
    shop.carry(SetValues("shop", "production", (ValueSetting("services.api.replicas", 3),)))

    async def story(api: Api) -> None:
        record = await done(api, to=first(shop)[:length], **({"scope": scope.value} if scope else {}))
        assert messages.parse(record.git.message).all(messages.ROLLS_BACK_TO) == (first(shop),)

    with_api(shop, story)
    assert running(shop) == {"api": "one", "web": "one"}
    trees = [
        shop.ports.repositories.snapshot("shop", sha).read("environments/production/values.yaml") or b""
        for sha in (first(shop), shop.ports.events.heads(["shop"])["shop"])
    ]
    assert (trees[0] == trees[1]) is (scope in {RollbackScope.ENVIRONMENT, RollbackScope.IMAGE_AND_CONFIG})
    assert (b"replicas" in trees[1]) is (scope in {None, RollbackScope.IMAGE})


def test_what_a_rollback_cannot_go_back_to_is_told_at_once(shop: Lab) -> None:
    async def story(api: Api) -> None:
        for to, told in {
            "abcdef0": {"__typename": "NotFound", "what": "commit", "name": "abcdef0"},
            "f" * 40: {"__typename": "NotFound", "what": "commit", "name": "f" * 40},
            "not a sha": {"__typename": "InvalidInput", "errors": [{"path": ["to"]}]},
            "job_aaaa": {"__typename": "InvalidInput", "errors": [{"path": ["to"]}]},
        }.items():
            assert await api.change(ROLLBACK, to=to) == told
        nodes = (await api.data(DEPLOYMENTS))["environment"]["deployments"]["nodes"]
        refused = await api.change(ROLLBACK, to=nodes[0]["id"], environment="staging")
        assert refused == {"__typename": "InvalidInput", "errors": [{"path": ["to"]}]}
        refused = await api.change(ROLLBACK, to=first(shop), environment="staging")
        assert [refused["what"], refused["name"]] == ["environment", "staging"]
        refused = await api.change(ROLLBACK, to=first(shop), services=["ghost"])
        assert [refused["what"], refused["name"]] == ["service", "ghost"]
        refused = await api.change(ROLLBACK, to=first(shop), services=["api"], scope="ENVIRONMENT")
        assert refused["errors"] == [{"path": ["services"]}]
        refused = await api.change(ROLLBACK, to=first(shop), override=True)
        assert refused["errors"] == [{"path": ["reason"]}]

    with_api(shop, story)


def test_a_rollback_is_undone_by_another_one_that_passes_the_hold(shop: Lab) -> None:
    second = commit(shop, "deploy(production): api two, web two")
    landed(shop, carried(shop, Rollback("shop", "production", first(shop))))
    with pytest.raises(Refused) as refused:
        shop.admit(Rollback("shop", "production", second))
    assert isinstance(refused.value.problem, GateClosed)
    job = shop.admit(Rollback("shop", "production", second, override=True), reason="it was not that")
    shop.work("shop")
    record = landed(shop, shop.job(job.id))
    assert messages.parse(record.git.message).all(messages.OVERRIDE) == ("hold: it was not that",)
    assert running(shop) == {"api": "two", "web": "two"}


def test_a_rollback_to_what_stands_is_no_change_and_holds_nothing(shop: Lab) -> None:
    job = carried(shop, Rollback("shop", "production", commit(shop, "deploy(production): api two, web two")))
    assert (job.state, job.no_change) == (JobState.SUCCEEDED, True)
    assert carried(shop, ReleaseHold("shop", "production")).no_change


def test_a_rollback_and_the_deploys_around_it_land_in_order(shop: Lab) -> None:
    jobs = shop.carry(
        deploy("three", "web"), Rollback("shop", "production", first(shop), ("api",)), deploy("four", "web")
    )
    assert {job.state for job in jobs} == {JobState.SUCCEEDED}
    assert running(shop) == {"api": "one", "web": "four"}


def test_a_rollback_across_a_removed_service_brings_back_the_others(shop: Lab) -> None:
    shop.carry(RemoveService("shop", "web"))
    assert landed(shop, carried(shop, Rollback("shop", "production", first(shop)))).services == ("api",)
    job = shop.admit(
        Rollback("shop", "production", first(shop), (), RollbackScope.ENVIRONMENT, override=True), reason="x"
    )
    shop.work("shop")
    assert landed(shop, shop.job(job.id)).environments == ("production",)


def test_a_rollback_in_a_deleted_environment_says_that_it_is_gone(shop: Lab) -> None:
    to = first(shop)
    with shop.observer():
        deleted = carried(shop, DeleteEnvironment("shop", "production", "production"))
        assert shop.ended(deleted.id).state is JobState.SUCCEEDED
    with pytest.raises(Refused) as refused:
        shop.admit(Rollback("shop", "production", to))
    assert isinstance(refused.value.problem, NotFound)
    assert refused.value.problem.what == "environment"


def test_a_rollback_to_before_the_environment_was_there_says_so(shop: Lab) -> None:
    clone = shop.clone("shop")
    root = commit(shop, "project(create): shop")
    clone.commit(
        "bring canary", {"environments/canary/values.yaml": "lucity-app: {services: {api: {image: {tag: x}}}}\n"}
    )
    clone.push()
    heads.notice(shop.ports, "shop")
    job = carried(shop, Rollback("shop", "canary", root))
    assert isinstance(job.problem, NotFound)
    assert (job.problem.what, job.problem.name) == ("environment", "canary")


def test_a_rollback_keeps_the_newer_chart_and_is_refused_when_that_cannot_render_it(shop: Lab) -> None:
    second = commit(shop, "deploy(production): api two, web two")
    strict = '{{ range .Values.services }}{{ if eq .image.tag "one" }}{{ fail "one is too old" }}{{ end }}{{ end }}\n'
    clone = shop.clone("shop")
    clone.commit("a stricter chart", {"base/charts/lucity-app/templates/strict.yaml": strict})
    clone.push()
    shop.carry(deploy("three"))
    job = carried(shop, Rollback("shop", "production", first(shop)))
    assert isinstance(job.problem, RenderFailed)
    assert "one is too old" in job.problem.message
    record = landed(shop, carried(shop, Rollback("shop", "production", second)))
    assert running(shop) == {"api": "two", "web": "two"}
    tree = shop.ports.repositories.snapshot("shop", record.git.sha)
    assert tree.read("base/charts/lucity-app/templates/strict.yaml") == strict.encode()
