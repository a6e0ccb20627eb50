"""What every Git host does, and what the local one does beyond."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.ports import GitHost, Unreachable
from tests.support.git import Clone, Site, git
from tests.support.sites import HOSTS, made


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with made(request.param, tmp_path / "data folder") as site:
        yield site


@pytest.fixture
def host(site: Site) -> GitHost:
    return site.host


def test_projects_are_listed_once_created_and_sorted(host: GitHost) -> None:
    assert list(host.projects()) == []
    for name in ("web", "api-2", "api"):
        host.create(name)
    assert list(host.projects()) == ["api", "api-2", "web"]


def test_the_repository_of_settings_is_no_project(host: GitHost) -> None:
    host.create("settings")
    assert list(host.projects()) == []


def test_heads_tell_main_only_and_nothing_of_empty_or_missing_repositories(site: Site) -> None:
    for name in ("myapp", "empty"):
        site.host.create(name)
    clone = site.clone("myapp")
    sha = clone.commit("first", {"a": "1"})
    clone.push()
    clone.commit("second", {"a": "2"})
    git(clone.folder, "push", "--quiet", "origin", "HEAD:refs/heads/feature", "HEAD:refs/tags/v1")
    assert site.host.heads(["myapp", "empty", "gone"]) == {"myapp": sha}


def test_creating_a_repository_again_changes_nothing(site: Site) -> None:
    site.host.create("myapp")
    clone = site.clone("myapp")
    sha = clone.commit("first", {"a": "1"})
    clone.push()
    site.host.create("myapp")
    assert site.host.heads(["myapp"]) == {"myapp": sha}


def test_a_clone_begins_on_main(site: Site) -> None:
    site.host.create("myapp")
    mine = site.clone("myapp", "mine")
    mine.commit("first", {"a": "1"})
    mine.push()
    assert git(site.clone("myapp").folder, "symbolic-ref", "HEAD") == "refs/heads/main"


def test_what_was_archived_can_be_cloned_from_its_bundle(site: Site) -> None:
    site.host.create("myapp")
    clone = site.clone("myapp")
    clone.commit("first", {"a": "1"})
    sha = clone.commit("second", {"a": "2"})
    git(clone.folder, "tag", "v1")
    clone.push("--follow-tags")
    git(clone.folder, "push", "--quiet", "origin", "v1")
    site.host.archive("myapp")
    assert list(site.host.projects()) == []
    (bundle,) = (site.folder / "archive").iterdir()
    back = Clone.of(bundle, site.folder / "back")
    assert back.subjects() == ["second", "first"]
    assert git(back.folder, "rev-parse", "v1") == sha


def test_archiving_what_is_empty_or_gone_leaves_no_bundle(site: Site) -> None:
    site.host.create("myapp")
    site.host.archive("myapp")
    site.host.archive("myapp")
    assert list(site.host.projects()) == []
    assert list((site.folder / "archive").glob("*")) == []


@pytest.mark.parametrize("name", [b"caf\xe9", "a\u2028b".encode(), "a\x85b".encode()])
def test_a_branch_may_have_any_name_that_git_takes(site: Site, name: bytes) -> None:
    site.host.create("myapp")
    clone = site.clone("myapp")
    sha = clone.commit("first", {"a": "1"})
    clone.push()
    git(clone.folder, "push", "--quiet", "origin", os.fsdecode(b"HEAD:refs/heads/" + name))
    if site.path("myapp").exists():
        git(site.path("myapp"), "pack-refs", "--all")
    assert site.host.heads(["myapp"]) == {"myapp": sha}
    site.host.archive("myapp")
    (bundle,) = (site.folder / "archive").iterdir()
    back = Clone.of(bundle, site.folder / "back")
    assert git(back.folder, "rev-parse", os.fsdecode(b"origin/" + name)) == sha


@pytest.mark.parametrize("site", ["local"], indirect=True)
class TestLocal:
    """Bare repositories on our own disk."""

    def test_a_new_repository_begins_on_main(self, site: Site) -> None:
        site.host.create("myapp")
        assert git(site.clone("myapp").folder, "symbolic-ref", "HEAD") == "refs/heads/main"

    def test_an_archive_that_was_interrupted_is_finished_by_the_next(self, site: Site) -> None:
        site.host.create("myapp")
        clone = site.clone("myapp")
        clone.commit("first", {"a": "1"})
        clone.push()
        path = site.path("myapp")
        path.rename(path.with_name(".leaving-myapp.git"))
        assert list(site.host.projects()) == []
        site.host.create("myapp")
        site.host.archive("myapp")
        (bundle,) = (site.folder / "archive").iterdir()
        assert Clone.of(bundle, site.folder / "back").subjects() == ["first"]
        assert [child.name for child in path.parent.iterdir()] == []

    def test_a_repository_whose_bundle_would_be_incomplete_is_kept(self, site: Site) -> None:
        site.host.create("myapp")
        clone = site.clone("myapp")
        sha = clone.commit("first", {"a": "1"})
        clone.push()
        blob = git(clone.folder, "rev-parse", f"{sha}:a")
        path = site.path("myapp")
        (path / "objects" / blob[:2] / blob[2:]).unlink()
        with pytest.raises(Unreachable, match="kept"):
            site.host.archive("myapp")
        assert git(path.with_name(".leaving-myapp.git"), "rev-parse", "main") == sha
        assert list((site.folder / "archive").iterdir()) == []

    def test_heads_are_read_from_packed_refs_too(self, site: Site) -> None:
        site.host.create("myapp")
        clone = site.clone("myapp")
        first = clone.commit("first", {"a": "1"})
        clone.push()
        git(site.path("myapp"), "pack-refs", "--all")
        assert site.host.heads(["myapp"]) == {"myapp": first}
        second = clone.commit("second", {"a": "2"})
        clone.push()
        assert site.host.heads(["myapp"]) == {"myapp": second}

    def test_heads_are_right_while_refs_are_packed_and_pushed(self, site: Site) -> None:
        site.host.create("myapp")
        clone = site.clone("myapp")
        known = [clone.commit("first", {"a": "1"})]
        clone.push()

        def churn() -> None:
            for number in range(10):
                known.append(clone.commit(f"{number}", {"a": str(number)}))
                clone.push()
                git(site.path("myapp"), "pack-refs", "--all")

        with ThreadPoolExecutor(1) as pool:
            churning = pool.submit(churn)
            seen = []
            while not churning.done():
                seen.append(site.host.heads(["myapp"]).get("myapp"))
            churning.result()
        assert set(seen) <= set(known)

    def test_threads_that_create_the_same_project_agree(self, site: Site) -> None:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(site.host.create, ["myapp"] * 16))
        assert [path.name for path in site.path("myapp").parent.iterdir()] == ["myapp.git"]

    def test_receiving_is_strict_and_durable(self, site: Site) -> None:
        site.host.create("myapp")
        expected = {
            "receive.denynonfastforwards": "true",
            "receive.denydeletes": "true",
            "receive.fsckobjects": "true",
            "core.fsync": "all",
            "http.receivepack": "true",
        }
        path = site.path("myapp")
        assert {name: git(path, "config", name) for name in expected} == expected

    def test_a_lock_that_a_killed_push_left_stops_nobody_for_long(self, site: Site) -> None:
        site.host.create("myapp")
        lock = site.path("myapp") / "refs" / "heads" / "main.lock"
        lock.touch()
        site.host.remote("myapp")
        assert lock.exists(), "somebody may be pushing just now"
        long_ago = time.time() - 3600
        os.utime(lock, (long_ago, long_ago))
        site.host.remote("myapp")
        assert not lock.exists()

    @pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "A", "-x", ".new-1", "a\n", "a\0b"])
    def test_names_that_could_be_paths_or_options_are_refused(self, site: Site, name: str) -> None:
        for ask in (site.host.create, site.host.archive, site.host.remote, lambda one: site.host.heads([one])):
            with pytest.raises(ValueError, match="no name of a project"):
                ask(name)
        assert not (site.folder / "repositories").exists()
