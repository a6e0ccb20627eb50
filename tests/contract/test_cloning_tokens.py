"""A token that clones one project opens nothing else, on any way into the API."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from adapters.local_git import LocalGitHost
from gitops.changes import ActorKind
from tests.support.git import Clone, git
from tests.support.graphql_server import Server, bare, serving
from tests.support.graphql_socket import raw

SAID = "This token clones the repository of myapp and does nothing else"


@pytest.fixture
def host(tmp_path: Path) -> LocalGitHost:
    host = LocalGitHost(tmp_path / "git", tmp_path / "archive")
    for project in ("myapp", "other"):
        host.create(project)
    return host


@pytest.fixture
def server(host: LocalGitHost, tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path / "data", repository=bare(host.path)) as started:
        yield started


@pytest.fixture
def token(server: Server) -> str:
    tokens = server.world.tokens()
    return tokens.issue(None, "Argo CD", "argocd@localhost", ActorKind.AUTOMATION, clones="myapp")[1]


def address(server: Server, token: str, project: str = "myapp") -> str:
    return f"http://argocd:{token}@127.0.0.1:{server.port}/git/gitops/{project}.git"


def test_it_clones_its_project(server: Server, token: str, tmp_path: Path) -> None:
    mine = Clone.of(address(server, server.token), tmp_path / "mine")
    mine.commit("by hand", {"README.md": "x"})
    mine.push()
    assert Clone.of(address(server, token), tmp_path / "theirs").subjects() == ["by hand"]


def test_it_does_not_push(server: Server, host: LocalGitHost, token: str, tmp_path: Path) -> None:
    mine = Clone.of(address(server, token), tmp_path / "mine")
    mine.commit("by hand", {"README.md": "x"})
    assert "403" in git(mine.folder, "push", "origin", "HEAD:refs/heads/main", check=False)
    headers = {"Content-Type": "application/x-git-receive-pack-request"}
    answer = httpx.post(f"{address(server, token)}/git-receive-pack", content=b"0000", headers=headers)
    assert (answer.status_code, server.pushed, host.heads(["myapp"])) == (403, [], {})


@pytest.mark.parametrize("project", ["other", "nothing"])
def test_it_clones_no_other_project_and_does_not_tell_which_there_are(server: Server, token: str, project: str) -> None:
    answer = httpx.get(f"{address(server, token, project)}/info/refs", params={"service": "git-upload-pack"})
    assert (answer.status_code, answer.text) == (403, f"{SAID[0].lower()}{SAID[1:]}\n")


def test_it_gives_no_notice(server: Server, token: str) -> None:
    assert httpx.post(f"{address(server, token)}/pushed").status_code == 403
    assert server.pushed == []


@pytest.mark.parametrize("query", ["{ __typename }", "{ nothing }", "mutation { nothing }"])
def test_it_asks_nothing(server: Server, token: str, query: str) -> None:
    answer = httpx.post(f"{server.url}/graphql", json={"query": query}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 403
    assert answer.json()["errors"] == [{"message": SAID, "extensions": {"code": "FORBIDDEN"}}]


def test_it_opens_no_socket(server: Server, token: str) -> None:
    with raw(server) as opened:
        opened.send(type="connection_init", payload={"Authorization": f"Bearer {token}"})
        assert opened.closed() == 4401


def test_it_takes_no_project_away(server: Server, token: str) -> None:
    answer = httpx.get(f"{server.url}/eject/myapp", headers={"Authorization": f"Bearer {token}"})
    assert (answer.status_code, answer.text) == (403, f"{SAID}\n")


def test_it_logs_nobody_in(server: Server, token: str) -> None:
    answer = httpx.post(f"{server.url}/login", data={"token": token}, headers={"Origin": server.url})
    assert (answer.status_code, SAID in answer.text) == (403, True)
    assert "set-cookie" not in answer.headers
    page = httpx.get(f"{server.url}/", headers={"Cookie": f"lucity_session={token}"})
    assert page.headers["location"] == "/login"
