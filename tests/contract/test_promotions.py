"""Promotions through the whole of Lucity: what arrives is what stood in the source at that very commit."""

import threading
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.records import JobState
from gitops import messages, repository
from gitops.changes import ActorKind, Change
from gitops.commits import CommitKind
from gitops.operations import AddService, CreateProject, Deploy, Promote, ServiceImage
from gitops.problems import Conflict, ConflictCode, GateClosed, Refused
from jobs import heads
from jobs.engine import carry_out
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab, make_lab
from tests.support.valkey import ValkeyServer

ROBOT = replace(ANN, id="tok_robot", kind=ActorKind.AUTOMATION)
SERVICES = ("api", "cart", "mail", "web")
PLACES = ("development", "staging", "production")


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url, batch_limit=3)) as made:
        made.flush()
        yield made


@pytest.fixture
def shop(lab: Lab) -> Lab:
    """Four services, which run in development."""
    lab.settle(CreateProject("shop", PLACES))
    lab.carry(*(AddService("shop", name, f"registry.example.com/{name}") for name in SERVICES), deploy("v0"))
    return lab


def deploy(tag: str, environment: str = "development", services: tuple[str, ...] = SERVICES) -> Deploy:
    return Deploy("shop", environment, tuple(ServiceImage(name, tag) for name in services))


def images(lab: Lab, sha: str, environment: str) -> dict[str, str]:
    tree = lab.ports.repositories.snapshot("shop", sha)
    return {name: image.tag for name, image in (repository.images(tree, environment) or {}).items()}


def test_promotions_of_whole_environments_at_once_never_interleave(shop: Lab) -> None:
    changes: list[Change] = []
    for number in range(1, 6):
        changes += [deploy(f"v{number}", services=(SERVICES[number % 4],)), Promote("shop", *PLACES[:2])]
        changes += [Promote("shop", *PLACES[1:]), Promote("shop", *PLACES[:2])]
    jobs = [shop.admit(change) for change in changes]
    with closing(make_lab(shop.folder, shop.ports.settings.redis, batch_limit=3)) as other:
        workers = [
            threading.Thread(target=until_done, args=(one, name)) for one, name in ((shop, "first"), (other, "second"))
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    ended = [shop.job(job.id) for job in jobs]
    assert {job.state for job in ended} == {JobState.SUCCEEDED}
    made = [job.commit for job in ended if job.commit and job.kind.value == "PROMOTE"]
    assert len(made) == len(set(made)) >= 10
    head = shop.ports.events.heads(["shop"])["shop"]
    for sha, record in shop.ports.history.find("shop", head, made).items():
        target, source = (PLACES[1], PLACES[0]) if record.environments == (PLACES[1],) else (PLACES[2], PLACES[1])
        (read_at,) = messages.parse(record.git.message).all(messages.FROM_COMMIT)
        assert (record.kind, record.environments, read_at) == (CommitKind.PROMOTE, (target,), record.git.parents[0])
        assert images(shop, sha, target) == images(shop, read_at, source)


def until_done(lab: Lab, owner: str) -> None:
    """Work beside others until nothing is left."""
    while lab.ports.ledger.unfinished(["shop"])["shop"]:
        carry_out(lab.ports, "shop", owner)


def test_some_services_travel_in_one_commit(shop: Lab) -> None:
    (job,) = shop.carry(Promote("shop", "development", "staging", ("web", "api")))
    assert job.summary == "promote(staging): api v0, web v0 from development"
    assert images(shop, job.commit or "", "staging") == {"api": "v0", "web": "v0"}


def test_a_way_that_the_pipeline_does_not_have_is_refused_at_once_and_passed_by_override(shop: Lab) -> None:
    promote = """mutation { promote(input: {project: "shop", from: "development", to: "production", %s}) { __typename
        ... on Job { id } ... on InvalidInput { errors { path } } ... on GateClosed { gates { name open } } } }"""

    async def story(api: Api) -> None:
        closed = {"__typename": "GateClosed", "gates": [{"name": "pipeline", "open": False}]}
        assert await api.change(promote % "override: false") == closed
        assert await api.change(promote % 'override: true, reason: "now"', ROBOT) == closed
        assert (await api.change(promote % "override: true"))["errors"] == [{"path": ["reason"]}]
        job: dict[str, Any] = await api.change(promote % 'override: true, reason: "now"')
        shop.work("shop")
        sha = shop.job(job["id"]).commit or ""
        record = shop.ports.history.find("shop", sha, [sha])[sha]
        assert ("Override", "pipeline: now") in messages.parse(record.git.message).trailers
        assert images(shop, sha, "production") == dict.fromkeys(SERVICES, "v0")

    with_api(shop, story)


def test_a_pipeline_that_is_pushed_by_hand_opens_its_ways(shop: Lab) -> None:
    past = Promote("shop", "development", "production")
    with pytest.raises(Refused) as refused:
        shop.admit(past)
    assert isinstance(refused.value.problem, GateClosed)
    clone = shop.clone("shop")
    clone.commit("ship at once", {"project.yaml": "pipeline: [{from: development, to: production}]\n"})
    clone.push()
    heads.notice(shop.ports, "shop")
    (job,) = shop.carry(past)
    assert job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("environment", ["development", "staging"])
def test_a_promotion_of_what_was_looked_at_is_refused_when_either_side_moved(shop: Lab, environment: str) -> None:
    seen = shop.ports.events.heads(["shop"])["shop"]
    shop.carry(deploy("v9", "production"))
    assert shop.admit(Promote("shop", "development", "staging", ("api",)), expected_head=seen).expected_head == seen
    shop.carry(deploy("v9", environment))
    with pytest.raises(Refused) as refused:
        shop.admit(Promote("shop", "development", "staging"), expected_head=seen)
    problem = refused.value.problem
    assert isinstance(problem, Conflict)
    assert problem.code is ConflictCode.HEAD_MOVED
