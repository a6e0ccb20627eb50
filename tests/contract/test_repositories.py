"""What a mirror learns from its host: fetch, and the history that it then has."""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.mirrors import Mirrors
from adapters.ports import MissingCommit
from adapters.records import PushState
from gitops.commits import SignatureState
from gitops.problems import NotFound, Refused
from tests.support.git import Site, git, new_commit
from tests.support.sites import HOSTS, made

UNKNOWN = "1" * 40


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A host with the project myapp, empty."""
    with made(request.param, tmp_path / "data folder") as site:
        site.host.create("myapp")
        yield site


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
        git(site.path("myapp"), "update-ref", "refs/heads/main", root)
        assert mirrors.fetch("myapp") == root
        assert mirrors.log("myapp", gone, root) is None


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
        git(site.path("myapp"), "fetch", "--quiet", str(clone.folder), "+HEAD:refs/heads/main")
        commit = mirrors.git_commit("myapp", mirrors.fetch("myapp") or "")
        assert commit.subject == "project(delete): myapp"
        assert commit.signature.state is SignatureState.INVALID


def _shas(mirrors: Mirrors, old: str | None, new: str) -> list[str]:
    found = mirrors.log("myapp", old, new)
    assert found is not None
    return [commit.sha for commit in found]
