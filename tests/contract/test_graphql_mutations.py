"""Mutations over real Git and a real Valkey."""

import asyncio
from dataclasses import replace
from typing import Any

from adapters.records import JobState
from gitops.changes import ActorKind
from tests.fakes import FakeBuilder, FakeRegistry, FakeSources
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab

ROBOT = replace(ANN, id="tok_robot", kind=ActorKind.AUTOMATION)
ANSWER = """{ __typename ... on Job { id kind state summary queuePosition environmentName serviceNames }
    ... on Problem { message } ... on InvalidInput { errors { path message } } ... on NotFound { what name }
    ... on AlreadyExists { what name } ... on Conflict { code job { id } } ... on PermissionDenied { required } }"""
EVERY_CHANGE = {
    'addService(input: {project: "shop", name: "web", image: "registry.example.com/web", port: 80})': "SERVICE_ADD",
    'updateService(input: {project: "shop", name: "api", port: null, command: ["run"]})': "SERVICE_UPDATE",
    'deploy(input: {project: "shop", environment: "development", services: [{service: "api", tag: "t2"}]})': "DEPLOY",
    'promote(input: {project: "shop", from: "development", to: "staging", include: ["replicas"]})': "PROMOTE",
    'restart(input: {project: "shop", environment: "development", services: ["api"]})': "RESTART",
    'scale(input: {project: "shop", environment: "development", service: "api", replicas: 3})': "CONFIG",
    'setVariables(input: {project: "shop", set: [{name: "LOG", value: "x"}, '
    '{name: "KEY", fromSecret: {secret: "s", key: "k"}}]})': "CONFIG",
    'setValues(input: {project: "shop", environment: "staging", set: [{key: "services.api.port", value: 81}]})': (
        "CONFIG"
    ),
    'hold(input: {project: "shop", environment: "staging", services: ["api"], reason: "audit"})': "HOLD",
    'releaseHold(input: {project: "shop", environment: "staging"})': "RELEASE_HOLD",
    'updateProject(input: {project: "shop", values: [{key: "branches.main", value: ["development"]}], '
    'unset: ["previews"]})': "PROJECT_UPDATE",
    'upgradeChart(input: {project: "shop"})': "CHART",
    'removeService(input: {project: "shop", name: "web"})': "SERVICE_REMOVE",
    'createEnvironment(input: {project: "shop", name: "pr-1", from: "development", ephemeral: true})': (
        "ENVIRONMENT_CREATE"
    ),
    'extendEnvironment(input: {project: "shop", environment: "pr-1", ttlSeconds: 3600})': "ENVIRONMENT_EXTEND",
    'deleteEnvironment(input: {project: "shop", name: "pr-1"})': "ENVIRONMENT_DELETE",
    'syncEnvironment(input: {project: "shop", environment: "development"})': "SYNC",
    'deleteProject(input: {name: "shop", confirm: "shop"})': "PROJECT_DELETE",
}

ENDINGS = {"SYNC", "ENVIRONMENT_CREATE", "ENVIRONMENT_DELETE", "PROJECT_DELETE"}
"""The project's end overtakes these."""


async def ask(api: Api, mutation: str, **others: Any) -> dict[str, Any]:
    return await api.change(f"mutation {{ {mutation} {ANSWER} }}", **others)


async def made(api: Api) -> None:
    """A project shop with service api that runs in development."""
    await ask(api, 'createProject(input: {name: "shop", environments: ["development", "staging"]})')
    await ask(api, 'addService(input: {project: "shop", name: "api", image: "registry.example.com/api", port: 80})')
    await ask(
        api, 'deploy(input: {project: "shop", environment: "development", services: [{service: "api", tag: "t1"}]})'
    )
    with api.lab.observer():
        await asyncio.to_thread(api.lab.wait, "settled jobs", lambda: worked(api.lab))


def worked(lab: Lab) -> bool:
    """Work once more; whether nothing is left to do."""
    lab.work("shop")
    return not lab.ports.ledger.unfinished(["shop"])["shop"]


def test_every_change_is_admitted_one_behind_the_other(lab: Lab) -> None:
    async def story(api: Api) -> None:
        await made(api)
        answers = [await ask(api, mutation) for mutation in EVERY_CHANGE]
        assert [answer.get("kind", answer) for answer in answers] == list(EVERY_CHANGE.values())
        assert {answer["state"] for answer in answers} == {"QUEUED"}
        await asyncio.to_thread(api.lab.work, "shop")
        ended = [api.lab.job(answer["id"]) for answer in answers if answer["kind"] not in ENDINGS]
        assert [job.problem for job in ended if job.state not in {JobState.SUCCEEDED, JobState.WAITING}] == []

    with_api(lab, story)


def test_what_stops_a_change_is_a_member_of_the_result(lab: Lab) -> None:
    async def story(api: Api) -> None:
        await made(api)
        refused = await ask(
            api, 'deploy(input: {project: "shop", environment: "UP", services: [{service: "api", tag: "-"}]})'
        )
        assert [error["path"] for error in refused["errors"]] == [["environment"], ["services", "0", "tag"]]
        refused = await ask(api, 'restart(input: {project: "shop", environment: "development", services: ["x"]})')
        assert [refused["__typename"], refused["what"], refused["name"]] == ["NotFound", "service", "x"]
        refused = await ask(api, 'createEnvironment(input: {project: "shop", name: "staging"})')
        assert [refused["__typename"], refused["what"]] == ["AlreadyExists", "environment"]
        refused = await ask(api, 'updateService(input: {project: "shop", name: "api", image: null})')
        assert refused["__typename"] == "InvalidInput"
        for mutation in (
            'cancelJob(id: "job_aaaaaaaaaaaaaaaaaaaaaaaaaa")',
            'retryJob(id: "job_aaaaaaaaaaaaaaaaaaaaaaaaaa")',
        ):
            assert (await ask(api, mutation))["what"] == "job"

    with_api(lab, story)


def test_the_same_key_is_the_same_job_and_another_input_is_a_conflict(lab: Lab) -> None:
    deploy = (
        'deploy(input: {project: "shop", environment: "development", idempotencyKey: "k", '
        'services: [{service: "api", tag: "%s"}]})'
    )

    async def story(api: Api) -> None:
        await made(api)
        answers = await asyncio.gather(*(ask(api, deploy % "t2") for _ in range(10)))
        assert len({answer["id"] for answer in answers}) == 1
        refused = await ask(api, deploy % "t3")
        assert [refused["code"], refused["job"]] == ["KEY_REUSED", {"id": answers[0]["id"]}]

    with_api(lab, story)


def test_a_queued_job_is_cancelled_and_tried_again(lab: Lab) -> None:
    async def story(api: Api) -> None:
        await made(api)
        scale = 'scale(input: {project: "shop", environment: "development", service: "api", replicas: %s})'
        first, second = [await ask(api, scale % replicas) for replicas in (2, 3)]
        assert [first["queuePosition"], second["queuePosition"]] == [0, 1]
        assert (await ask(api, f'cancelJob(id: "{first["id"]}")'))["state"] == "CANCELED"
        refused = await ask(api, f'cancelJob(id: "{first["id"]}")')
        assert [refused["__typename"], refused["code"]] == ["Conflict", "JOB_ENDED"]
        again = await ask(api, f'retryJob(id: "{first["id"]}")')
        assert [again["summary"], again["id"] == first["id"]] == [first["summary"], False]
        assert (await ask(api, f'retryJob(id: "{first["id"]}")'))["id"] == again["id"]

    with_api(lab, story)


def test_a_job_that_landed_has_ended_also_when_redis_forgot_it(lab: Lab) -> None:
    async def story(api: Api) -> None:
        await made(api)
        scale = 'scale(input: {project: "shop", environment: "development", service: "api", replicas: 2})'
        job = await ask(api, scale)
        await asyncio.to_thread(lab.work, "shop")
        lab.flush()
        for mutation in ("cancelJob", "retryJob"):
            refused = await ask(api, f'{mutation}(id: "{job["id"]}")')
            assert [refused["__typename"], refused["code"], refused["job"]] == [
                "Conflict",
                "JOB_ENDED",
                {"id": job["id"]},
            ]

    with_api(lab, story)


def test_a_chart_that_this_server_does_not_carry_is_refused_at_once(lab: Lab) -> None:
    async def story(api: Api) -> None:
        await made(api)
        refused = await ask(api, 'upgradeChart(input: {project: "shop", version: "9.9.9"})')
        (error,) = refused["errors"]
        assert [refused["__typename"], error["path"]] == ["InvalidInput", ["version"]]
        assert error["message"] == (
            f"this server does not carry lucity-app 9.9.9: choose one of {', '.join(sorted(lab.ports.charts))}"
        )

    with_api(lab, story)


def test_tokens_are_made_listed_and_revoked_by_persons_only(lab: Lab) -> None:
    create = """mutation { createToken(input: {name: "ci", email: "ci@example.org"}) { __typename
        ... on IssuedToken { secret token { id kind } } ... on PermissionDenied { required } } }"""
    revoke = """mutation R($id: ID!) { revokeToken(id: $id) { __typename
        ... on Token { id revokedAt } ... on NotFound { what } } }"""

    async def story(api: Api) -> None:
        assert (await api.change(create, ROBOT))["required"] == "tokens:write"
        issued = await api.change(create)
        token = issued["token"]
        assert [issued["secret"][:4], token["kind"]] == ["lct_", "AUTOMATION"]
        assert [one["id"] for one in (await api.data("{ tokens { id } }"))["tokens"]] == [token["id"]]
        first, again = [await api.change(revoke, id=token["id"]) for _ in range(2)]
        assert first == again
        assert first["revokedAt"] is not None
        assert (await api.change(revoke, id="VG9rZW46dG9rXzE"))["what"] == "token"

    with_api(lab, story)


def test_builds_and_commits_do_not_stand_before_each_other(lab: Lab) -> None:
    registry = FakeRegistry()
    lab.ports = replace(lab.ports, sources=FakeSources(), builder=FakeBuilder(), registry=registry)

    async def story(api: Api) -> None:
        await made(api)
        for name in ("web", "shop"):
            image = f"{registry.address}/shop/{name}"
            source = '{repositoryUrl: "https://git.example.org/shop.git"}'
            add = f'addService(input: {{project: "shop", name: "{name}", image: "{image}", source: {source}}})'
            await ask(api, add)
            await asyncio.to_thread(worked, api.lab)
        builds = [await ask(api, f'build(input: {{project: "shop", service: "{name}"}})') for name in ("web", "web")]
        builds.append(await ask(api, 'build(input: {project: "shop", service: "shop"})'))
        commit = await ask(api, 'restart(input: {project: "shop", environment: "development", services: ["api"]})')
        assert [each["queuePosition"] for each in (*builds, commit)] == [0, 1, 0, 0]

    with_api(lab, story)
