"""Mirrors shared by processes, tended, broken and made anew."""

import itertools
import os
import time
from contextlib import suppress
from pathlib import Path

import pygit2
import pytest

from adapters.folder_lock import locked
from adapters.mirrors import Mirrors
from adapters.ports import MissingCommit, Unreachable
from adapters.records import PushState
from tests.support.git import Site, git, new_commit
from tests.support.waiting import wait_until

UNKNOWN = "1" * 40


class TestSharing:
    """Several processes and broken mirrors."""

    def test_what_another_process_wrote_is_seen_at_once(self, site: Site, mirrors: Mirrors, root: str) -> None:
        other = site.mirrors()
        assert other.head("myapp") == root
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        assert other.snapshot("myapp", sha).read("a") == b"1"
        mirrors.push("myapp", root, sha)
        assert other.head("myapp") == sha

    def test_readers_survive_that_objects_are_packed(self, site: Site, mirrors: Mirrors, root: str) -> None:
        tree = mirrors.snapshot("myapp", root)
        fresh = site.mirrors()
        path = site.folder / "mirrors" / "myapp.git"
        for _ in range(2):
            git(path, "repack", "-a", "-d", "-q")
            git(path, "prune-packed", "-q")
            assert tree.read("base/a") == b"1"
            assert fresh.snapshot("myapp", root).read("README.md") == b"hello\n"
            root = mirrors.commit("myapp", root, new_commit("x", {"a": os.urandom(8)}))
            mirrors.push("myapp", mirrors.head("myapp") or "", root)

    def test_maintenance_packs_what_is_ours_and_drops_what_was_abandoned(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        abandoned = mirrors.commit("myapp", root, new_commit("abandoned", {"a": b"1"}))
        path = site.folder / "mirrors" / "myapp.git"
        long_ago = time.time() - 7200
        for file in (path / "objects").glob("??/*"):
            os.utime(file, (long_ago, long_ago))
        young = mirrors.commit("myapp", root, new_commit("in flight", {"b": b"1"}))
        _seem_full(mirrors)
        assert mirrors.maintain("myapp").succeeded
        assert len(list((path / "objects" / "pack").glob("*.pack"))) == 1
        assert mirrors.snapshot("myapp", root).read("base/a") == b"1"
        assert mirrors.snapshot("myapp", young).read("b") == b"1"
        with pytest.raises(MissingCommit):
            site.mirrors().snapshot("myapp", abandoned)

    def test_a_mirror_of_many_loose_objects_tends_itself(self, site: Site, mirrors: Mirrors, root: str) -> None:
        path = site.folder / "mirrors" / "myapp.git"
        _seem_full(mirrors)
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED
        wait_until(lambda: bool(list((path / "objects" / "pack").glob("*.pack"))), "the mirror is packed")
        wait_until(lambda: not (path / "gc.pid").exists(), "maintenance is over")

    @pytest.mark.parametrize("damage", ["empty commit", "missing blob", "lost ref", "no HEAD", "garbage", "stale lock"])
    def test_a_broken_mirror_is_made_anew(self, site: Site, mirrors: Mirrors, root: str, damage: str) -> None:
        clone = site.clone("myapp")
        head = clone.commit("by hand", {"a": "1"})
        clone.push()
        if damage != "stale lock":
            mirrors.fetch("myapp")
        _damage(site.folder / "mirrors" / "myapp.git", head if damage != "stale lock" else root, damage)
        reader = site.mirrors()
        for _ in range(3):
            with suppress(MissingCommit):
                assert reader.fetch("myapp") == head
                if reader.snapshot("myapp", head).read("base/a") == b"1":
                    break
        assert reader.snapshot("myapp", head).read("base/a") == b"1"
        git(site.folder / "mirrors" / "myapp.git", "fsck", "--strict")
        after = reader.commit("myapp", head, new_commit("after", {"b": b"1"}))
        assert reader.push("myapp", head, after).state is PushState.ACCEPTED

    def test_a_mirror_that_another_process_holds_too_long_is_unreachable(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        lock = site.folder / "mirrors" / "myapp.lock"
        clone = site.clone("myapp")
        clone.commit("by hand", {"a": "1"})
        clone.push()
        with locked(lock, 1), pytest.raises(Unreachable):
            site.mirrors(timeout_seconds=0.2).fetch("myapp")
        assert mirrors.head("myapp") == root

    def test_leftovers_of_killed_processes_are_removed(self, site: Site) -> None:
        folder = site.folder / "mirrors"
        folder.mkdir(exist_ok=True)
        long_ago = time.time() - 7200
        for name in (".new-1", ".old-1"):
            (folder / name).mkdir()
            os.utime(folder / name, (long_ago, long_ago))
        (folder / ".new-2").mkdir()
        site.mirrors()
        assert [path.name for path in folder.iterdir()] == [".new-2"]


def _seem_full(mirrors: Mirrors) -> None:
    """Git, and we, judge the number of loose objects by one folder of 256."""
    contents = (b"%d" % number for number in itertools.count())
    chosen = (one for one in contents if str(pygit2.hash(one)).startswith("17"))
    for content in itertools.islice(chosen, 40):
        mirrors.objects("myapp").create_blob(content)


def _damage(path: Path, head: str, damage: str) -> None:
    loose = path / "objects" / head[:2] / head[2:]
    match damage:
        case "empty commit":
            loose.unlink()
            loose.touch()
        case "missing blob":
            blob = git(path, "rev-parse", f"{head}:base/a")
            (path / "objects" / blob[:2] / blob[2:]).unlink()
        case "lost ref":
            (path / "refs" / "heads" / "main").write_text(f"{UNKNOWN}\n")
        case "no HEAD":
            (path / "HEAD").unlink()
        case "garbage":
            (path / "config").write_text("[core")
        case _:
            (path / "refs" / "heads" / "main.lock").touch()
