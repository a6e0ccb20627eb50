"""What the index of history answers, over real repositories: records, pages, filters, deployments, newest commits."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from adapters.history_walk import walk
from gitops.commits import CommitFilter, CommitKind, CommitRecord, DeploymentRecord, Image, SignatureState
from gitops.history import State
from gitops.problems import Refused
from gitops.repository import read
from tests.support.stories import (
    BASE,
    BEGIN,
    PROJECT,
    REPOSITORIES,
    Story,
    deploy,
    everything,
    shas,
    tags,
    values,
    wander,
)

ANY = CommitFilter()
DEV = values("development")
PROD = values("production")


def test_a_record_holds_who_when_why_and_what(story: Story) -> None:
    story.born(development=tags())
    sha = deploy(story, "development", job="job_7", api="a1b2c3d")
    (record, born) = everything(story.history(), story.head)
    assert (record.number, born.number) == (2, 1)
    assert record.git == story.mirrors.git_commit(PROJECT, sha)
    assert record.git.signature.state is SignatureState.VALID
    assert (record.kind, record.job_id) == (CommitKind.DEPLOY, "job_7")
    assert (record.environments, record.services) == (("development",), ("api",))
    assert [change.after for change in record.images] == [Image("registry.local/api", "a1b2c3d")]
    assert (born.kind, born.services) == (CommitKind.PROJECT_CREATE, ("api", "web"))


def test_pages_follow_each_other_without_gap_or_double_while_commits_arrive(story: Story) -> None:
    story.born(development=tags())
    for number in range(7):
        deploy(story, "development", api=f"{number}")
    history, told, found = story.history(), list(reversed(story.told)), []
    after, more = None, True
    while more:
        page, more = history.commits(PROJECT, story.head, ANY, 3, after)
        found += shas(page)
        after = found[-1]
        deploy(story, "development", web="new")
    assert found == told


@pytest.mark.parametrize("cursor", ["0" * 40, "", "x'; DROP TABLE commits --"])
def test_a_cursor_that_is_no_commit_of_this_history_is_refused(story: Story, cursor: str) -> None:
    story.born(development=tags())
    with pytest.raises(Refused, match="cursor"):
        story.history().commits(PROJECT, story.head, ANY, 3, cursor)


def test_a_cursor_newer_than_the_head_is_refused(story: Story) -> None:
    first = story.born(development=tags())
    second = deploy(story, "development", api="1")
    history = story.history()
    assert shas(everything(history, second)) == [second, first]
    with pytest.raises(Refused, match="cursor"):
        history.commits(PROJECT, first, ANY, 3, second)


FILTERS: dict[str, tuple[CommitFilter, Callable[[CommitRecord], bool]]] = {
    "kinds": (
        CommitFilter(kinds=(CommitKind.DEPLOY, CommitKind.ENV_DELETE)),
        lambda record: record.kind in {CommitKind.DEPLOY, CommitKind.ENV_DELETE},
    ),
    "environment": (CommitFilter(environment="pr-1"), lambda record: "pr-1" in record.environments),
    "service": (CommitFilter(service="web"), lambda record: "web" in record.services),
    "author by name": (CommitFilter(author="ZOË"), lambda record: record.git.author.name == "Zoë"),
    "author by address": (CommitFilter(author="ANN@"), lambda record: record.git.author.name == "Ann"),
    "since": (
        CommitFilter(since=BEGIN + timedelta(minutes=20)),
        lambda record: record.git.committed_at >= BEGIN + timedelta(minutes=20),
    ),
    "until": (
        CommitFilter(until=BEGIN + timedelta(minutes=30)),
        lambda record: record.git.committed_at <= BEGIN + timedelta(minutes=30),
    ),
    "text": (CommitFilter(text="DEPLOY(pr"), lambda record: "deploy(pr" in record.git.message),
    "text with marks": (CommitFilter(text="%'\"_"), lambda _: False),
    "environment that never was": (CommitFilter(environment="nowhere"), lambda _: False),
    "path that never was": (CommitFilter(path="docs/nothing"), lambda _: False),
}
PATHS = {
    "folder": (CommitFilter(path="environments/production/"), "environments/production/"),
    "file": (CommitFilter(path="docs/1.md"), "docs/1.md"),
}


def given(where: CommitFilter) -> dict[str, Any]:
    return {key: value for key, value in vars(where).items() if value}


def in_set(found: set[str], record: CommitRecord) -> bool:
    return record.git.sha in found


def test_every_filter_alone_and_with_every_other_finds_exactly_what_holds(story: Story) -> None:
    wander(story, 60, seed=1)
    history = story.history()
    records = everything(history, story.head)
    changed = {one.record.git.sha: one.paths for one, _ in walk(story.mirrors, PROJECT, story.told, 0, State())}
    filters = dict(FILTERS)
    for name, (where, start) in PATHS.items():
        below = {sha for sha, paths in changed.items() if any(path.startswith(start) for path in paths)}
        filters[name] = (where, partial(in_set, below))
    assert sum(any(map(holds, records)) for _, holds in filters.values()) == len(filters) - 3
    for where, holds in filters.values():
        for other, also in filters.values():
            both = {**given(where), **given(other)}
            if {*both.items()} != {*given(where).items(), *given(other).items()}:
                continue  # two conditions on one field
            expected = [record for record in records if holds(record) and also(record)]
            page, more = history.commits(PROJECT, story.head, CommitFilter(**both), 5, None)
            assert (list(page), more) == (expected[:5], len(expected) > 5), both


def test_find_knows_full_and_unique_short_shas_and_nothing_else(story: Story) -> None:
    wander(story, 40, seed=2)
    history, sha = story.history(), story.told[10]
    asked = [sha, sha[:12], sha[:12].upper(), sha[:3], "zzzz", "", "%", f"{sha}0", "main", "f" * 40]
    found = history.find(PROJECT, story.head, asked)
    assert {key: record.git.sha for key, record in found.items()} == dict.fromkeys(asked[:3], sha)
    older = story.told[5]
    assert history.find(PROJECT, older, [sha]) == {}


def test_a_short_sha_of_two_commits_is_nobodys(story: Story) -> None:
    story.born(development=tags())
    for number in range(600):
        story.by_hand(f"{number}\n", {})
    prefixes = sorted(sha[:4] for sha in story.told)
    doubled = next((one for one, next_ in pairwise(prefixes) if one == next_), None)
    single = next(one for one in prefixes if prefixes.count(one) == 1)
    found = story.history().find(PROJECT, story.head, [single, *([doubled] if doubled else [])])
    assert set(found) == {single}


def test_landed_believes_only_what_lucity_signed(story: Story) -> None:
    story.born(development=tags())
    landed = deploy(story, "development", job="job_1", api="1")
    story.by_hand("deploy(development): api 2\n\nJob-Id: job_2\n", {DEV: tags(api="2")})
    story.by_hand("deploy(development): api 1\n\nJob-Id: job_1\n", {DEV: tags(api="1")})
    found = story.history().landed(PROJECT, story.head, ["job_1", "job_2", "job_3"])
    assert {job: record.git.sha for job, record in found.items()} == {"job_1": landed}
    assert story.history().landed(PROJECT, story.told[0], ["job_1"]) == {}


def test_a_revert_by_hand_is_a_deployment_of_the_old_image(story: Story) -> None:
    story.born(development=tags(api="1"))
    deploy(story, "development", api="2")
    back = story.by_hand('Revert "deploy(development): api 2"\n', {DEV: tags(api="1")})
    page, more = story.history().deployments(PROJECT, story.head, "development", "api", 10, None)
    assert [(one.image.tag, one.previous and one.previous.tag, one.current) for one in page] == [
        ("1", "2", True),
        ("2", "1", False),
        ("1", None, False),
    ]
    assert (page[0].commit.git.sha, page[0].commit.kind, more) == (back, CommitKind.EXTERNAL, False)


def test_deployments_page_by_commit_environment_and_service(story: Story) -> None:
    wander(story, 50, seed=3)
    history = story.history()
    whole, _ = history.deployments(PROJECT, story.head, None, None, 10_000, None)
    expected = [
        (record.git.sha, change.environment, change.service)
        for record in everything(history, story.head)
        for change in record.images
        if change.after is not None
    ]
    assert [(one.commit.git.sha, one.environment, one.service) for one in whole] == expected
    found: list[DeploymentRecord] = []
    after, more = None, True
    while more:
        page, more = history.deployments(PROJECT, story.head, None, None, 3, after)
        found += page
        after = f"{page[-1].commit.git.sha}:{page[-1].environment}:{page[-1].service}"
    assert found == list(whole)
    for environment in (None, "production"):
        for service in (None, "web"):
            page, _ = history.deployments(PROJECT, story.head, environment, service, 10_000, None)
            wanted = [one for one in whole if environment in (None, one.environment) and service in (None, one.service)]
            assert list(page) == wanted
    with pytest.raises(Refused, match="cursor"):
        history.deployments(PROJECT, story.head, None, None, 3, story.head)


def test_at_every_head_the_current_deployments_are_the_images_that_the_repository_names(story: Story) -> None:
    wander(story, 50, seed=4)
    history = story.history()
    for head in reversed(story.told):
        there = {
            (environment.name, service.name): service.image
            for environment in read(story.mirrors.snapshot(PROJECT, head)).environments
            for service in environment.services or ()
            if service.image is not None
        }
        current = history.current(PROJECT, head)
        assert {key: deployment.image for key, deployment in current.items()} == there
        marked, _ = history.deployments(PROJECT, head, None, None, 10_000, None)
        assert {(one.environment, one.service): one for one in marked if one.current} == current


def test_what_an_environments_predecessor_ran_is_not_current_after_it_was_created_again(story: Story) -> None:
    story.born(development=tags(api="1"), production=tags(api="1"))
    gone = story.signed("env(delete): production\n", {PROD: None})
    again = story.signed("env(create): production\n", {PROD: "{}\n"})
    history = story.history()
    assert ("production", "api") in history.current(PROJECT, story.told[0])
    assert set(history.current(PROJECT, gone)) == {("development", "api")}
    assert set(history.current(PROJECT, again)) == {("development", "api")}
    newest = history.newest(PROJECT, again)
    assert newest["production", "+"].git.sha == newest["production", ""].git.sha == again
    assert ("production", "api") not in newest
    assert not any(one.current for one in history.deployments(PROJECT, again, "production", None, 10, None)[0])


def test_newest_tells_the_last_commit_of_each_service_environment_and_identity(story: Story) -> None:
    born = story.born(development=tags(api="1", web="1"), production=tags(api="1"))
    deployed = deploy(story, "development", api="2", web="1")
    chart = story.signed("chart(base): upgrade lucity-app 0.1.0 to 0.2.0\n", {"base/Chart.yaml": "version: 0.2.0\n"})
    moved = story.by_hand("move web\n", {BASE: REPOSITORIES.replace("local/web", "far/web")})
    story.by_hand("words\n", {"README.md": "# Shop\n"})
    history = story.history()
    newest = {key: record.git.sha for key, record in history.newest(PROJECT, story.head).items()}
    assert newest == {
        ("development", ""): moved,
        ("development", "+"): born,
        ("development", "api"): deployed,
        ("development", "web"): moved,
        ("production", ""): moved,
        ("production", "+"): born,
        ("production", "api"): born,
        ("production", "web"): moved,
    }
    assert history.newest(PROJECT, chart)["production", ""].git.sha == chart


def test_a_merge_is_what_it_changed_against_its_first_parent(story: Story) -> None:
    story.born(development=tags(api="1"), production=tags(api="1"))
    trunk = deploy(story, "development", api="2")
    side = story.by_hand("side\n", {PROD: tags(api="9")}, parents=[story.told[0]])
    merge = story.by_hand("merge\n", {PROD: tags(api="9")}, parents=[trunk, side])
    history = story.history()
    records = everything(history, merge)
    assert shas(records) == [merge, trunk, story.told[0]]
    assert [(change.environment, change.after and change.after.tag) for change in records[0].images] == [
        ("production", "9")
    ]
    assert history.find(PROJECT, merge, [side]) == {}


def test_a_broken_file_claims_nothing_also_for_a_process_that_starts_while_it_is_broken(story: Story) -> None:
    story.born(development=tags(api="1", web="1"))
    broken = story.by_hand("oops\n", {DEV: "lucity-app: ["})
    assert everything(story.history(), broken)[0].images == ()
    mended = story.by_hand("mended\n", {DEV: tags(api="2", web="1")})
    images = everything(story.history(), mended)[0].images
    assert [
        (change.service, change.before and change.before.tag, change.after and change.after.tag) for change in images
    ] == [("api", "1", "2")]
