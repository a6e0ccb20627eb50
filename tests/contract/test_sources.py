"""Reading source repositories: the promises of the port by its twin and by Git, and what hostile ones cannot do."""

import os
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.ports import Sources, Stopped
from adapters.sources import GitSources
from gitops.problems import InvalidInput, JobFailure, NotFound
from tests.fakes import FakeSources
from tests.support.git import git
from tests.support.repositories import SourceRepository, check_out, refusal, sources


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


class TestEverySource:
    def test_the_head_of_a_branch_is_its_newest_commit(self, place: Place) -> None:
        place.commit("main", {"a": "1"})
        newest = place.commit("main", {"a": "2"})
        assert place.sources.head(place.url, "main", None) == newest
        assert place.sources.head(place.url, "refs/heads/main", None) == newest
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
    for tag in ("v1", "light", "refs/heads/main", "refs/tags/light", "refs/tags/v1"):
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
        *("https://[::127.0.0.1]/x", "https://[fec0::1]/x", "https://[64:ff9b:1::7f00:1]/x", "https://192.0.0.192/x"),
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


def test_a_clone_that_is_stopped_ends_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/x"
        with pytest.raises(Stopped):
            sources(tmp_path, seconds=600).head(url, "main", None, lambda: True)
    assert list((tmp_path / "data" / "sources").glob("clone-*")) == []


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
