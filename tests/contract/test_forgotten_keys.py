"""Idempotency keys whose jobs Redis forgot: the commits tell what they were used for."""

import asyncio
from typing import Any

from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab

ANSWER = "{ __typename ... on Job { id kind state } ... on Conflict { code job { id } } ... on Problem { message } }"
DEVELOPMENT = 'project: "shop", environment: "development"'
LONG = "x" * 128
API = 'services: [{service: "api", tag: "t2"}]'
REQUESTS = {
    "found": 'createProject(input: {name: "shop", environments: ["development", "staging"], %s})',
    "api": 'addService(input: {project: "shop", name: "api", image: "r/api", port: 80, %s})',
    "web": 'addService(input: {project: "shop", name: "web", image: "r/web", %s})',
    "port": 'updateService(input: {project: "shop", name: "api", port: null, %s})',
    "api-t2": f"deploy(input: {{{DEVELOPMENT}, {API}, %s}})",
    "both": f'deploy(input: {{{DEVELOPMENT}, services: [{{service: "api", tag: "t2"}}, {{service: "web", tag: "t1"}}], '
    'reason: "first\\nand\\tlast ", %s})',
    "long": f'deploy(input: {{{DEVELOPMENT}, services: [{{service: "api", tag: "{LONG}"}}], %s}})',
    "all": 'promote(input: {project: "shop", from: "development", to: "staging", %s})',
    "restart": f'restart(input: {{{DEVELOPMENT}, services: ["web", "api"], %s}})',
    "scale": f'scale(input: {{{DEVELOPMENT}, service: "api", replicas: 3, %s}})',
    "log": f'setVariables(input: {{{DEVELOPMENT}, set: [{{name: "LOG", value: "x"}}], %s}})',
    "log-again": f'setVariables(input: {{{DEVELOPMENT}, set: [{{name: "LOG", value: "x"}}, {{name: "B", value: "y"}}], '
    "%s})",
    "values": f'setValues(input: {{{DEVELOPMENT}, set: [{{key: "services.web.port", value: 81}}], %s}})',
    "preview": 'createEnvironment(input: {project: "shop", name: "pr-1", from: "development", ephemeral: true, '
    "ttlSeconds: 7200, %s})",
    "longer": 'extendEnvironment(input: {project: "shop", environment: "pr-1", ttlSeconds: 360000, %s})',
    "hold": f'hold(input: {{{DEVELOPMENT}, reason: "audit", %s}})',
    "release": f"releaseHold(input: {{{DEVELOPMENT}, %s}})",
    "settings": 'updateProject(input: {project: "shop", values: [{key: "branches.main", value: ["development"]}], %s})',
    "end": 'deleteEnvironment(input: {project: "shop", name: "pr-1", %s})',
    "gone": 'removeService(input: {project: "shop", name: "web", %s})',
}
OTHERS = {
    "api-t2": [
        f'deploy(input: {{{DEVELOPMENT}, services: [{{service: "api", tag: "t3"}}], %s}})',
        f'deploy(input: {{project: "shop", environment: "staging", {API}, %s}})',
        f'deploy(input: {{{DEVELOPMENT}, {API}, reason: "another", %s}})',
        f'deploy(input: {{{DEVELOPMENT}, services: [{{service: "web", tag: "t2"}}], %s}})',
        f'restart(input: {{{DEVELOPMENT}, services: ["api"], %s}})',
        'createEnvironment(input: {project: "shop", name: "other", %s})',
    ],
    "all": ['promote(input: {project: "shop", from: "staging", to: "development", %s})'],
    "scale": [f'scale(input: {{{DEVELOPMENT}, service: "api", replicas: 4, %s}})'],
    "log": [f'setVariables(input: {{{DEVELOPMENT}, set: [{{name: "OTHER", value: "x"}}], %s}})'],
    "preview": ['createEnvironment(input: {project: "shop", name: "pr-1", from: "staging", ephemeral: true, %s})'],
}


async def ask(api: Api, request: str, key: str) -> dict[str, Any]:
    return await api.change("mutation { " + request % f'idempotencyKey: "{key}"' + ANSWER + " }")


async def carried_out(api: Api) -> dict[str, str]:
    """Every request, one after the other; key → the id of its job."""
    ids = {}
    with api.lab.observer():
        for key, request in REQUESTS.items():
            ids[key] = (await ask(api, request, key))["id"]
            await asyncio.to_thread(api.lab.wait, key, lambda job=ids[key]: ended(api.lab, job))
    assert {key: api.lab.job(job).problem for key, job in ids.items() if api.lab.job(job).commit is None} == {}
    return ids


def ended(lab: Lab, job: str) -> bool:
    lab.work("shop")
    return lab.job(job).state.ended


def test_a_key_that_redis_forgot_still_means_its_one_request(lab: Lab) -> None:
    async def story(api: Api) -> None:
        ids = await carried_out(api)
        api.lab.flush()
        answers = {key: await ask(api, request, key) for key, request in REQUESTS.items()}
        assert {key: answer.get("id", answer) for key, answer in answers.items()} == ids
        for key, requests in OTHERS.items():
            for request in requests:
                refused = await ask(api, request, key)
                assert [refused.get("code"), refused.get("job")] == ["KEY_REUSED", {"id": ids[key]}], (key, request)

    with_api(lab, story)
