"""The index of what commits did, over real repositories: answers, growth, rewriting, loss and damage."""

import random
import sqlite3
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from adapters.history import SqliteHistory
from adapters.history_index import CHUNK, Indexer
from adapters.history_store import Store
from adapters.history_walk import walk
from adapters.ports import MissingCommit
from gitops.commits import CommitFilter, CommitKind, CommitRecord, DeploymentRecord, GitCommit, Image, SignatureState
from gitops.history import State
from gitops.problems import Refused
from gitops.repository import read
from tests.support.stories import BASE, BEGIN, PROJECT, REPOSITORIES, Story, tags, values

ANY = CommitFilter()
DEV, PROD = values("development"), values("production")


@pytest.fixture
def story(tmp_path: Path) -> Story:
    """A project without a commit."""
    return Story.begin(tmp_path)


def deploy(story: Story, environment: str, *, job: str = "", **services: str) -> str:
    named = ", ".join(f"{name} {tag}" for name, tag in services.items())
    trailers = f"\nJob-Id: {job}\n" if job else ""
    return story.signed(f"deploy({environment}): {named}\n{trailers}", {values(environment): tags(**services)})


def everything(history: SqliteHistory, head: str) -> list[CommitRecord]:
    return list(history.commits(PROJECT, head, ANY, 10_000, None)[0])


def shas(records: Iterable[CommitRecord]) -> list[str]:
    return [record.git.sha for record in records]


def wander(story: Story, length: int, seed: int) -> None:
    """Write a history of every kind of change, by Lucity and by hand."""
    dice = random.Random(seed)  # noqa: S311 - the same history every time
    present = {"development", "production"}
    story.born(development=tags(api="0"), production=tags(api="0", web="0"))
    for number in range(1, length):
        name = dice.choice(["development", "production", "pr-1"])
        services = {one: f"{number}{one}" for one in dice.sample(["api", "web"], dice.randint(0, 2))}
        author = dice.choice(["Ann", "Zoë"])
        write: Callable[..., str] = dice.choice((story.signed, story.by_hand))
        match dice.randint(0, 6):
            case 0 if len(present) > 1 and name in present:
                present.discard(name)
                write(f"env(delete): {name}\n", {values(name): None}, author=author)
            case 1:
                write(
                    "config(base): update service api\n",
                    {BASE: REPOSITORIES.replace("/api", f"/api{number}")},
                    author=author,
                )
            case 2:
                write("docs: words\n", {f"docs/{number % 3}.md": str(number)}, author=author)
            case _:
                present.add(name)
                write(
                    f"deploy({name}): api {number}api\n\nJob-Id: job_{number}\n",
                    {values(name): tags(**services)},
                    author=author,
                )


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


def test_growing_step_by_step_comes_to_the_same_as_indexing_at_once(story: Story, tmp_path: Path) -> None:
    wander(story, 40, seed=5)
    grown = SqliteHistory(tmp_path / "grown", story.mirrors)
    for head in story.told:
        assert everything(grown, head)[0].git.sha == head
    assert everything(grown, story.head) == everything(story.history(), story.head)
    assert grown.newest(PROJECT, story.head) == story.history().newest(PROJECT, story.head)


def test_rewritten_history_is_indexed_again_from_where_it_parted(story: Story, tmp_path: Path) -> None:
    wander(story, 30, seed=6)
    history, lost = story.history(), story.told[15:]
    everything(history, story.head)
    story.signed("env(create): late\n", {values("late"): tags(web="late")}, parent=story.told[14])
    fresh = SqliteHistory(tmp_path / "fresh", story.mirrors)
    assert everything(history, story.head) == everything(fresh, story.head)
    assert history.newest(PROJECT, story.head) == fresh.newest(PROJECT, story.head)
    assert history.current(PROJECT, story.head) == fresh.current(PROJECT, story.head)
    assert history.find(PROJECT, story.head, lost) == {}
    assert shas(everything(history, lost[-1])) == [*reversed(lost), *reversed(story.told[:15])]


def test_a_history_that_shares_nothing_replaces_the_one_before(story: Story) -> None:
    wander(story, 10, seed=7)
    history = story.history()
    everything(history, story.head)
    fresh = story.signed("project(create): shop\n", {BASE: REPOSITORIES, "new.md": "1"}, parent="")
    assert [(record.number, record.git.sha) for record in everything(history, fresh)] == [(1, fresh)]
    assert history.newest(PROJECT, fresh) == {}


@pytest.mark.parametrize("head", ["0" * 40, "", "main", "HEAD", "a1b2c3d"])
def test_a_head_that_the_mirror_lacks_is_missing(story: Story, head: str) -> None:
    story.born(development=tags())
    with pytest.raises(MissingCommit):
        everything(story.history(), head)


def test_a_project_without_a_mirror_is_missing(story: Story) -> None:
    with pytest.raises(MissingCommit):
        story.history().newest("nothing", "0" * 40)


def index_file(story: Story) -> Path:
    (file,) = story.index.glob("*.sqlite")
    return file


def overwrite(file: Path) -> None:
    file.write_bytes(b"no database at all" * 1000)


def truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:6000])


def scramble(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    file.write_bytes(bytes(data))


def forget_a_table(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE records")


def set_another_version(file: Path) -> None:
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA user_version = 99")


@pytest.mark.parametrize(
    "damage",
    [Path.unlink, overwrite, truncate, scramble, forget_a_table, set_another_version],
    ids=lambda one: one.__name__,
)
def test_a_lost_or_damaged_index_comes_back_by_itself(story: Story, damage: Callable[[Path], None]) -> None:
    wander(story, 20, seed=8)
    running = story.history()
    before = everything(running, story.head)
    with closing(sqlite3.connect(index_file(story))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    damage(index_file(story))
    assert everything(story.history(), story.head) == before
    assert everything(running, story.head) == before


def test_an_index_of_an_older_schema_is_removed(story: Story) -> None:
    story.born(development=tags())
    story.index.mkdir()
    old = story.index / f"{PROJECT}.v0.sqlite"
    old.write_bytes(b"old")
    assert len(everything(story.history(), story.head)) == 1
    assert not old.exists()


def test_a_build_that_was_cut_off_goes_on_where_it_was(story: Story) -> None:
    story.born(development=tags())
    for number in range(CHUNK + 20):
        story.by_hand(f"{number}\n", {})
    cut = Lost(story, after=CHUNK + 10)
    with pytest.raises(MissingCommit, match="cut"):
        Indexer(Store(story.index, PROJECT), cut, PROJECT).grow(story.head)
    counting = Lost(story, after=10_000)
    Indexer(Store(story.index, PROJECT), counting, PROJECT).grow(story.head)
    assert counting.read == len(story.told) - CHUNK
    assert shas(everything(story.history(), story.head)) == list(reversed(story.told))


def test_reading_goes_on_while_another_writes(story: Story) -> None:
    wander(story, 10, seed=9)
    history, old = story.history(), story.head
    before = everything(history, old)
    deploy(story, "development", api="new")
    with Store(story.index, PROJECT).writing() as connection:
        connection.execute("DELETE FROM records")
        assert everything(history, old) == before
        connection.execute("ROLLBACK")
        connection.execute("BEGIN")
    assert len(everything(history, story.head)) == len(before) + 1


def test_many_threads_and_processes_may_ask_at_different_heads_at_once(story: Story) -> None:
    wander(story, 60, seed=10)
    several = [story.history() for _ in range(3)]
    numbers = {sha: number for number, sha in enumerate(story.told, 1)}

    def ask(turn: int) -> tuple[int, int]:
        head = story.told[(turn * 7) % len(story.told)]
        return numbers[head], len(everything(several[turn % 3], head))

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(60)))
    assert all(asked == answered for asked, answered in answers)


class Lost:
    """A mirror that counts how many commits were read and ends after some."""

    def __init__(self, story: Story, after: int) -> None:
        self._mirrors = story.mirrors
        self._after = after
        self.read = 0
        self.objects = story.mirrors.objects
        self.trust = story.mirrors.trust

    def git_commit(self, project: str, sha: str) -> GitCommit:
        """One commit, until the end."""
        if self.read >= self._after:
            raise MissingCommit("cut")
        self.read += 1
        return self._mirrors.git_commit(project, sha)
