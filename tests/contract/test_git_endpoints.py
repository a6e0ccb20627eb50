"""Clone and push at /git/gitops/<project>.git with the real git: a token is the password."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.git_wiring import Git
from tests.support.git import Clone, Site, git
from tests.support.graphql_server import Server, serving
from tests.support.sites import HOSTS, made
from tests.support.waiting import wait_until


@pytest.fixture(params=HOSTS)
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    with made(request.param, tmp_path / "host") as site:
        site.host.create("myapp")
        yield site


@pytest.fixture
def server(site: Site, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data", repository=Git(site.host, site.mirrors()).serve) as started:
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


def test_a_large_request_comes_zipped_and_in_pieces(server: Server, site: Site, tmp_path: Path) -> None:
    """Beyond http.postBuffer git sends chunks; a fetch with many `have` lines is gzipped."""
    mine = Clone.of(address(server), tmp_path / "mine")
    for number in range(60):
        mine.commit(f"{number}", {"a": str(number)})
    git(mine.folder, "-c", "http.postBuffer=65536", "push", "--quiet", "origin", "HEAD:refs/heads/main")
    theirs = Clone.of(address(server), tmp_path / "theirs")
    for number in range(60):
        theirs.commit(f"theirs {number}", {"b": str(number)})
    sha = mine.commit("last", {"a": "last"})
    mine.push()
    git(theirs.folder, "fetch", "--quiet", "origin")
    assert git(theirs.folder, "rev-parse", "origin/main") == sha
    assert site.host.heads(["myapp"]) == {"myapp": sha}


def test_a_client_that_goes_away_in_the_middle_of_a_push_changes_nothing(server: Server, site: Site) -> None:
    credentials = base64.b64encode(f"any:{server.token}".encode()).decode()
    head = (
        "POST /git/gitops/myapp.git/git-receive-pack HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        f"Authorization: Basic {credentials}\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        "Transfer-Encoding: chunked\r\n\r\n"
    )
    line = f"{'0' * 40} {'1' * 40} refs/heads/main\0report-status"
    with socket.create_connection(("127.0.0.1", server.port)) as gone:
        gone.sendall(f"{head}{len(line) + 4:x}\r\n{len(line) + 4:04x}{line}\r\n".encode())
    wait_until(lambda: refs(server).status_code == 200, "the next request")
    assert site.host.heads(["myapp"]) == {}


def test_a_hook_of_the_host_can_say_that_it_moved(server: Server) -> None:
    answer = httpx.post(f"{address(server)}/pushed")
    assert (answer.status_code, server.pushed) == (204, ["myapp"])
    assert httpx.post(f"{server.url}/git/gitops/myapp.git/pushed").status_code == 401
    assert httpx.post(f"{address(server, 'nothing')}/pushed").status_code == 404
    assert server.pushed == ["myapp"]


@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_a_repository_that_is_gone_is_404_and_stays_gone(server: Server, site: Site, service: str) -> None:
    assert refs(server, service=service).status_code == 200
    site.host.archive("myapp")
    assert refs(server, service=service).status_code == 404
    headers = {"Content-Type": f"application/x-{service}-request"}
    assert httpx.post(f"{address(server)}/{service}", content=b"0000", headers=headers).status_code == 404
    assert list(site.host.projects()) == []


@pytest.mark.parametrize("site", ["local"], indirect=True)
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
