"""What Lucity does on a real Soft-serve that takes its tokens away while it runs, and what it remembers of it."""

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from adapters.ports import Unreachable
from adapters.records import PushState
from adapters.softserve import SoftServeGitHost
from adapters.softserve_ssh import Ssh
from tests.support.git import Site, first_commit, new_commit
from tests.support.softserve import SoftServe
from tests.support.waiting import wait_until


class TestRevokedTokens:
    """Somebody revokes Lucity's tokens while it runs."""

    @pytest.fixture
    def site(self, own: SoftServe, tmp_path: Path) -> Site:
        site = replace(Site.make(tmp_path / "data"), host=own.host(tmp_path / "data", tmp_path / "secrets"))
        assert isinstance(site.host, SoftServeGitHost)
        site.host.prepare()
        site.host.create("myapp")
        return site

    def test_a_fetch_and_a_push_go_on_with_a_new_one(self, own: SoftServe, site: Site) -> None:
        mirrors = site.mirrors()
        root = first_commit(mirrors)
        revoke(own, site, "writer")
        assert site.mirrors(name="others").fetch("myapp") == root
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"2"}))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED
        assert names_of_tokens(own, site, "writer") == ["lucity"]

    def test_a_push_goes_on_where_somebody_took_the_writer_out(self, own: SoftServe, site: Site) -> None:
        mirrors = site.mirrors()
        root = first_commit(mirrors)
        own.administer("repo", "collab", "remove", "gitops/myapp", "writer")
        sha = mirrors.commit("myapp", root, new_commit("x", {"a": b"2"}))
        assert mirrors.push("myapp", root, sha).state is PushState.ACCEPTED

    def test_a_look_at_many_heads_makes_one_for_all(self, own: SoftServe, site: Site) -> None:
        projects = ["myapp", *(f"app-{number}" for number in range(5))]
        for project in projects:
            site.host.create(project)
        root = first_commit(site.mirrors())
        revoke(own, site, "writer")
        assert site.host.heads(projects) == {"myapp": root}
        assert names_of_tokens(own, site, "writer") == ["lucity"]

    def test_users_go_on_cloning_through_lucity(self, own: SoftServe, site: Site) -> None:
        host = site.host
        assert isinstance(host, SoftServeGitHost)
        first_commit(site.mirrors())
        revoke(own, site, "writer")
        url, headers = host.request("myapp", push=False)
        answer = httpx.get(f"{url}/info/refs", params={"service": "git-upload-pack"}, headers=headers)
        assert answer.status_code == 200

    def test_a_project_can_be_archived_all_the_same(self, own: SoftServe, site: Site) -> None:
        first_commit(site.mirrors())
        revoke(own, site, "writer")
        site.host.archive("myapp")
        assert list(site.host.projects()) == []

    def test_argo_cd_gets_a_new_one_when_it_is_told_the_next_time(self, own: SoftServe, site: Site) -> None:
        host = site.host
        assert isinstance(host, SoftServeGitHost)
        former = host.credentials_for_reading("myapp")
        revoke(own, site, "argocd")
        fresh = host.credentials_for_reading("myapp")
        assert fresh[2] != former[2]
        assert host.credentials_for_reading("myapp") == fresh

    def test_one_that_is_refused_again_is_not_replaced_again_and_again(self, own: SoftServe, site: Site) -> None:
        first_commit(site.mirrors())
        for _ in range(2):
            revoke(own, site, "writer")
            with suppress(Unreachable):
                site.host.heads(["myapp"])
        for _ in range(3):
            with pytest.raises(Unreachable, match=r"refuses Lucity's token for gitops/myapp \(40[13]"):
                site.host.heads(["myapp"])
            with pytest.raises(Unreachable):
                site.mirrors(name="others").fetch("myapp")
        assert names_of_tokens(own, site, "writer") == []


class TestListing:
    """Which projects there are."""

    def test_what_this_process_makes_and_archives_is_seen_at_once(self, own: SoftServe, tmp_path: Path) -> None:
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        host.prepare()
        seen = [list(host.projects())]
        for change in (host.create, host.archive):
            change("myapp")
            seen.append(list(host.projects()))
        assert seen == [[], ["myapp"], []]

    def test_what_another_process_makes_is_seen_soon(self, own: SoftServe, tmp_path: Path) -> None:
        here, there = (own.host(tmp_path / name, tmp_path / "secrets") for name in ("here", "there"))
        here.prepare()
        assert list(here.projects()) == []
        there.create("myapp")
        wait_until(lambda: list(here.projects()) == ["myapp"], "the project to be seen")


def revoke(server: SoftServe, site: Site, user: str) -> None:
    """Revoke all tokens of one of Lucity's users."""
    for number in re.findall(r"^│(\d+)", tokens(server, site, user), re.MULTILINE):
        command(server, site, user, "token", "delete", number)


def names_of_tokens(server: SoftServe, site: Site, user: str) -> list[str]:
    """Names of the tokens that one of Lucity's users has."""
    return re.findall(r"^│\d+ *│([^│\s]+)", tokens(server, site, user), re.MULTILINE)


def tokens(server: SoftServe, site: Site, user: str) -> str:
    return command(server, site, user, "token", "list")


def command(server: SoftServe, site: Site, user: str, *arguments: str) -> str:
    """Run one as that user, with the key that Lucity keeps."""
    folder = site.folder / "softserve"
    return Ssh.to(server.ssh_url, folder / "known_hosts").run(folder / user, *arguments)
