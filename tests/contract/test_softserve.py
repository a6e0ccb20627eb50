"""What Lucity promises on a real Soft-serve beyond what every Git host does."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from structlog.testing import capture_logs

from adapters.git_wiring import Git
from adapters.ports import Unreachable
from adapters.records import PushState
from adapters.softserve import SoftServeGitHost
from adapters.softserve_ssh import Unfit
from gitops.problems import NotFound, Refused
from tests.support.git import Clone, Site, first_commit, git, new_commit
from tests.support.graphql_server import serving
from tests.support.sites import made
from tests.support.softserve import SoftServe, binary, running
from tests.support.waiting import wait_until

OPERATIONS = Path(__file__).parent.parent.parent / "docs" / "operations.md"


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A Soft-serve with the project myapp, empty."""
    with made("softserve", tmp_path) as site:
        site.host.create("myapp")
        yield site


@pytest.fixture
def server(site: Site) -> SoftServe:
    assert site.server is not None
    return site.server


@pytest.fixture
def host(site: Site) -> SoftServeGitHost:
    assert isinstance(site.host, SoftServeGitHost)
    return site.host


def names(server: SoftServe) -> list[str]:
    return server.administer("repo", "list", "--all").splitlines()


class TestAccess:
    """Who may do what."""

    def test_repositories_are_private_and_a_public_one_is_made_so(
        self, server: SoftServe, host: SoftServeGitHost
    ) -> None:
        server.administer("repo", "create", "gitops/public")
        assert server.administer("repo", "private", "gitops/public").strip() == "false"
        host.create("public")
        assert {server.administer("repo", "private", f"gitops/{name}").strip() for name in ("myapp", "public")} == {
            "true"
        }

    def test_strangers_see_nothing_once_it_was_prepared(self, server: SoftServe, host: SoftServeGitHost) -> None:
        server.administer("settings", "anon-access", "read-only")
        server.administer("repo", "create", "elsewhere")
        refs = f"{server.http_url}/elsewhere.git/info/refs?service=git-upload-pack"
        assert httpx.get(refs).status_code == 200
        with capture_logs() as logs:
            host.prepare()
        assert [log["access"] for log in logs if "strangers" in log["event"]] == ["read-only"]
        assert server.administer("settings", "anon-access").strip() == "no-access"
        assert httpx.get(refs).status_code == 401

    def test_the_delivery_reads_and_cannot_push(self, site: Site, host: SoftServeGitHost) -> None:
        first_commit(site.mirrors())
        url, user, password = host.credentials_for_reading("myapp")
        clone = Clone.of(url.replace("://", f"://{user}:{password}@"), site.folder / "argocd")
        assert clone.subjects() == ["project(create): myapp"]
        clone.commit("by argocd", {"a": "2"})
        answer = git(clone.folder, "push", "origin", "HEAD:refs/heads/main", check=False)
        assert "401" in answer or "could not read" in answer or "403" in answer
        assert Clone.of(site.clone("myapp").folder, site.folder / "again").subjects() == ["project(create): myapp"]

    def test_a_repository_made_by_hand_is_a_project_like_any(self, site: Site, server: SoftServe) -> None:
        server.administer("repo", "create", "gitops/byhand", "--private")
        clone = Clone.of(server.address("gitops/byhand"), site.folder / "byhand")
        sha = clone.commit("by hand", {"a": "1"})
        clone.push()
        assert site.host.heads(site.host.projects()) == {"byhand": sha}
        mirrors = site.mirrors()
        assert mirrors.fetch("byhand") == sha
        new = mirrors.commit("byhand", sha, new_commit("ours", {"b": b"1"}))
        assert mirrors.push("byhand", sha, new).state is PushState.ACCEPTED


class TestLooking:
    """Many repositories, few questions."""

    def test_many_heads_are_known_and_a_push_to_one_is_seen_in_a_while(self, site: Site) -> None:
        projects = [f"p{number}" for number in range(12)]
        for project in projects:
            site.host.create(project)
        clone = site.clone("p7")
        first = clone.commit("first", {"a": "1"})
        clone.push()
        wait_until(lambda: site.host.heads(projects) == {"p7": first}, "the first head")
        second = clone.commit("second", {"a": "2"})
        clone.push()
        assert site.host.heads(["p7"]) == {"p7": second}, "one is asked for at once"
        assert site.host.heads(projects) == {"p7": second}
        site.host.archive("p7")
        wait_until(lambda: site.host.heads(projects) == {}, "its end")


class TestDeleted:
    """Deleted projects do not rise again."""

    def test_a_push_to_what_is_gone_makes_nothing(self, site: Site, server: SoftServe) -> None:
        mirrors = site.mirrors()
        root = first_commit(mirrors)
        sha = mirrors.commit("myapp", root, new_commit("late", {"a": b"2"}))
        site.host.archive("myapp")
        result = mirrors.push("myapp", root, sha)
        assert result.state is PushState.DENIED
        assert isinstance(result.problem, NotFound)
        assert names(server) == []

    def test_a_worker_that_never_pushed_there_is_told_before_it_pushes(self, site: Site, server: SoftServe) -> None:
        site.host.archive("myapp")
        mirrors = site.mirrors()
        sha = mirrors.commit("myapp", "", new_commit("late", {"a": b"2"}))
        assert isinstance(mirrors.push("myapp", "", sha).problem, NotFound)
        with pytest.raises(Refused):
            site.host.target("myapp")
        assert names(server) == []

    def test_an_archive_that_was_interrupted_is_finished_by_the_next(self, site: Site, server: SoftServe) -> None:
        first_commit(site.mirrors())
        server.administer("repo", "rename", "gitops/myapp", "leaving/myapp")
        assert list(site.host.projects()) == []
        site.host.archive("myapp")
        (bundle,) = (site.folder / "archive").iterdir()
        assert Clone.of(bundle, site.folder / "back").subjects() == ["project(create): myapp"]
        assert names(server) == []

    def test_an_interrupted_archive_does_not_take_the_project_that_has_its_name_now(
        self, site: Site, server: SoftServe
    ) -> None:
        first_commit(site.mirrors())
        server.administer("repo", "rename", "gitops/myapp", "leaving/myapp")
        site.host.create("myapp")
        site.host.archive("myapp")
        assert names(server) == []
        (bundle,) = (site.folder / "archive").iterdir()
        assert Clone.of(bundle, site.folder / "back").subjects() == ["project(create): myapp"]


class TestOutages:
    """The host goes and comes back."""

    def test_nobody_at_home_is_unreachable_and_not_unfit(self, own: SoftServe, tmp_path: Path) -> None:
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        host.prepare()
        own.kill()
        for ask in (host.prepare, host.projects, lambda: host.heads(["myapp"])):
            with pytest.raises(Unreachable) as raised:
                ask()
            assert not isinstance(raised.value, Unfit)
            assert raised.value.component == "git"
        own.start()
        assert list(host.projects()) == []

    def test_a_push_whose_host_is_killed_is_ambiguous_and_can_be_made_again(
        self, own: SoftServe, tmp_path: Path
    ) -> None:
        site = Site.make(tmp_path / "data", own)
        site.host.create("myapp")
        mirrors = site.mirrors()
        root = first_commit(mirrors)
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"2"}))
        started = tmp_path / "started"
        site.install_hook("myapp", "pre-receive", f"echo $$ > '{started}'; exec sleep 600")
        with ThreadPoolExecutor(1) as pool:
            pushing = pool.submit(mirrors.push, "myapp", root, sha)
            wait_until(lambda: started.exists() and started.read_text().strip(), "the hook runs")
            own.kill()
            assert pushing.result().state is PushState.AMBIGUOUS
        assert mirrors.push("myapp", root, sha).state is PushState.AMBIGUOUS, "nobody is there to say no"
        _end(int(started.read_text()))
        (own.path("gitops/myapp") / "hooks" / "pre-receive.d" / "test").unlink()
        own.start()
        assert mirrors.fetch("myapp") == root
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED


class TestHooks:
    """The scripts of docs/operations.md, as they stand."""

    @pytest.fixture
    def hooked(self, tmp_path: Path) -> Iterator[Site]:
        """A server whose hooks know Lucity's address from its environment."""
        with running(tmp_path / "soft serve") as server:
            site = Site.make(tmp_path / "data", server)
            site.host.create("myapp")
            yield site

    @pytest.mark.parametrize("change", [["--force", "origin", "HEAD:refs/heads/main"], ["origin", ":refs/heads/main"]])
    def test_a_history_cannot_be_rewritten_or_removed(self, hooked: Site, change: list[str]) -> None:
        assert hooked.server is not None
        install(hooked.server, "pre-receive")
        root = first_commit(hooked.mirrors())
        clone = hooked.clone("myapp")
        git(clone.folder, "commit", "--quiet", "--amend", "--message", "another")
        assert "revert instead of rewriting" in git(clone.folder, "push", *change, check=False)
        assert hooked.host.heads(["myapp"]) == {"myapp": root}
        git(clone.folder, "reset", "--quiet", "--hard", root)
        sha = clone.commit("forward", {"b": "1"})
        clone.push()
        git(clone.folder, "push", "--quiet", "origin", "HEAD:refs/heads/feature", "HEAD:refs/tags/v1")
        assert hooked.host.heads(["myapp"]) == {"myapp": sha}

    @pytest.mark.skipif(shutil.which("curl") is None, reason="the hook needs curl")
    def test_lucity_is_told_of_a_push_past_it(self, tmp_path: Path) -> None:
        binary()
        token = tmp_path / "token"
        server = SoftServe(tmp_path / "soft serve")
        with closing(server):
            site = Site.make(tmp_path / "data", server)
            with serving(tmp_path / "lucity", repository=Git(site.host, site.mirrors()).serve) as lucity:
                token.write_text(lucity.token)
                server.variables = {"LUCITY_HOOK_URL": lucity.url, "LUCITY_HOOK_TOKEN_FILE": str(token)}
                server.start()
                site.host.create("myapp")
                install(server, "post-receive")
                clone = site.clone("myapp")
                clone.commit("past lucity", {"a": "1"})
                clone.push()
                wait_until(lambda: lucity.pushed == ["myapp"], "the notice")


def install(server: SoftServe, name: str) -> None:
    """Put a hook of the documentation where it says."""
    (script,) = re.findall(rf"`{name}`:.*?```sh\n(.*?)```", OPERATIONS.read_text(), re.DOTALL)
    path = server.data / "hooks" / name
    path.write_text(script)
    path.chmod(0o755)


def _end(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
