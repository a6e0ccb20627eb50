"""The real git client against smart_http.py behind a web server that does nothing else."""

import asyncio
import gzip
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from adapters import smart_http
from adapters.git_process import clean_environment
from adapters.ports import Unreachable
from tests.support.git import Clone, Site, delay_pushes, git, refuse_pushes
from tests.support.waiting import wait_until

SMALL_LIMIT = 64 * 1024


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site.make(tmp_path)
    site.host.create("myapp")
    return site


@pytest.fixture
def server(site: Site) -> Iterator[str]:
    """Serve the site on a free port, in a process of its own as `lucity api` is; the address of myapp."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        root = site.path("myapp").parent
        running = subprocess.Popen(
            [sys.executable, "-m", "tests.support.git_server", str(listening.fileno()), str(root)],
            pass_fds=[listening.fileno()],
        )
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/myapp.git"
        running.terminate()
        running.wait(timeout=30)


def test_a_clone_pushes_and_another_clone_has_it(site: Site, server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    sha = mine.commit("first", {"README.md": "hello"})
    mine.push()
    assert site.host.heads(["myapp"]) == {"myapp": sha}
    assert Clone.of(server, tmp_path / "other").subjects() == ["first"]


@pytest.mark.parametrize("version", ["0", "1", "2"])
def test_every_protocol_version_is_spoken(server: str, tmp_path: Path, version: str) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    git(mine.folder, "config", "protocol.version", version)
    sha = mine.commit("first", {"a": "1"})
    mine.push()
    assert git(mine.folder, "ls-remote", "origin", "refs/heads/main").split("\t")[0] == sha
    assert mine.pull() == sha


def test_a_large_push_arrives_whole_although_it_is_sent_in_chunks(site: Site, server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    content = os.urandom(6_000_000).hex()
    sha = mine.commit("large", {"large.txt": content})
    git(mine.folder, "config", "http.postBuffer", "65536")
    mine.push()
    assert site.host.heads(["myapp"]) == {"myapp": sha}
    assert (Clone.of(server, tmp_path / "other").folder / "large.txt").read_text() == content
    git(site.path("myapp"), "fsck", "--strict")


def test_a_shallow_clone_has_one_commit_and_can_be_deepened(server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    for number in range(5):
        mine.commit(f"commit {number}", {"a": str(number)})
    mine.push()
    shallow = Clone.of(server, tmp_path / "shallow", "--depth", "1")
    assert shallow.subjects() == ["commit 4"]
    git(shallow.folder, "fetch", "--quiet", "--unshallow")
    assert len(shallow.subjects()) == 5


def test_a_fetch_whose_request_is_compressed_is_answered(server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    mine.commit("first", {"a": "1"})
    mine.push()
    other = Clone.of(server, tmp_path / "other")
    # Over a kilobyte of "have" lines makes git compress its request.
    for number in range(100):
        other.commit(f"local {number}", {"b": str(number)})
    sha = mine.commit("second", {"a": "2"})
    mine.push()
    assert other.pull() == sha


def test_pushes_at_the_same_moment_have_one_winner_and_the_others_are_told(
    site: Site, server: str, tmp_path: Path
) -> None:
    first = Clone.of(server, tmp_path / "first")
    first.commit("root", {"a": "0"})
    first.push()
    clones = [Clone.of(server, tmp_path / f"clone{number}") for number in range(4)]
    shas = [clone.commit(f"by {number}", {"a": str(number)}) for number, clone in enumerate(clones)]

    def push(clone: Clone) -> str:
        return git(clone.folder, "push", "--porcelain", "origin", "HEAD:main", check=False)

    with ThreadPoolExecutor(len(clones)) as pool:
        said = list(pool.map(push, clones))
    won = [sha for sha, text in zip(shas, said, strict=True) if "rejected" not in text]
    assert won == [site.host.heads(["myapp"])["myapp"]], said


def test_a_hook_of_the_repository_runs_and_its_text_reaches_the_client(site: Site, server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    mine.commit("first", {"a": "1"})
    refuse_pushes(site.path("myapp"), "not on a Friday")
    said = git(mine.folder, "push", "origin", "HEAD:main", check=False)
    assert "remote: not on a Friday" in said
    assert "pre-receive hook declined" in said
    assert site.host.heads(["myapp"]) == {}


def test_history_cannot_be_rewritten_or_deleted_by_a_push(site: Site, server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    mine.commit("first", {"a": "1"})
    sha = mine.commit("second", {"a": "2"})
    mine.push()
    git(mine.folder, "reset", "--quiet", "--hard", "HEAD~1")
    mine.commit("other", {"a": "3"})
    assert "rejected" in git(mine.folder, "push", "--force", "origin", "HEAD:main", check=False)
    assert "rejected" in git(mine.folder, "push", "origin", ":main", check=False)
    assert site.host.heads(["myapp"]) == {"myapp": sha}


def test_a_client_that_goes_away_takes_its_push_with_it(site: Site, server: str, tmp_path: Path) -> None:
    mine = Clone.of(server, tmp_path / "mine")
    mine.commit("first", {"a": "1"})
    repository = site.path("myapp")
    delay_pushes(repository, 600)
    pushing = subprocess.Popen(
        ["git", "push", "origin", "HEAD:main"],
        cwd=mine.folder,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: len(_processes(repository)) > 0, "the push has reached git")
    os.killpg(pushing.pid, signal.SIGKILL)
    pushing.wait()
    wait_until(lambda: not _processes(repository), "nothing works on the repository any more")
    assert site.host.heads(["myapp"]) == {}
    (repository / "hooks" / "pre-receive").unlink()
    mine.push()
    assert list(site.host.heads(["myapp"])) == ["myapp"]


def test_a_body_over_the_limit_ends_the_exchange_also_when_it_is_small_before_inflating(site: Site) -> None:
    bomb = gzip.compress(b"0" * (SMALL_LIMIT * 100))
    assert len(bomb) < SMALL_LIMIT
    with pytest.raises(smart_http.BodyTooLarge):
        _serve(site, bomb, zipped=True)
    with pytest.raises(smart_http.BodyTooLarge):
        _serve(site, b"0004" * SMALL_LIMIT, zipped=False)


@pytest.mark.parametrize(
    "body", [b"no gzip at all", gzip.compress(b"0011want nothing", mtime=0)[:-9]], ids=["plain", "cut"]
)
def test_a_body_that_is_not_the_gzip_it_claims_to_be_is_an_error(site: Site, body: bytes) -> None:
    with pytest.raises(ValueError, match="body"):
        _serve(site, body, zipped=True)


@pytest.mark.parametrize("body", [b"zzzz", b"z" * 60_000])
def test_a_request_that_git_cannot_read_is_answered_in_gits_own_words(site: Site, body: bytes) -> None:
    answer = _serve(site, body, zipped=False)
    assert answer[4:].startswith(b"ERR git-upload-pack ended without an answer for myapp.git")
    assert int(answer[:4], 16) == len(answer)


def test_a_service_that_is_not_gits_is_refused(site: Site) -> None:
    async def ask() -> None:
        async for _ in smart_http.advertise(site.path("myapp"), "upload-archive --exec=x", None):
            pass

    with pytest.raises(ValueError, match="upload-archive"):
        asyncio.run(ask())


def test_a_repository_that_is_not_there_is_told_before_the_first_byte(site: Site) -> None:
    async def ask() -> list[bytes]:
        return [chunk async for chunk in smart_http.advertise(site.path("gone"), "git-upload-pack", None)]

    with pytest.raises(Unreachable):
        asyncio.run(ask())


def test_a_protocol_header_that_git_does_not_define_is_ignored(server: str) -> None:
    asked = httpx.get(
        f"{server}/info/refs?service=git-upload-pack", headers={"Git-Protocol": "version=2:evil=$(touch x)"}
    )
    assert asked.content.startswith(b"001e# service=git-upload-pack\n0000")
    assert asked.headers["content-type"] == "application/x-git-upload-pack-advertisement"


def _serve(site: Site, body: bytes, *, zipped: bool) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        yield body

    async def exchange() -> bytes:
        answer = smart_http.serve(
            site.path("myapp"),
            "git-upload-pack",
            chunks(),
            gzip=zipped,
            protocol=None,
            body_bytes=SMALL_LIMIT,
        )
        return b"".join([chunk async for chunk in answer])

    return asyncio.run(exchange())


def _processes(repository: Path) -> list[str]:
    """Command lines of processes whose working directory, or arguments, are the repository's."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            inside = (process / "cwd").readlink() == repository
            if inside or str(repository).encode() in (process / "cmdline").read_bytes():
                found.append((process / "cmdline").read_text())
        except OSError:
            continue
    return found
