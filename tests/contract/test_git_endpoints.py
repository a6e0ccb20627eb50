"""Clone and push at /git/gitops/<project>.git with the real git: a token is the password."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.git import Clone, Site, git
from tests.support.graphql_server import Server, bare, serving


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path / "host")
    site.host.create("myapp")
    return site


@pytest.fixture
def server(site: Site, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data", repository=bare(site.path)) as started:
        yield started


def address(server: Server, project: str = "myapp", user: str = "anybody") -> str:
    return f"http://{user}:{server.token}@127.0.0.1:{server.port}/git/gitops/{project}.git"


def refs(server: Server, project: str = "myapp", service: str = "git-upload-pack") -> httpx.Response:
    return httpx.get(f"{address(server, project)}/info/refs", params={"service": service})


def test_a_push_arrives_is_noticed_before_git_returns_and_can_be_cloned(
    server: Server, site: Site, tmp_path: Path
) -> None:
    mine = Clone.of(address(server), tmp_path / "mine")
    sha = mine.commit("by hand", {"README.md": "x" * 3_000_000})
    mine.push()
    assert server.pushed == ["myapp"]
    assert site.host.heads(["myapp"]) == {"myapp": sha}
    assert Clone.of(address(server, user="x"), tmp_path / "other").subjects() == ["by hand"]


def test_a_forced_push_is_refused_by_the_host_and_noticed_all_the_same(server: Server, tmp_path: Path) -> None:
    mine = Clone.of(address(server), tmp_path / "mine")
    mine.commit("one", {"a": "1"})
    mine.push()
    git(mine.folder, "commit", "--quiet", "--amend", "-m", "other")
    assert "rejected" in git(mine.folder, "push", "--force", "origin", "HEAD:refs/heads/main", check=False)
    assert server.pushed == ["myapp", "myapp"]


@pytest.mark.parametrize("password", ["", "wrong"])
def test_without_a_token_git_is_asked_for_a_password(server: Server, password: str) -> None:
    url = f"{server.url}/git/gitops/myapp.git/info/refs?service=git-upload-pack"
    answer = httpx.get(url, auth=("any", password) if password else None)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Basic")


@pytest.mark.parametrize("project", ["settings", "lucity", "nothing", "..", "%2e%2e", "a--b", "UPPER"])
def test_what_is_no_project_is_404(server: Server, project: str) -> None:
    assert refs(server, project).status_code == 404


def test_the_dumb_protocol_is_refused(server: Server) -> None:
    assert refs(server, service="git-upload-archive").status_code == 403


def test_a_form_cannot_push(server: Server) -> None:
    answer = httpx.post(f"{address(server)}/git-receive-pack", data={"a": "b"})
    assert answer.status_code == 415
    assert server.pushed == []


def test_a_broken_push_changes_nothing(server: Server, site: Site) -> None:
    headers = {"Content-Type": "application/x-git-receive-pack-request", "Content-Encoding": "gzip"}
    answer = httpx.post(f"{address(server)}/git-receive-pack", content=b"not gzip", headers=headers)
    assert answer.status_code == 400
    assert site.host.heads(["myapp"]) == {}


def test_the_signers_are_served(server: Server) -> None:
    path = server.data / "keys" / "allowed_signers"
    path.parent.mkdir(parents=True)
    path.write_text("lucity@localhost ssh-ed25519 AAAA\n")
    assert httpx.get(f"{server.url}/allowed_signers").text == "lucity@localhost ssh-ed25519 AAAA\n"
