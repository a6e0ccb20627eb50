"""Queries over real Git and a real Valkey."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from adapters.local_git import LocalGitHost
from adapters.ports import Unreachable
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab
from tests.support.valkey import ValkeyServer

EVERYTHING = """query Everything { project(name: "shop") {
  id name createdAt cloneUrl stale head { sha subject } problems { message path line }
  services { id name image port command source { branch } values
    variables { name value scope fromSecret { secret key } } }
  service(name: "api") { name }
  environments { id name namespace ephemeral createdFrom expiresAt problems { path } valuesText
    services { id image { reference } replicas hosts health values variables { name } service { name }
      environment { name } deployment { id current } }
    service(name: "api") { id }
    status { id sync health message revision commit { sha } operation { phase } resources { kind } observedAt stale }
    commits { nodes { subject } } deployments { nodes { serviceName } } project { name } }
  environment(name: "development") { name }
  environmentsBeingDeleted { id }
  matrix { service { name } cells { image { tag } environment { name } } }
  commits(first: 3) { edges { cursor node { sha shortSha kind environmentNames serviceNames author { name }
      committer { name } authoredAt committedAt trailers { key value } signature { state key } parents
      changes { path environmentName key kind before after } diff
      rollouts { environmentName rollout { phase final stale } }
      job { id state kind summary } } } pageInfo { hasNextPage endCursor } }
  jobs { nodes { id queuePosition noChange commit { sha } deployments { id previousImage { tag } image { tag }
      actor { name }
      deployedAt rollout { phase } job { id } environment { name } project { name } }
      error { message } steps { name state } log { nodes { text } } retryOf { id } } }
} }"""


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """A project with two environments, service api, and two deployments of it."""
    lab.settle(CreateProject("shop", ("development", "staging")))
    add = AddService("shop", "api", "registry.example.com/shop/api", port=8080)
    lab.carry(add, deploy("a1b2c3d"), deploy("1234567"))
    return lab


def deploy(tag: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, (ServiceImage("api", tag),))


def test_a_project_tells_everything_that_git_and_the_cluster_say(shop: Lab) -> None:
    async def story(api: Api) -> None:
        project = (await api.data(EVERYTHING))["project"]
        head, before, _ = [edge["node"] for edge in project["commits"]["edges"]]
        assert project["head"]["subject"] == "deploy(development): api 1234567"
        assert project["stale"] is False
        assert project["cloneUrl"].endswith("/git/gitops/shop.git")
        assert [row["cells"][0]["image"]["tag"] for row in project["matrix"]] == ["1234567"]
        assert [head["kind"], head["environmentNames"], head["serviceNames"]] == ["DEPLOY", ["development"], ["api"]]
        assert [head["author"]["name"], head["committer"]["name"], head["signature"]["state"]] == [
            "Ann",
            "Lucity",
            "VALID",
        ]
        assert {change["key"]: (change["before"], change["after"]) for change in head["changes"]} == {
            "lucity-app.services.api.image.tag": ("a1b2c3d", "1234567")
        }
        assert '+        tag: "1234567"' in head["diff"] or 'tag: "1234567"' in head["diff"]
        assert head["job"]["state"] == "SUCCEEDED"
        assert before["rollouts"][0]["rollout"]["phase"] == "SUPERSEDED"
        deployment = project["jobs"]["nodes"][0]["deployments"][0]
        assert [deployment["image"]["tag"], deployment["previousImage"]["tag"]] == ["1234567", "a1b2c3d"]

    with_api(shop, story)


def test_every_node_is_found_again_by_its_id(shop: Lab) -> None:
    async def story(api: Api) -> None:
        project = (await api.data(EVERYTHING))["project"]
        viewer = (await api.data("{ viewer { id } }"))["viewer"]
        ids = {viewer["id"], *ids_of(project)}
        found = [await api.data("query N($id: ID!) { node(id: $id) { __typename id } }", id=one) for one in ids]
        assert {answer["node"]["id"] for answer in found} == ids
        assert {answer["node"]["__typename"] for answer in found} == {
            "Viewer", "Project", "Service", "Environment", "DeployedService", "EnvironmentStatus", "Deployment", "Job"
        }  # fmt: skip

    with_api(shop, story)


def ids_of(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from ([value["id"]] if "id" in value else [])
        for item in value.values():
            yield from ids_of(item)
    elif isinstance(value, list):
        for item in value:
            yield from ids_of(item)


def test_what_does_not_exist_is_null_and_what_is_malformed_is_an_error(shop: Lab) -> None:
    async def story(api: Api) -> None:
        nothing = await api.data(
            """{ project(name: "nothing") { id } environment(project: "shop", name: "nothing") { id }
            job(id: "job_aaaaaaaaaaaaaaaaaaaaaaaaaa") { id } node(id: "job_aaaaaaaaaaaaaaaaaaaaaaaaaa") { id } }"""
        )
        assert nothing == {"project": None, "environment": None, "job": None, "node": None}
        missing = await api.data(
            '{ project(name: "shop") { commit(revision: "abcdef1") { sha } service(name: "x") { id } } }'
        )
        assert missing == {"project": {"commit": None, "service": None}}
        for malformed in (
            '{ project(name: "../etc") { id } }',
            '{ environment(project: "shop", name: "UPPER") { id } }',
            '{ project(name: "shop") { commit(revision: "main") { sha } } }',
            '{ job(id: "nope") { id } }',
            '{ node(id: "nope") { id } }',
            "{ projects(first: 101) { nodes { id } } }",
            "{ projects(first: -1) { nodes { id } } }",
            '{ projects(after: "*") { nodes { id } } }',
            '{ jobs(after: "nope") { nodes { id } } }',
            '{ project(name: "shop") { commits(after: "nope") { nodes { id } } } }',
            '{ project(name: "shop") { commits(filter: {since: "yesterday"}) { nodes { id } } } }',
        ):
            assert await api.code(malformed) == "BAD_USER_INPUT", malformed

    with_api(shop, story)


def test_pages_follow_each_other_without_gap_or_double(shop: Lab) -> None:
    document = """query P($after: String) { project(name: "shop") { commits(first: 1, after: $after) {
        nodes { subject } pageInfo { hasNextPage endCursor } } } }"""

    async def story(api: Api) -> None:
        subjects: list[str] = []
        after = None
        while True:
            page = (await api.data(document, after=after))["project"]["commits"]
            subjects += [node["subject"] for node in page["nodes"]]
            after = page["pageInfo"]["endCursor"]
            if not page["pageInfo"]["hasNextPage"]:
                break
        assert subjects == [
            "deploy(development): api 1234567",
            "deploy(development): api a1b2c3d",
            "config(base): add service api",
            "project(create): shop",
        ]

    with_api(shop, story)


def test_a_job_that_redis_forgot_is_told_by_its_commit(shop: Lab) -> None:
    (job,) = shop.carry(deploy("9f8e7d6"))
    shop.flush()

    async def story(api: Api) -> None:
        found = await api.data(
            "query J($id: ID!) { job(id: $id) { state summary commit { sha } deployments { image { tag } } } }",
            id=job.id,
        )
        assert found["job"] == {
            "state": "SUCCEEDED",
            "summary": "deploy(development): api 9f8e7d6",
            "commit": {"sha": job.commit},
            "deployments": [{"image": {"tag": "9f8e7d6"}}],
        }
        assert (await api.data('{ project(name: "shop") { head { sha } stale } }'))["project"] == {
            "head": {"sha": job.commit},
            "stale": False,
        }

    with_api(shop, story)


STALE = '{ project(name: "shop") { stale head { subject } } }'


class Leaving(LocalGitHost):
    """A Git host that answers until it is told to be away."""

    away = False

    def projects(self) -> Sequence[str]:
        if self.away:
            raise Unreachable("git", "the Git host is away")
        return super().projects()


def test_a_project_is_stale_while_the_git_host_does_not_answer(shop: Lab) -> None:
    data = shop.ports.settings.data
    host = Leaving(data / "git", data / "archive")

    async def becomes(api: Api, *, stale: bool) -> None:
        wanted = {"stale": stale, "head": {"subject": "deploy(development): api 1234567"}}
        async with asyncio.timeout(30):
            while (await api.data(STALE))["project"] != wanted:  # noqa: ASYNC110 - the observer decides
                await asyncio.sleep(0.05)

    async def story(api: Api) -> None:
        await becomes(api, stale=False)
        host.away = True
        await becomes(api, stale=True)
        host.away = False
        await becomes(api, stale=False)

    with replace(shop, ports=replace(shop.ports, githost=host)).observer():
        with_api(shop, story)


def test_without_redis_git_is_still_read_and_jobs_are_unavailable(shop: Lab, valkey: ValkeyServer) -> None:
    (job,) = shop.carry(deploy("9f8e7d6"))
    valkey.kill()

    async def story(api: Api) -> None:
        found = await api.data(
            """{ project(name: "shop") { head { sha job { state } } jobs { nodes { id } }
            environments { name status { sync stale } services { image { tag } } } } }"""
        )
        project = found["project"]
        assert project["head"] == {"sha": job.commit, "job": {"state": "SUCCEEDED"}}
        assert project["jobs"] is None
        assert [one["status"] for one in project["environments"]] == [{"sync": "UNKNOWN", "stale": True}] * 2
        assert await api.code("{ jobs { nodes { id } } }") == "UNAVAILABLE"
        refused = await api.change(
            """mutation { deploy(input: {project: "shop", environment: "staging", idempotencyKey: "k",
            services: [{service: "api", tag: "t"}]}) { __typename ... on Unavailable { component jobId } } }"""
        )
        assert refused["component"] == "redis"
        assert refused["jobId"].startswith("job_")

    try:
        with_api(shop, story)
    finally:
        valkey.start()


def test_a_broken_project_shows_its_problems_and_leaves_others_alone(shop: Lab) -> None:
    shop.carry(CreateProject("books", ("production",)))
    clone = shop.clone("books")
    clone.commit("Break it", {"base/values.yaml": "lucity-app:\n  services: [\n"})
    clone.push()

    async def story(api: Api) -> None:
        shop.ports.repositories.fetch("books")
        found = await api.data(
            """{ projects { nodes { name problems { path line } services { name } matrix { service { name } }
            environments { name services { service { name } } } } } }"""
        )
        books, other = found["projects"]["nodes"]
        assert books["name"] == "books"
        assert books["problems"][0]["path"] == "base/values.yaml"
        assert books["problems"][0]["line"] >= 2
        assert [books["services"], books["matrix"], books["environments"][0]["services"]] == [None, None, None]
        assert [service["name"] for service in other["services"]] == ["api"]

    shop.flush()
    with_api(shop, story)


def test_a_page_asks_redis_as_often_as_one_project_does(shop: Lab) -> None:
    for name in ("books", "cards", "dice"):
        shop.settle(CreateProject(name, ("development", "staging")))
    document = """query P($part: String) { projects(nameContains: $part) { nodes { name head { sha job { id } }
        environmentsBeingDeleted { id } environments { status { sync }
        services { health deployment { rollout { phase } } } } } } }"""

    async def story(api: Api) -> None:
        async def cost(part: str | None) -> int:
            """Round trips; the least of several, because the followed log is read now and then too."""
            found = []
            for _ in range(5):
                before = round_trips(shop)
                assert len((await api.data(document, part=part))["projects"]["nodes"]) == (1 if part else 4)
                found.append(round_trips(shop) - before)
            return min(found)

        one, four = await cost("shop"), await cost(None)
        assert one == four > 0

    with_api(shop, story)


def round_trips(lab: Lab) -> int:
    """How often Redis has read from a socket; what comes in one piece counts once."""
    stats = lab.redis.info("stats")
    assert isinstance(stats, dict)
    return int(stats["total_reads_processed"])
