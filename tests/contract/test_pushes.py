"""From a forge's delivery to jobs: pushes and requests, doubled, late and out of order."""

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.forges.deliveries import Ping, Push
from adapters.ports import never
from adapters.records import JobFilter, JobRecord, JobState
from gitops.changes import ActorKind, JobKind
from gitops.operations import AddService, CreateProject, UpdateProject, ValueSetting
from gitops.problems import Refused, Unavailable
from gitops.services import Source
from jobs.pushes import Accepted, accept
from tests.fakes import FakeBuilder, FakeRegistry, FakeSources
from tests.support.lab import Lab, make_lab
from tests.support.push_shop import AUTHOR, REGISTRY, SERVICES, URL, Shop
from tests.support.valkey import ValkeyServer

Asked = Callable[[], bool]


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Shop]:
    sources, builder = FakeSources(), FakeBuilder()
    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        lab.ports = replace(
            lab.ports, sources=sources, builder=builder, registry=FakeRegistry(REGISTRY, builder.pushed)
        )
        made = Shop(lab, sources)
        lab.admit(CreateProject("shop", ("development", "staging")))
        for name in SERVICES:
            lab.admit(AddService("shop", name, f"{REGISTRY}/shop/{name}", source=Source(URL, context_path=name)))
        lab.admit(UpdateProject("shop", (ValueSetting("branches.main", ["development"]),)))
        lab.admit(UpdateProject("shop", (ValueSetting("previews.enabled", value=True),)))
        made.carry()
        yield made


def states(lab: Lab, accepted: Accepted) -> list[JobState]:
    return [lab.job(job.id).state for job in accepted.jobs]


def kinds(jobs: tuple[JobRecord, ...]) -> list[JobKind]:
    return [job.kind for job in jobs]


def test_a_push_builds_and_deploys_what_follows_the_branch(shop: Shop) -> None:
    sha = shop.commit("1")
    accepted = shop.push(sha)
    assert kinds(accepted.jobs) == [JobKind.BUILD, JobKind.BUILD]
    assert (accepted.jobs[0].actor.name, accepted.jobs[0].actor.kind) == ("Bo", ActorKind.AUTOMATION)
    shop.carry()
    assert {shop.tag("development", name) for name in SERVICES} == {sha[:7]}
    assert shop.tag("staging") is None


def test_the_same_delivery_leads_to_the_same_jobs(shop: Shop) -> None:
    sha = shop.commit("1")
    first, again = shop.push(sha, delivery="one"), shop.push(sha, delivery="one")
    shop.carry()
    afterwards = shop.push(sha, delivery="one")
    assert [job.id for job in first.jobs] == [job.id for job in again.jobs] == [job.id for job in afterwards.jobs]


def test_a_service_whose_files_did_not_change_is_not_deployed_again(shop: Shop) -> None:
    first = shop.commit("1")
    shop.push(first)
    shop.carry()
    second = shop.commit("2")
    accepted = shop.push(second)
    shop.carry()
    assert (shop.tag("development", "api"), shop.tag("development", "web")) == (second[:7], first[:7])
    assert [shop.lab.job(job.id).no_change for job in accepted.jobs] == [False, True]


def test_pushes_in_any_order_end_at_the_newest(shop: Shop) -> None:
    shas = [shop.commit(str(number)) for number in range(5)]
    shuffled = random.Random(7).sample(shas * 2, 10)  # noqa: S311 - a shuffle, not a secret
    for sha in shuffled:
        shop.push(sha)
    shop.carry()
    assert shop.tag("development") == shas[-1][:7]


def test_a_push_that_nobody_told_of_is_found_by_looking(shop: Shop) -> None:
    sha = shop.commit("1")
    shop.poll()
    shop.carry()
    assert shop.tag("development") == sha[:7]
    newer = shop.commit("2")
    shop.poll()
    shop.poll()
    shop.carry()
    assert shop.tag("development") == newer[:7]
    builds = shop.lab.ports.ledger.page(JobFilter(kinds=(JobKind.BUILD,), project="shop"), 100, None).jobs
    assert len(builds) == 4  # two pushes, two services


def test_a_branch_that_went_back_is_found_by_looking_each_time(shop: Shop) -> None:
    shas = [shop.commit("1"), shop.commit("2")]
    for sha in (*shas, *shas):
        shop.sources.repositories[URL].refs["main"] = sha
        shop.poll()
        shop.carry()
        assert shop.tag("development") == sha[:7]


def test_a_source_that_does_not_answer_keeps_no_other_from_being_looked_at(shop: Shop) -> None:
    shop.lab.carry(AddService("shop", "lost", f"{REGISTRY}/shop/lost", source=Source("https://gone.example.org/x")))
    sha = shop.commit("1")
    shop.poll()
    shop.carry()
    assert shop.tag("development") == sha[:7]


def test_a_host_that_says_nothing_keeps_no_other_project_waiting(shop: Shop) -> None:
    url, answers = "https://silent.example.org/x", threading.Event()

    class Silent(FakeSources):
        def head(self, asked: str, branch: str, credentials: bytes | None, stopped: Asked = never) -> str | None:
            return None if asked == url and answers.wait() else super().head(asked, branch, credentials, stopped)

    shop.lab.settle(CreateProject("first", ("development",)))
    settings = UpdateProject("first", (ValueSetting("branches.main", ["development"]),))
    shop.lab.carry(AddService("first", "api", f"{REGISTRY}/first/api", source=Source(url)), settings)
    shop.commit("1")
    shop.lab.ports = replace(shop.lab.ports, sources=Silent(shop.sources.repositories))
    round_ = threading.Thread(target=shop.poll, daemon=True)
    round_.start()
    try:
        shop.lab.wait("the builds", lambda: shop.lab.ports.ledger.unfinished(["shop"]).get("shop") or None)
    finally:
        answers.set()
        round_.join(30)


def test_a_project_that_cannot_be_looked_at_keeps_no_other_from_it(shop: Shop) -> None:
    ports = shop.lab.ports
    shop.lab.settle(CreateProject("first", ("development",)))
    settings = UpdateProject("first", (ValueSetting("branches.main", ["development"]),))
    shop.lab.carry(AddService("first", "api", f"{REGISTRY}/first/api", source=Source(URL)), settings)
    ports.secrets.put("projects.first.clone", b"no secret of ours")
    sha = shop.commit("1")
    shop.poll()
    shop.carry()
    assert shop.tag("development") == sha[:7]


def test_what_leads_to_nothing_says_why(shop: Shop) -> None:
    sha = shop.commit("1")
    ports = shop.lab.ports
    other = Push("x1", ("https://git.example.org/other",), "main", sha, AUTHOR)
    deleted = Push("x2", (URL,), "main", None, AUTHOR)
    ignored = [
        shop.push(sha, "elsewhere").ignored,
        accept(ports, "shop", "github", other).ignored,
        accept(ports, "shop", "github", deleted).ignored,
        accept(ports, "shop", "github", Ping("x3")).ignored,
        accept(ports, "ghost", "github", other).ignored,
    ]
    assert all(ignored)
    assert len(set(ignored)) == 5


def test_a_push_that_cannot_be_built_now_is_to_be_sent_again(shop: Shop) -> None:
    sha = shop.commit("1")
    shop.lab.ports = replace(shop.lab.ports, registry=None)
    with pytest.raises(Refused) as refusal:
        shop.push(sha)
    assert isinstance(refusal.value.problem, Unavailable)


def test_a_request_gets_an_environment_with_its_image_and_loses_it_when_closed(shop: Shop) -> None:
    shop.push(shop.commit("1"))
    shop.carry()
    sha = shop.commit("2", "feature")
    opened = shop.request(sha, 0)
    assert kinds(opened.jobs) == [JobKind.ENVIRONMENT_CREATE, JobKind.BUILD, JobKind.BUILD]
    shop.carry()
    assert shop.tag("pr-7") == sha[:7]
    newer = shop.commit("3", "feature")
    assert kinds(shop.request(newer, 1).jobs) == [JobKind.BUILD, JobKind.BUILD]
    shop.carry()
    assert shop.tag("pr-7") == newer[:7]
    assert kinds(shop.request(newer, 2, is_open=False).jobs) == [JobKind.ENVIRONMENT_DELETE]
    shop.carry()
    assert shop.environments() == {"development", "staging"}


@pytest.mark.parametrize("seed", range(4))
def test_deliveries_in_any_order_end_in_the_requests_last_state(shop: Shop, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a shuffle, not a secret
    sha = shop.commit("2", "feature")
    closed_last = seed % 2 == 0
    story = [(0, True), (1, True), (2, False), (3, True), (4, not closed_last)]
    for minute, is_open in chance.sample(story * 2, 10):
        shop.request(sha, minute, is_open=is_open)
        if chance.random() < 0.5:
            shop.carry()
    shop.carry()
    assert ("pr-7" in shop.environments()) is not closed_last


def test_closed_before_opened_makes_nothing(shop: Shop) -> None:
    sha = shop.commit("2", "feature")
    assert shop.request(sha, 5, is_open=False).ignored
    late = shop.request(sha, 0)
    assert (late.jobs, bool(late.ignored)) == ((), True)


def test_closing_ends_the_builds_of_the_request(shop: Shop) -> None:
    sha = shop.commit("2", "feature")
    opened = shop.request(sha, 0)
    shop.request(sha, 1, is_open=False)
    shop.carry()
    assert states(shop.lab, opened)[1:] == [JobState.CANCELED, JobState.CANCELED]
    assert "pr-7" not in shop.environments()


def test_a_request_that_is_closed_is_deleted_once_however_often_that_is_told(shop: Shop) -> None:
    sha = shop.commit("2", "feature")
    shop.request(sha, 0)
    shop.carry()
    closed = [shop.request(sha, minute, is_open=False).jobs for minute in (1, 1, 2)]
    assert closed[0] == closed[1] == closed[2]
    assert shop.request(sha, 3).jobs[0].kind is JobKind.ENVIRONMENT_CREATE
    shop.carry()
    assert "pr-7" in shop.environments()


def test_the_limit_stops_new_previews_and_never_updates(shop: Shop) -> None:
    shop.set("previews.limit", 1)
    sha = shop.commit("2", "feature")
    assert shop.request(sha, 0, number=7).jobs
    assert "previews.limit" in (shop.request(sha, 0, number=8).ignored or "")
    shop.carry()
    assert "previews.limit" in (shop.request(sha, 1, number=8).ignored or "")
    assert kinds(shop.request(sha, 1, number=7).jobs) == [JobKind.BUILD, JobKind.BUILD]


def test_forks_are_refused_unless_they_are_allowed(shop: Shop) -> None:
    sha = shop.commit("2", "feature")
    assert "previews.forks" in (shop.request(sha, 0, fork=True).ignored or "")
    shop.set("previews.forks", value=True)
    assert shop.request(sha, 1, fork=True).jobs


def test_an_environment_that_is_no_preview_is_never_touched(shop: Shop) -> None:
    shop.set("previews.enabled", value=False)
    assert "previews.enabled" in (shop.request(shop.commit("2", "feature"), 0).ignored or "")
    shop.set("previews.enabled", value=True)
    assert shop.request("0" * 40, 1, is_open=False, number=9).ignored
