"""Subscriptions over real Git and a real Valkey."""

import asyncio
from typing import Any

import pytest

from adapters.records import JobRecord, JobState
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab

JOB = "subscription J($id: ID!, $after: String) { job(id: $id, after: $after) { cursor gap job { state } } }"
LOG = "subscription L($id: ID!, $after: String) { jobLog(id: $id, after: $after) { cursor gap line { text } } }"
EVENTS = """subscription E($after: String) { projectEvents(project: "shop", after: $after) {
    cursor gap kind job { state } commit { subject } environment { name } project { head { subject } } } }"""
ROLLOUT = """subscription R($commit: String!, $after: String) {
    rollout(project: "shop", environment: "development", commit: $commit, after: $after) {
    cursor gap commit { subject } rollout { phase final } deployments { image { tag } } } }"""
STATUS = """subscription S($after: String) {
    environmentStatus(project: "shop", environment: "development", after: $after) {
    cursor gap environment { name } status { sync revision stale } } }"""


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """A project with one environment and service api."""
    lab.settle(CreateProject("shop", ("development",)))
    lab.carry(AddService("shop", "api", "registry.example.com/shop/api", port=8080))
    return lab


def deploy(tag: str) -> Deploy:
    return Deploy("shop", "development", (ServiceImage("api", tag),))


async def carried(api: Api, *changes: Deploy) -> list[JobRecord]:
    return await asyncio.to_thread(api.lab.carry, *changes)


def test_a_job_stream_begins_with_the_present_and_completes_with_the_end(shop: Lab) -> None:
    async def story(api: Api) -> None:
        job = api.lab.admit(deploy("a1b2c3d"))
        async with api.stream(JOB, id=job.id) as stream:
            first = await stream.next()
            await asyncio.to_thread(api.lab.work, "shop")
            states = [first["job"]["state"], *(item["job"]["state"] for item in await stream.rest())]
        assert list(dict.fromkeys(states)) == ["QUEUED", "RUNNING", "SUCCEEDED"]

    with_api(shop, story)


def test_a_job_stream_cut_at_every_item_resumes_without_gap_or_double(shop: Lab) -> None:
    async def story(api: Api) -> None:
        start = api.lab.ports.events.position()
        (job,) = await carried(api, deploy("a1b2c3d"))
        async with api.stream(JOB, id=job.id, after=start) as stream:
            whole = await stream.rest()
        assert [item["job"]["state"] for item in whole][-1] == "SUCCEEDED"
        for index, item in enumerate(whole):
            async with api.stream(JOB, id=job.id, after=item["cursor"]) as stream:
                assert await stream.rest() == whole[index + 1 :]

    with_api(shop, story)


def test_a_landed_job_without_a_record_is_one_item(shop: Lab) -> None:
    (job,) = shop.carry(deploy("a1b2c3d"))
    shop.flush()

    async def story(api: Api) -> None:
        async with api.stream(JOB, id=job.id) as stream:
            assert [item["job"]["state"] for item in await stream.rest()] == ["SUCCEEDED"]

    with_api(shop, story)


def test_an_unknown_job_is_not_found(shop: Lab) -> None:
    async def story(api: Api) -> None:
        for document in (JOB, LOG):
            async with api.stream(document, id="job_aaaaaaaaaaaaaaaaaaaaaaaaaa") as stream:
                assert await stream.failure() == "NOT_FOUND"

    with_api(shop, story)


def test_a_job_lost_while_it_is_followed_says_so(shop: Lab) -> None:
    async def story(api: Api) -> None:
        job = api.lab.admit(deploy("a1b2c3d"))
        api.lab.ports.events.append_log(job.id, [("step", "one")])
        async with api.stream(JOB, id=job.id) as stream, api.stream(LOG, id=job.id) as log:
            assert (await stream.next())["job"]["state"] == "QUEUED"
            assert (await log.next())["line"]["text"] == "one"
            failing = asyncio.ensure_future(log.failure())
            await asyncio.to_thread(api.lab.flush)
            assert await stream.failure() == "JOB_LOST"
            assert await failing == "JOB_LOST"

    with_api(shop, story)


@pytest.mark.parametrize(("document", "extra"), [(JOB, {}), (EVENTS, {}), (STATUS, {}), (ROLLOUT, {})])
def test_a_lost_cursor_is_one_gap_with_the_present_state(shop: Lab, document: str, extra: dict[str, str]) -> None:
    async def story(api: Api) -> None:
        (job,) = await carried(api, deploy("a1b2c3d"))
        given = {"id": job.id} if document is JOB else {"commit": job.commit} if document is ROLLOUT else extra
        async with api.stream(document, after=f"{'0' * 16}.7", **given) as stream:
            first = await stream.next()
        assert first["gap"] is True
        assert first["cursor"] == api.lab.ports.events.position()

    with_api(shop, story)


def test_a_log_is_sent_as_it_grows_and_completes_with_the_job(shop: Lab) -> None:
    async def story(api: Api) -> None:
        job = api.lab.admit(deploy("a1b2c3d"))
        log = api.lab.ports.events
        log.append_log(job.id, [("step", "one"), ("step", "two")])
        async with api.stream(LOG, id=job.id) as stream:
            items = [await stream.next(), await stream.next()]
            log.append_log(job.id, [("step", "three")])
            items.append(await stream.next())
            assert [item["line"]["text"] for item in items] == ["one", "two", "three"]
            await asyncio.to_thread(api.lab.work, "shop")
            rest = await stream.rest()
        async with api.stream(LOG, id=job.id, after=items[0]["cursor"]) as stream:
            assert await stream.rest() == [*items[1:], *rest]

    with_api(shop, story)


def test_a_lost_cursor_of_a_log_is_one_gap_and_every_item_after_it_can_be_resumed(shop: Lab) -> None:
    async def story(api: Api) -> None:
        (job,) = await carried(api, deploy("a1b2c3d"))
        lost = f"{'0' * 16}.7"
        async with api.stream(LOG, id=job.id, after=lost) as stream:
            gap, *lines = await stream.rest()
        assert ([gap["gap"], gap["line"]], bool(lines)) == ([True, None], True)
        async with api.stream(LOG, id=job.id, after=gap["cursor"]) as stream:
            assert await stream.rest() == lines
        await asyncio.to_thread(api.lab.flush)
        async with api.stream(LOG, id=job.id, after=lost) as stream:
            (gap,) = await stream.rest()
        assert [gap["gap"], gap["cursor"]] == [True, lost]

    with_api(shop, story)


def test_project_events_tell_jobs_commits_and_deployments_in_order(shop: Lab) -> None:
    async def story(api: Api) -> None:
        async with api.stream(EVENTS) as stream:
            snapshot = await stream.next()
            assert [snapshot["kind"], snapshot["project"]["head"]["subject"]] == [
                "SNAPSHOT",
                "config(base): add service api",
            ]
            with api.lab.observer():
                (job,) = await carried(api, deploy("a1b2c3d"))
                items = [await stream.next()]
                while not is_deployment(items[-1], "deploy(development): api a1b2c3d"):
                    items.append(await stream.next())
        told = [item["kind"] for item in items if item["kind"] != "STATUS"]
        assert job.state is JobState.SUCCEEDED
        assert told[0] == "JOB"
        (commit,) = (item for item in items if item["kind"] == "COMMIT")
        assert commit["commit"]["subject"] == "deploy(development): api a1b2c3d"
        assert commit["environment"] == {"name": "development"}
        async with api.stream(EVENTS, after=items[0]["cursor"]) as stream:
            assert [(await stream.next())["cursor"] for _ in items[1:]] == [item["cursor"] for item in items[1:]]

    with_api(shop, story)


def is_deployment(item: dict[str, Any], subject: str) -> bool:
    return bool(item["kind"] == "DEPLOYMENT" and item["commit"]["subject"] == subject)


def test_a_rollout_stream_completes_at_its_final_phase(shop: Lab) -> None:
    async def story(api: Api) -> None:
        (job,) = await carried(api, deploy("a1b2c3d"))
        async with api.stream(ROLLOUT, commit=job.commit) as stream:
            first = await stream.next()
            assert first["rollout"] == {"phase": "PENDING", "final": False}
            with api.lab.observer():
                rest = await stream.rest()
        last: dict[str, Any] = rest[-1]
        assert last["rollout"] == {"phase": "SYNCED", "final": True}
        assert last["deployments"] == [{"image": {"tag": "a1b2c3d"}}]
        async with api.stream(ROLLOUT, commit=job.commit, after=rest[-1]["cursor"]) as stream:
            assert await stream.rest() == []
        async with api.stream(ROLLOUT, commit="abcdef1") as stream:
            assert await stream.failure() == "NOT_FOUND"

    with_api(shop, story)


def test_an_environment_status_is_sent_at_once_and_when_it_changes(shop: Lab) -> None:
    async def story(api: Api) -> None:
        async with api.stream(STATUS) as stream:
            assert (await stream.next())["environment"] == {"name": "development"}
            with api.lab.observer():
                (job,) = await carried(api, deploy("a1b2c3d"))
                item = await stream.next()
                while item["status"]["revision"] != job.commit:
                    item = await stream.next()
        assert item["status"] == {"sync": "SYNCED", "revision": job.commit, "stale": False}

    with_api(shop, story)
