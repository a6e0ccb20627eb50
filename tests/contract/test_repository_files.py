"""Files of a repository: written as signed commits, read as snapshots."""

import pytest

from adapters.mirrors import Mirrors
from adapters.ports import MissingCommit
from adapters.records import PushState
from gitops.commits import Person, SignatureState
from tests.support.git import AT, Site, git, new_commit

UNKNOWN = "1" * 40


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
        bare = site.path("myapp")
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
