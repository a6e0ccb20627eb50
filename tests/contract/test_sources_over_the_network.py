"""Source repositories over HTTP and SSH: logins are used, hidden and gone; redirects lead nowhere."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import Unreachable
from adapters.sources import GitSources
from gitops.problems import InvalidInput, JobFailure
from tests.support.git import Clone
from tests.support.repositories import SourceRepository, refusal, sources
from tests.support.softserve import SoftServe
from tests.support.source_server import Forge, serve


@pytest.fixture
def repository(tmp_path: Path) -> SourceRepository:
    return SourceRepository.make(tmp_path / "forge" / "api.git")


@pytest.fixture
def git_sources(tmp_path: Path) -> GitSources:
    return sources(tmp_path)


@pytest.fixture
def forge(tmp_path: Path) -> Iterator[Forge]:
    with serve(tmp_path / "forge") as running:
        yield running


class TestHttp:
    def test_a_login_is_used_and_is_in_no_file_while_the_files_are_used(
        self, forge: Forge, repository: SourceRepository, tmp_path: Path
    ) -> None:
        forge.login = "ann:made-up-password"
        repository.commit("main", {"a": "1"})
        with sources(tmp_path).checkout(f"{forge.url}/api.git", "main", b"ann:made-up-password") as checkout:
            assert (checkout.folder / "a").read_text() == "1"
            kept = [path for path in (tmp_path / "data" / "sources").rglob("*") if path.is_file()]
            assert kept
            assert not any(secret in path.read_bytes() for path in kept for secret in (b"made-up", b"YW5uOm1hZGUtdXA"))
            assert checkout.tree("a") is not None

    def test_a_token_is_a_password(self, forge: Forge, repository: SourceRepository, git_sources: GitSources) -> None:
        forge.login = "x-access-token:tok123456"
        sha = repository.commit("main", {"a": "1"})
        assert git_sources.head(f"{forge.url}/api.git", "main", b"tok123456\n") == sha

    def test_a_wrong_login_is_told_without_being_shown(
        self, forge: Forge, repository: SourceRepository, git_sources: GitSources
    ) -> None:
        forge.login = "ann:right"
        repository.commit("main", {"a": "1"})
        for credentials in (b"ann:wrong-password", None):
            problem = refusal(lambda given=credentials: git_sources.head(f"{forge.url}/api.git", "main", given))  # type: ignore[misc]
            assert isinstance(problem, JobFailure)
            assert "`clone`" in problem.message
            assert "wrong-password" not in problem.message

    def test_a_redirect_is_not_followed(self, forge: Forge, repository: SourceRepository, tmp_path: Path) -> None:
        repository.commit("main", {"a": "1"})
        with serve(tmp_path / "forge") as elsewhere:
            forge.moved_to = elsewhere.url
            problem = refusal(lambda: sources(tmp_path).head(f"{forge.url}/api.git", "main", b"ann:secret"))
            assert isinstance(problem, JobFailure)
            assert elsewhere.logins == []

    def test_a_port_where_nobody_listens_is_unreachable(self, git_sources: GitSources) -> None:
        with pytest.raises(Unreachable) as caught:
            git_sources.head("http://127.0.0.1:1/api.git", "main", None)
        assert caught.value.component == "source"

    @pytest.mark.parametrize(
        "credentials",
        [b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n", b"\xff", b"a\nb", b""],
    )
    def test_credentials_of_another_kind_are_refused_unseen(self, git_sources: GitSources, credentials: bytes) -> None:
        problem = refusal(lambda: git_sources.head("http://127.0.0.1:1/x", "main", credentials))
        assert isinstance(problem, InvalidInput)
        assert "AAAA" not in problem.message


def test_a_private_key_opens_a_repository_by_ssh(tmp_path: Path) -> None:
    server = SoftServe(tmp_path / "soft")
    try:
        server.start()
        server.administer("repo", "create", "api", "--private")
        author = Clone.of(server.address("api"), tmp_path / "author")
        sha = author.commit("first", {"a": "1"})
        author.push()
        url = f"{server.ssh_url.replace('://', '://git@')}/api"
        key = server.admin_key.read_bytes()
        with sources(tmp_path).checkout(url, "main", key) as checkout:
            assert checkout.sha == sha
            assert not any(
                key in path.read_bytes() for path in (tmp_path / "data" / "sources").rglob("*") if path.is_file()
            )
        assert "private key" in refusal(lambda: sources(tmp_path).head(url, "main", None)).message
        assert "private key" in refusal(lambda: sources(tmp_path).head(url, "main", b"token")).message
    finally:
        server.close()
