"""Reading source repositories: the promises of the port by its twin and by Git, and what hostile ones cannot do."""

import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.ports import Sources, Unreachable
from adapters.sources import GitSources
from gitops.problems import InvalidInput, JobFailure, NotFound, Problem, Refused
from tests.fakes import FakeSources
from tests.support.git import Clone, git
from tests.support.repositories import SourceRepository
from tests.support.softserve import SoftServe
from tests.support.source_server import Forge, serve


@dataclass(frozen=True)
class Place:
    """Sources with one repository; `commit` puts files on a branch, `tag` names the last commit of main."""

    sources: Sources
    url: str
    commit: Callable[[str, Mapping[str, str]], str]


@pytest.fixture(params=["twin", "git"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "twin":
        twin = FakeSources()
        url = "https://forge.test/shop/api.git"

        def commit(branch: str, files: Mapping[str, str]) -> str:
            return twin.commit(url, branch, {name: text.encode() for name, text in files.items()})

        return Place(twin, url, commit)
    repository = SourceRepository.make(tmp_path / "forge" / "api.git")
    return Place(sources(tmp_path), repository.url, repository.commit)


def sources(folder: Path, *, seconds: float = 60, mib: int = 64, local: bool = True) -> GitSources:
    return GitSources(folder / "data" / "sources", seconds, mib, local=local)


def refusal(work: Callable[[], object]) -> Problem:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.problem


def check_out(sources: Sources, url: str, revision: str = "main", credentials: bytes | None = None) -> dict[str, str]:
    """The files of a revision; links as what they point to."""
    with sources.checkout(url, revision, credentials) as checkout:
        return {
            str(path.relative_to(checkout.folder)): str(path.readlink()) if path.is_symlink() else path.read_text()
            for path in checkout.folder.rglob("*")
            if path.is_symlink() or path.is_file()
        }


class TestEverySource:
    def test_the_head_of_a_branch_is_its_newest_commit(self, place: Place) -> None:
        place.commit("main", {"a": "1"})
        newest = place.commit("main", {"a": "2"})
        assert place.sources.head(place.url, "main", None) == newest
        assert place.sources.head(place.url, "mai", None) is None

    @pytest.mark.parametrize("name", ["branch", "full", "short"])
    def test_a_revision_is_checked_out_exactly_by_every_name(self, place: Place, name: str) -> None:
        place.commit("main", {"old": "1"})
        sha = place.commit("feature/one", {"a": "1", "src/b": "2"})
        place.commit("main", {"new": "3"})
        revision = {"branch": "feature/one", "full": sha, "short": sha[:8]}[name]
        with place.sources.checkout(place.url, revision, None) as checkout:
            folder = checkout.folder
            assert checkout.sha == sha
            assert (folder / "src" / "b").read_text() == "2"
            assert sorted(path.name for path in folder.iterdir()) == ["a", "src"]
            assert folder.stat().st_mode & 0o777 == 0o755
        assert not folder.exists()

    def test_ids_tell_which_files_differ(self, place: Place) -> None:
        first = place.commit("main", {"api/a": "1", "web/b": "1"})
        second = place.commit("main", {"api/a": "1", "web/b": "2"})
        found = []
        for sha in (first, second):
            with place.sources.checkout(place.url, sha, None) as checkout:
                found.append([checkout.tree(path) for path in (".", "", "api", "web", "api/a", "nothing")])
        before, after = found
        assert before[0] == before[1] != after[0] == after[1]
        assert before[2] == after[2]
        assert before[3] != after[3]
        assert before[4] == after[4] is not None
        assert before[5] is after[5] is None

    @pytest.mark.parametrize("revision", ["nothing", "0" * 40, "abcdef1"])
    def test_a_revision_that_is_not_there_is_not_found(self, place: Place, revision: str) -> None:
        place.commit("main", {"a": "1"})
        problem = refusal(lambda: check_out(place.sources, place.url, revision))
        assert isinstance(problem, NotFound)
        assert (problem.what, problem.name) == ("revision", revision)

    def test_a_repository_that_is_not_there_is_refused(self, place: Place) -> None:
        url = place.url.replace("api", "nobody")
        assert isinstance(refusal(lambda: place.sources.head(url, "main", None)), JobFailure)


@pytest.fixture
def repository(tmp_path: Path) -> SourceRepository:
    return SourceRepository.make(tmp_path / "forge" / "api.git")


@pytest.fixture
def git_sources(tmp_path: Path) -> GitSources:
    return sources(tmp_path)


def test_tags_stand_for_their_commits(repository: SourceRepository, git_sources: GitSources) -> None:
    sha = repository.commit("main", {"a": "1"})
    git(repository.author.folder, "tag", "-a", "v1", "-m", "one", sha)
    git(repository.author.folder, "tag", "light", sha)
    git(repository.author.folder, "push", "--quiet", "origin", "v1", "light")
    for tag in ("v1", "light"):
        with git_sources.checkout(repository.url, tag, None) as checkout:
            assert checkout.sha == sha


def test_short_shas_find_commits_that_no_branch_ends_at(repository: SourceRepository, git_sources: GitSources) -> None:
    first = repository.commit("main", {"a": "1"})
    for number in range(5):
        repository.commit("main", {"a": str(number)})
    with git_sources.checkout(repository.url, first[:10], None) as checkout:
        assert checkout.sha == first


@pytest.mark.parametrize(
    "revision",
    ["-x", "--upload-pack=touch /tmp/x", "a..b", "a b", "a\nb", "@{u}", "main:a", "", "a" * 300, "../a", "main^"],
)
def test_names_that_no_revision_has_are_refused(
    git_sources: GitSources, repository: SourceRepository, revision: str
) -> None:
    assert isinstance(refusal(lambda: check_out(git_sources, repository.url, revision)), InvalidInput)
    assert isinstance(refusal(lambda: git_sources.head(repository.url, revision, None)), InvalidInput)


@pytest.mark.parametrize(
    "url",
    [
        *("-oProxyCommand=x", "ext::sh -c id", "git://example.org/x", "/etc", "../x", "fd::3", "ftp://example.org/x"),
        *(
            "https://user:password@example.org/x",
            "https://user@example.org/x",
            "https://-x/y",
            "ssh://-oX@example.org/x",
        ),
        *(
            "https:///x",
            "https://example.org",
            "https://example.org:99999/x",
            "https://example.org/a\nb",
            "-x@example.org:a",
        ),
        *(
            "git@example.org:-x",
            "https://example.org/x?y",
            "https://exa mple.org/x",
            "ssh://example.org/-x",
            "file://host/x",
        ),
    ],
)
def test_addresses_that_are_none_are_refused(git_sources: GitSources, url: str) -> None:
    assert isinstance(refusal(lambda: git_sources.head(url, "main", None)), InvalidInput)


@pytest.mark.parametrize(
    "url",
    [
        *("file:///etc", "http://example.org/x", "https://127.0.0.1/x", "https://localhost/x", "https://[::1]/x"),
        *("https://10.1.2.3/x", "https://100.64.0.1/x", "https://169.254.169.254/x", "https://0.0.0.0/x"),
        *("https://[::ffff:127.0.0.1]/x", "https://[fd00::1]/x", "https://2130706433/x", "ssh://git@127.1/x"),
        *("git@192.168.0.1:x", "https://168.63.129.16/x", "https://[64:ff9b::7f00:1]/x", "https://[2002:7f00:1::]/x"),
    ],
)
def test_what_is_not_public_is_for_development_only(tmp_path: Path, url: str) -> None:
    problem = refusal(lambda: sources(tmp_path, local=False).head(url, "main", None))
    assert isinstance(problem, InvalidInput)
    assert "LUCITY_ALLOW_LOCAL_SOURCES" in problem.message


def test_repositories_of_lucitys_own_are_no_sources(tmp_path: Path) -> None:
    own = SourceRepository.make(tmp_path / "data" / "git" / "settings.git")
    (tmp_path / "around").symlink_to(own.path)
    for url in (
        own.url,
        f"file://{tmp_path}/around",
        f"file://{tmp_path}/x/../data/git/settings.git",
        "file:///%64ata",
    ):
        problem = refusal(lambda url=url: sources(tmp_path).head(url, "main", None))  # type: ignore[misc]
        assert isinstance(problem, InvalidInput)


def test_hooks_filters_and_submodules_of_a_repository_do_not_run(
    repository: SourceRepository, git_sources: GitSources, tmp_path: Path
) -> None:
    mark = tmp_path / "ran"
    folder = repository.author.folder
    repository.commit("main", {"a": "1"})
    (folder / ".gitattributes").write_text("* filter=evil\n*.bin filter=lfs\n")
    (folder / "large.bin").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / ".gitmodules").write_text(f'[submodule "m"]\n\tpath = m\n\turl = {repository.path}\n')
    git(folder, "config", "filter.evil.smudge", f"touch {mark}")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(folder, 'rev-parse', 'HEAD')},m")
    (folder / "m").mkdir()
    git(folder, "add", ".gitattributes", "large.bin", ".gitmodules")
    git(folder, "commit", "--quiet", "-m", "hostile")
    git(folder, "push", "--quiet", "origin", "main")
    hook = repository.path / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {mark}\n")
    hook.chmod(0o755)
    files = check_out(git_sources, repository.url)
    assert files["large.bin"].startswith("version https://git-lfs")
    assert not any(name.startswith("m/") for name in files)
    assert not mark.exists()


def test_links_are_kept_and_those_that_lead_out_are_not_followed(
    repository: SourceRepository, git_sources: GitSources
) -> None:
    folder = repository.author.folder
    (folder / "out").symlink_to("/etc")
    (folder / "up").symlink_to("../../..")
    (folder / "in").symlink_to("api")
    repository.author.commit("links", {"api/Dockerfile": "FROM scratch\n"})
    git(folder, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    with git_sources.checkout(repository.url, "main", None) as checkout:
        assert (checkout.folder / "out").readlink() == Path("/etc")
        assert checkout.tree("in") == checkout.tree("api")
        for path in ("out", "up", "out/passwd", "..", "/etc"):
            assert isinstance(refusal(lambda path=path: checkout.tree(path)), InvalidInput)  # type: ignore[misc]


@pytest.mark.parametrize("compressible", [True, False], ids=["small-in-transit", "large-in-transit"])
def test_a_repository_over_the_bound_is_refused_and_leaves_nothing(
    repository: SourceRepository, tmp_path: Path, *, compressible: bool
) -> None:
    content = bytes(24 << 20) if compressible else os.urandom(24 << 20)
    (repository.author.folder / "large").write_bytes(content)
    repository.author.commit("large", {})
    git(repository.author.folder, "push", "--quiet", "origin", "HEAD:refs/heads/main")
    problem = refusal(lambda: check_out(sources(tmp_path, mib=8), repository.url))
    assert isinstance(problem, JobFailure)
    assert "LUCITY_SOURCE_MIB" in problem.message
    assert list((tmp_path / "data" / "sources").glob("clone-*")) == []


def test_a_host_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        problem = refusal(lambda: sources(tmp_path, seconds=1).head(url, "main", None))
    assert isinstance(problem, JobFailure)
    assert "LUCITY_SOURCE_TIMEOUT_SECONDS" in problem.message


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


def test_what_a_killed_process_left_is_removed(tmp_path: Path, repository: SourceRepository) -> None:
    repository.commit("main", {"a": "1"})
    left = tmp_path / "data" / "sources" / "clone-left"
    left.mkdir(parents=True)
    os.utime(left, (0, 0))
    check_out(sources(tmp_path), repository.url)
    assert not left.exists()


def test_clones_beside_each_other_do_not_disturb(tmp_path: Path, repository: SourceRepository) -> None:
    repository.commit("main", {"a": "1"})
    found: list[dict[str, str]] = []
    with sources(tmp_path).checkout(repository.url, "main", None) as checkout:
        os.utime(checkout.folder.parent, (0, 0))
        other = threading.Thread(target=lambda: found.append(check_out(sources(tmp_path), repository.url)))
        other.start()
        other.join()
        assert (checkout.folder / "a").read_text() == "1"
    assert found == [{"a": "1"}]
