"""A push is a compare-and-swap on the host's main, whatever else happens."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from adapters.mirrors import Mirrors
from adapters.records import PushState
from gitops.problems import NotFound
from tests.support.git import Site, git, new_commit
from tests.support.sites import HOSTS, made
from tests.support.waiting import wait_until


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A host with the project myapp, empty."""
    with made(request.param, tmp_path / "data folder") as site:
        site.host.create("myapp")
        yield site


@pytest.fixture
def mirrors(site: Site) -> Mirrors:
    return site.mirrors()


@pytest.fixture
def root(mirrors: Mirrors) -> str:
    """The first commit of myapp, pushed."""
    sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"README.md": b"hello\n", "base/a": b"1"}))
    assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
    return sha


class TestPush:
    """Compare-and-swap."""

    def test_an_accepted_push_moves_both_heads(self, site: Site, mirrors: Mirrors, root: str) -> None:
        sha = root
        for number in range(20):
            sha = mirrors.commit("myapp", sha, new_commit(f"deploy {number}", {"a": b"%d" % number}))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED
        assert site.host.heads(["myapp"]) == {"myapp": sha}
        assert mirrors.head("myapp") == sha
        git(site.path("myapp"), "fsck", "--strict", "--no-dangling")

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
        site.install_hook("myapp", "pre-receive", "printf 'not on a Friday\\n403 Forbidden\\n' >&2; exit 1")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        result = mirrors.push("myapp", root, sha)
        assert (result.state, result.message) == (PushState.REFUSED, "not on a Friday\n403 Forbidden")
        assert mirrors.head("myapp") == root

    def test_an_update_hook_counts_as_one(self, site: Site, mirrors: Mirrors, root: str) -> None:
        site.install_hook("myapp", "update", "echo no >&2; exit 1")
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

    @pytest.mark.parametrize("site", ["local"], indirect=True)
    def test_a_push_without_an_answer_in_time_is_ambiguous_and_does_not_land_later(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        started = site.folder / "started"
        site.install_hook("myapp", "pre-receive", f"touch '{started}'; trap '' TERM; sleep 600")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        result = site.mirrors(timeout_seconds=2).push("myapp", root, sha)
        assert result.state is PushState.AMBIGUOUS
        assert started.exists()
        wait_until(lambda: not _in(site.path("myapp")), "nothing works on the repository any more")
        assert site.host.heads(["myapp"]) == {"myapp": root}
        (site.path("myapp") / "hooks" / "pre-receive").unlink()
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED

    @pytest.mark.parametrize("site", ["local"], indirect=True)
    def test_a_push_whose_answer_is_lost_is_ambiguous_and_looking_tells(
        self, site: Site, mirrors: Mirrors, root: str
    ) -> None:
        # The ref has moved when post-update runs; then the connection breaks.
        site.install_hook("myapp", "post-update", "kill -9 $PPID")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        assert mirrors.push("myapp", root, sha).state is PushState.AMBIGUOUS
        assert mirrors.head("myapp") == root
        assert mirrors.fetch("myapp") == sha

    def test_pushing_again_what_landed_is_accepted(self, mirrors: Mirrors, root: str) -> None:
        assert mirrors.push("myapp", "", root).state is PushState.ACCEPTED

    @pytest.mark.parametrize("site", ["local"], indirect=True)
    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a push with its process")
    def test_the_push_of_a_killed_process_does_not_land_later(self, site: Site, mirrors: Mirrors, root: str) -> None:
        site.install_hook("myapp", "pre-receive", "sleep 600")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"1"}))
        program = (
            "import sys; from pathlib import Path; from tests.support.git import Site\n"
            "Site.make(Path(sys.argv[1])).mirrors().push('myapp', sys.argv[2], sys.argv[3])"
        )
        pushing = subprocess.Popen([sys.executable, "-c", program, str(site.folder), root, sha])
        wait_until(lambda: "sleep" in _in(site.path("myapp")), "the hook runs")
        pushing.send_signal(signal.SIGKILL)
        pushing.wait()
        wait_until(lambda: "git-receive-pack" not in _in(site.path("myapp")), "git has gone")
        assert site.host.heads(["myapp"]) == {"myapp": root}


def _in(repository: Path) -> str:
    """Command lines of the processes that work in a repository."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if (process / "cwd").readlink() == repository:
                found.append((process / "cmdline").read_text().replace("\0", " "))
    return "\n".join(found)
