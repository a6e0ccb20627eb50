"""The index of what commits did, over real repositories: growth, rewriting, loss, damage and many readers."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from adapters.history import SqliteHistory
from adapters.history_index import CHUNK, Indexer
from adapters.history_store import Store
from adapters.ports import MissingCommit
from gitops.commits import GitCommit
from tests.support.stories import (
    BASE,
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
