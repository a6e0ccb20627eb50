"""What mirrors of a Git host do, with the real git."""

import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pygit2
import pytest

from adapters.folder_lock import locked
from adapters.mirrors import Mirrors
from adapters.ports import MissingCommit, Unreachable
from adapters.records import PushState
from gitops.commits import Person, SignatureState
from gitops.problems import NotFound, Refused
from tests.support.git import AT, Site, delay_pushes, git, install_hook, new_commit, refuse_pushes

UNKNOWN = "1" * 40


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A host with the project myapp, empty."""
    site = Site.make(tmp_path)
    site.host.create("myapp")
    return site


@pytest.fixture
def mirrors(site: Site) -> Mirrors:
    return site.mirrors()


@pytest.fixture
def root(mirrors: Mirrors) -> str:
    """The first commit of myapp, pushed."""
    sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"README.md": b"hello\n", "base/a": b"1"}))
    assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
    return sha


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain until {what}"
        time.sleep(0.01)


class TestFetch:
    """What the host has."""

    def test_an_empty_repository_has_no_head(self, mirrors: Mirrors) -> None:
        assert mirrors.fetch("myapp") is None
        assert mirrors.head("myapp") is None

    def test_a_push_by_hand_is_fetched(self, site: Site, mirrors: Mirrors, root: str) -> None:
        clone = site.clone("myapp")
        sha = clone.commit("by hand", {"a": "1"})
        clone.push()
        assert mirrors.head("myapp") == root
        assert mirrors.fetch("myapp") == sha
        assert mirrors.head("myapp") == sha
        assert mirrors.snapshot("myapp", sha).read("a") == b"1"

    def test_a_project_that_the_host_no_longer_has_is_not_found(self, site: Site, mirrors: Mirrors, root: str) -> None:
        site.host.archive("myapp")
        with pytest.raises(Refused) as refused:
            mirrors.fetch("myapp")
        assert isinstance(refused.value.problem, NotFound)
        assert (refused.value.problem.what, refused.value.problem.name) == ("project", "myapp")
        assert mirrors.head("myapp") is None
        mirrors.forget("myapp")
        with pytest.raises(MissingCommit):
            mirrors.snapshot("myapp", root)

    def test_asking_for_a_name_that_nobody_uses_leaves_nothing_behind(self, site: Site, mirrors: Mirrors) -> None:
        with pytest.raises(Refused):
            mirrors.fetch("unheard-of")
        assert list((site.folder / "mirrors").iterdir()) == []

    @pytest.mark.parametrize("name", ["", "..", "a/b", "../x", "A", "-x", "a\0b"])
    def test_names_that_could_be_paths_or_options_are_refused(self, mirrors: Mirrors, name: str) -> None:
        with pytest.raises(ValueError, match="no name of a project"):
            mirrors.fetch(name)
        with pytest.raises(ValueError, match="no name of a project"):
            mirrors.commit(name, "", new_commit("x", {"a": b"1"}))

    def test_a_project_that_was_created_again_is_the_new_one(self, site: Site, mirrors: Mirrors, root: str) -> None:
        site.host.archive("myapp")
        site.host.create("myapp")
        assert mirrors.fetch("myapp") is None
        assert mirrors.head("myapp") is None
        sha = mirrors.commit("myapp", "", new_commit("second life", {"b": b"2"}))
        assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
        assert mirrors.log("myapp", root, sha) is None

    def test_the_settings_repository_is_mirrored_like_any(self, site: Site, mirrors: Mirrors) -> None:
        site.host.create("settings")
        assert mirrors.fetch("settings") is None
        sha = mirrors.commit("settings", "", new_commit("first", {"tokens.yaml": b"{}"}))
        assert mirrors.push("settings", "", sha).state is PushState.ACCEPTED
        assert site.mirrors(name="others").fetch("settings") == sha

    def test_threads_that_fetch_at_once_each_see_what_was_there_before_they_asked(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        clone = site.clone("myapp")
        order = [root]

        def ask(_: int) -> bool:
            least = len(order) - 1
            return order.index(mirrors.fetch("myapp") or "") >= least

        with ThreadPoolExecutor(6) as pool:
            for number in range(5):
                order.append(clone.commit(f"{number}", {"a": str(number)}))
                clone.push()
                assert all(pool.map(ask, range(12)))

    def test_rewritten_history_is_followed(self, site: Site, mirrors: Mirrors, root: str) -> None:
        clone = site.clone("myapp")
        gone = clone.commit("gone", {"a": "1"})
        clone.push()
        assert mirrors.fetch("myapp") == gone
        git(site.host.path("myapp"), "update-ref", "refs/heads/main", root)
        assert mirrors.fetch("myapp") == root
        assert mirrors.log("myapp", gone, root) is None


class TestCommit:
    """Writing commits into the mirror."""

    def test_a_commit_says_who_asked_who_made_it_and_when(self, mirrors: Mirrors, root: str) -> None:
        commit = mirrors.git_commit("myapp", root)
        assert commit.author == Person("Ann", "ann@example.org")
        assert commit.committer == Person("Lucity", "lucity@localhost")
        assert (commit.authored_at, commit.committed_at) == (AT, AT)
        assert commit.message == "project(create): myapp\n"
        assert commit.parents == ()
        assert commit.signature.state is SignatureState.VALID
        assert commit.trusted

    def test_only_what_was_written_changes(self, site: Site, mirrors: Mirrors) -> None:
        clone = site.clone("myapp")
        clone.commit("first", {"a/b/one": "1", "a/b/two": "2", "a/c": "3", "run.sh": "#!/bin/sh\n"})
        (clone.folder / "run.sh").chmod(0o755)
        parent = clone.commit("executable", {})
        clone.push()
        mirrors.fetch("myapp")
        writes = {"a/b/one": b"new", "a/d/e": b"4", "a/c": None, "run.sh": b"#!/bin/sh\nexit\n", "not/there": None}
        sha = mirrors.commit("myapp", parent, new_commit("edit", writes))
        assert mirrors.push("myapp", parent, sha).state is PushState.ACCEPTED
        clone.pull()
        listed = git(clone.folder, "ls-tree", "-r", "--format=%(objectmode) %(path)", "HEAD").splitlines()
        assert listed == ["100644 a/b/one", "100644 a/b/two", "100644 a/d/e", "100755 run.sh"]
        assert (clone.folder / "a" / "b" / "one").read_text() == "new"

    def test_the_last_file_takes_its_folder_with_it(self, mirrors: Mirrors, root: str) -> None:
        sha = mirrors.commit("myapp", root, new_commit("empty base", {"base/a": None}))
        assert mirrors.snapshot("myapp", sha).folder("") == ("README.md",)
        sha = mirrors.commit("myapp", sha, new_commit("empty all", {"README.md": None}))
        assert mirrors.snapshot("myapp", sha).folder("") == ()

    def test_a_file_becomes_a_folder_and_back(self, mirrors: Mirrors, root: str) -> None:
        sha = mirrors.commit("myapp", root, new_commit("folder", {"README.md": None, "README.md/x": b"1"}))
        assert list(mirrors.snapshot("myapp", sha).files("")) == ["README.md/x", "base/a"]
        sha = mirrors.commit("myapp", sha, new_commit("file", {"README.md/x": None, "README.md": b"2"}))
        assert mirrors.snapshot("myapp", sha).read("README.md") == b"2"

    def test_removing_below_a_file_leaves_the_file(self, mirrors: Mirrors, root: str) -> None:
        sha = mirrors.commit("myapp", root, new_commit("nothing", {"README.md/x": None, "base": None}))
        assert mirrors.snapshot("myapp", sha).oid("") == mirrors.snapshot("myapp", root).oid("")

    @pytest.mark.parametrize("path", ["", "/a", "a//b", "../a", "a/./b", ".git/config", "a/.git/hooks/x"])
    def test_paths_that_git_cannot_hold_are_refused(self, mirrors: Mirrors, root: str, path: str) -> None:
        with pytest.raises(ValueError, match="path"):
            mirrors.commit("myapp", root, new_commit("evil", {path: b"x"}))

    @pytest.mark.parametrize("name", ["Ann\nparent 0", "Ann <x>", "", "Ann\0"])
    def test_names_that_would_break_the_header_are_refused(self, mirrors: Mirrors, root: str, name: str) -> None:
        new = new_commit("evil", {"a": b"x"})
        with pytest.raises(ValueError, match=r"commit|signature"):
            mirrors.commit("myapp", root, type(new)(new.message, name, new.author_email, new.at, new.writes))

    def test_words_in_every_language_and_any_bytes_survive(self, site: Site, mirrors: Mirrors, root: str) -> None:
        new = new_commit("déployé ☃\n\nReason: 日本語", {"données/ü.yaml": bytes(range(256))})
        sha = mirrors.commit("myapp", root, type(new)(new.message, "Änn Ö", "ann@example.org", new.at, new.writes))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED
        again = site.mirrors(name="others")
        again.fetch("myapp")
        assert again.git_commit("myapp", sha).message == "déployé ☃\n\nReason: 日本語\n"
        assert again.git_commit("myapp", sha).author.name == "Änn Ö"
        assert again.git_commit("myapp", sha).trusted
        assert again.snapshot("myapp", sha).read("données/ü.yaml") == bytes(range(256))

    def test_a_commit_on_an_unknown_parent_asks_for_a_fetch(self, mirrors: Mirrors, root: str) -> None:
        for parent in (UNKNOWN, root[:10], "main", "--help"):
            with pytest.raises(MissingCommit):
                mirrors.commit("myapp", parent, new_commit("x", {"a": b"1"}))

    def test_commits_move_no_ref(self, mirrors: Mirrors, root: str) -> None:
        mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        assert mirrors.head("myapp") == root


class TestSnapshot:
    """Reading files."""

    def test_files_and_folders_are_listed_and_read(self, mirrors: Mirrors, root: str) -> None:
        tree = mirrors.snapshot("myapp", root)
        assert tree.folder("") == ("README.md", "base")
        assert tree.folder("base") == ("a",)
        assert tree.folder("README.md") == tree.folder("none") == ()
        assert list(tree.files("")) == ["README.md", "base/a"]
        assert list(tree.files("base")) == ["base/a"]
        assert tree.read("base/a") == b"1"
        assert tree.read("base") is tree.read("none") is tree.read("base/a/b") is tree.read("") is None

    def test_ids_are_those_of_git(self, site: Site, mirrors: Mirrors, root: str) -> None:
        tree = mirrors.snapshot("myapp", root)
        bare = site.host.path("myapp")
        for path in ("", "base", "base/a"):
            assert tree.oid(path) == git(bare, "rev-parse", f"{root}:{path}")
        assert tree.oid("none") is None

    def test_links_and_submodules_are_no_files(self, site: Site, mirrors: Mirrors, root: str) -> None:
        clone = site.clone("myapp")
        (clone.folder / "link").symlink_to("/etc/passwd")
        git(clone.folder, "update-index", "--add", "--cacheinfo", f"160000,{root},module")
        git(clone.folder, "add", "link")
        git(clone.folder, "commit", "--quiet", "-m", "tricks")
        clone.push()
        tree = mirrors.snapshot("myapp", mirrors.fetch("myapp") or "")
        assert tree.folder("") == ("README.md", "base")
        assert tree.read("link") is None
        assert list(tree.files("module")) == []

    def test_an_unknown_commit_is_missing(self, mirrors: Mirrors, root: str) -> None:
        tree = mirrors.snapshot("myapp", root).oid("") or ""
        for sha in (UNKNOWN, tree, root[:12], "HEAD", ""):
            with pytest.raises(MissingCommit):
                mirrors.snapshot("myapp", sha)
        with pytest.raises(MissingCommit):
            mirrors.snapshot("never-seen", root)


class TestLog:
    """First-parent history."""

    def test_commits_come_oldest_first_and_without_the_old_one(self, mirrors: Mirrors, root: str) -> None:
        second = mirrors.commit("myapp", root, new_commit("second", {"a": b"2"}))
        third = mirrors.commit("myapp", second, new_commit("third", {"a": b"3"}))
        assert _shas(mirrors, None, third) == [root, second, third]
        assert _shas(mirrors, root, third) == [second, third]
        assert _shas(mirrors, third, third) == []

    def test_what_does_not_descend_is_rewritten_history(self, mirrors: Mirrors, root: str) -> None:
        one = mirrors.commit("myapp", root, new_commit("one", {"a": b"1"}))
        other = mirrors.commit("myapp", root, new_commit("other", {"a": b"2"}))
        assert mirrors.log("myapp", one, other) is None
        assert mirrors.log("myapp", one, root) is None, "old is the newer one"
        assert mirrors.log("myapp", UNKNOWN, one) is None
        with pytest.raises(MissingCommit):
            mirrors.log("myapp", root, UNKNOWN)

    def test_a_merge_counts_once(self, site: Site, mirrors: Mirrors, root: str) -> None:
        clone = site.clone("myapp")
        git(clone.folder, "checkout", "--quiet", "-b", "side")
        clone.commit("side", {"side": "1"})
        git(clone.folder, "checkout", "--quiet", "main")
        main = clone.commit("main", {"main": "1"})
        git(clone.folder, "merge", "--quiet", "--no-ff", "-m", "merge", "side")
        clone.push()
        head = mirrors.fetch("myapp") or ""
        assert _shas(mirrors, root, head) == [main, head]

    def test_a_merge_that_put_our_commit_beside_the_line_still_descends_from_it(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        clone = site.clone("myapp")
        theirs = clone.commit("theirs", {"theirs": "1"})
        ours = mirrors.commit("myapp", root, new_commit("ours", {"ours": b"1"}))
        assert mirrors.push("myapp", root, ours).state is PushState.ACCEPTED
        git(clone.folder, "pull", "--quiet", "--no-rebase", "--no-edit", "origin", "main")
        clone.push()
        head = mirrors.fetch("myapp") or ""
        assert _shas(mirrors, ours, head) == [theirs, head]

    @pytest.mark.usefixtures("root")
    def test_commits_by_hand_are_not_trusted_whatever_they_say(self, site: Site, mirrors: Mirrors) -> None:
        clone = site.clone("myapp")
        clone.commit("deploy(production): api 1\n\nJob-Id: job_x", {"a": "1"})
        git(clone.folder, "commit", "--quiet", "--amend", "--no-edit", "--author", "Lucity <lucity@localhost>")
        clone.push()
        commit = mirrors.git_commit("myapp", mirrors.fetch("myapp") or "")
        assert commit.signature.state is SignatureState.NONE
        assert not commit.trusted

    def test_our_signature_on_a_changed_commit_is_invalid(self, site: Site, mirrors: Mirrors, root: str) -> None:
        clone = site.clone("myapp")
        forged = git(clone.folder, "cat-file", "commit", root).replace("project(create)", "project(delete)") + "\n"
        sha = subprocess.run(
            ["git", "hash-object", "-t", "commit", "-w", "--stdin"],
            cwd=clone.folder,
            input=forged.encode(),
            capture_output=True,
            check=True,
        )
        git(clone.folder, "reset", "--quiet", "--hard", sha.stdout.decode().strip())
        git(site.host.path("myapp"), "fetch", "--quiet", str(clone.folder), "+HEAD:refs/heads/main")
        commit = mirrors.git_commit("myapp", mirrors.fetch("myapp") or "")
        assert commit.subject == "project(delete): myapp"
        assert commit.signature.state is SignatureState.INVALID


class TestPush:
    """Compare-and-swap."""

    def test_an_accepted_push_moves_both_heads(self, site: Site, mirrors: Mirrors, root: str) -> None:
        sha = root
        for number in range(20):
            sha = mirrors.commit("myapp", sha, new_commit(f"deploy {number}", {"a": b"%d" % number}))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED
        assert site.host.heads(["myapp"]) == {"myapp": sha}
        assert mirrors.head("myapp") == sha
        git(site.host.path("myapp"), "fsck", "--strict", "--no-dangling")

    def test_a_push_on_a_head_that_moved_is_rejected_and_loses_nothing(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        clone = site.clone("myapp")
        theirs = clone.commit("by hand", {"a": "1"})
        clone.push()
        ours = mirrors.commit("myapp", root, new_commit("ours", {"b": b"1"}))
        assert mirrors.push("myapp", root, ours).state is PushState.MOVED
        assert site.host.heads(["myapp"]) == {"myapp": theirs}
        assert mirrors.head("myapp") == root, "only a fetch may tell"

    def test_a_first_push_is_rejected_when_somebody_was_first(self, site: Site, mirrors: Mirrors, root: str) -> None:
        sha = mirrors.commit("myapp", "", new_commit("another root", {"a": b"1"}))
        assert mirrors.push("myapp", "", sha).state is PushState.MOVED
        assert site.host.heads(["myapp"]) == {"myapp": root}

    def test_of_pushes_at_the_same_moment_one_wins(self, site: Site, root: str) -> None:
        several = [site.mirrors(name=f"mirrors{number}") for number in range(4)]

        def push(numbered: tuple[int, Mirrors]) -> tuple[PushState, str]:
            number, mirrors = numbered
            mirrors.fetch("myapp")
            sha = mirrors.commit("myapp", root, new_commit(f"by {number}", {"a": b"%d" % number}))
            return mirrors.push("myapp", root, sha).state, sha

        with ThreadPoolExecutor(4) as pool:
            results = list(pool.map(push, enumerate(several)))
        assert sorted(state for state, _ in results) == [PushState.ACCEPTED, *[PushState.MOVED] * 3]
        assert [(PushState.ACCEPTED, site.host.heads(["myapp"])["myapp"])] == [
            result for result in results if result[0] is PushState.ACCEPTED
        ]

    def test_a_hook_that_refuses_is_told_in_its_own_words(self, site: Site, mirrors: Mirrors, root: str) -> None:
        refuse_pushes(site.host.path("myapp"), "not on a Friday\\n403 Forbidden")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        result = mirrors.push("myapp", root, sha)
        assert (result.state, result.message) == (PushState.REFUSED, "not on a Friday\n403 Forbidden")
        assert mirrors.head("myapp") == root

    def test_an_update_hook_counts_as_one(self, site: Site, mirrors: Mirrors, root: str) -> None:
        install_hook(site.host.path("myapp"), "update", "echo no >&2; exit 1")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        result = mirrors.push("myapp", root, sha)
        assert result.state is PushState.REFUSED
        assert result.message.startswith("no\n")

    def test_a_push_to_a_repository_that_is_gone_is_denied(self, site: Site, mirrors: Mirrors, root: str) -> None:
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        site.host.archive("myapp")
        result = mirrors.push("myapp", root, sha)
        assert result.state is PushState.DENIED
        assert isinstance(result.problem, NotFound)
        assert list(site.host.projects()) == []

    def test_a_push_without_an_answer_in_time_is_ambiguous_and_does_not_land_later(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        started = site.folder / "started"
        install_hook(site.host.path("myapp"), "pre-receive", f"touch {started}; trap '' TERM; sleep 600")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        result = site.mirrors(timeout_seconds=2).push("myapp", root, sha)
        assert result.state is PushState.AMBIGUOUS
        assert started.exists()
        until(lambda: not _in(site.host.path("myapp")), "nothing works on the repository any more")
        assert site.host.heads(["myapp"]) == {"myapp": root}
        (site.host.path("myapp") / "hooks" / "pre-receive").unlink()
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED

    def test_a_push_whose_answer_is_lost_is_ambiguous_and_looking_tells(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        # The ref has moved when post-update runs; then the connection breaks.
        install_hook(site.host.path("myapp"), "post-update", "kill -9 $PPID")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        assert mirrors.push("myapp", root, sha).state is PushState.AMBIGUOUS
        assert mirrors.head("myapp") == root
        assert mirrors.fetch("myapp") == sha

    def test_pushing_again_what_landed_is_accepted(self, mirrors: Mirrors, root: str) -> None:
        assert mirrors.push("myapp", "", root).state is PushState.ACCEPTED

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a push with its process")
    def test_the_push_of_a_killed_process_does_not_land_later(self, site: Site, mirrors: Mirrors, root: str) -> None:
        delay_pushes(site.host.path("myapp"), 600)
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        program = (
            "import sys; from pathlib import Path; from tests.support.git import Site\n"
            "Site.make(Path(sys.argv[1])).mirrors().push('myapp', sys.argv[2], sys.argv[3])"
        )
        pushing = subprocess.Popen([sys.executable, "-c", program, str(site.folder), root, sha])
        until(lambda: "sleep" in _in(site.host.path("myapp")), "the hook runs")
        pushing.send_signal(signal.SIGKILL)
        pushing.wait()
        until(lambda: "git-receive-pack" not in _in(site.host.path("myapp")), "git has gone")
        assert site.host.heads(["myapp"]) == {"myapp": root}


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
        until(lambda: bool(list((path / "objects" / "pack").glob("*.pack"))), "the mirror is packed")
        until(lambda: not (path / "gc.pid").exists(), "maintenance is over")

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


def _shas(mirrors: Mirrors, old: str | None, new: str) -> list[str]:
    found = mirrors.log("myapp", old, new)
    assert found is not None
    return [commit.sha for commit in found]


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


def _in(repository: Path) -> str:
    """Command lines of the processes that work in a repository."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == repository:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return "\n".join(found)
