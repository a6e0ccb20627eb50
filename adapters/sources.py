"""The users' own repositories, cloned to build images: exactly one revision, bounded, and nothing of it is run."""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from adapters import source_answers, source_logins
from adapters.build_output import Redactor
from adapters.git_process import clean_environment, die_with_parent, executable, signal_group, without_credentials
from adapters.ports import Checkout, Stopped, never
from adapters.source_addresses import SourceAddress
from adapters.source_logins import Login
from adapters.source_paths import inside
from adapters.trust import SYSTEM, Trust
from adapters.watched_process import Deadline, Growth, pump
from gitops.problems import JobFailure, NotFound, Refused

_LISTING_BYTES: Final = 64 << 20
_SAID_BYTES: Final = 1 << 16
_SEARCH_DEPTH: Final = 1000
_ABANDONED_SECONDS: Final = 60.0
_LAST_SECOND: Final = 253402300799
"""Of the year 9999: no date goes further."""


@dataclass(frozen=True)
class GitSources:
    """See ports.Sources. Clones live below `root`, a folder in the data folder, for as long as they are used; `local`
    allows file://, http:// and addresses that are not public.
    """

    root: Path
    timeout_seconds: float
    allowed_mib: int
    local: bool = False
    trust: Trust = SYSTEM

    def head(self, url: str, branch: str, credentials: bytes | None, stopped: Callable[[], bool] = never) -> str | None:
        """See Sources.head."""
        source_answers.judge_name(branch, "branch")
        with self._remote(url, credentials, stopped) as remote:
            ref = branch if branch.startswith("refs/") else f"refs/heads/{branch}"
            return remote.refs(ref).get(ref)

    @contextmanager
    def checkout(
        self, url: str, revision: str, credentials: bytes | None, stopped: Callable[[], bool] = never
    ) -> Iterator[Checkout]:
        """See Sources.checkout. The folder holds no `.git`, and others than root may read it, as builders must."""
        source_answers.judge_name(revision, "revision")
        with self._remote(url, credentials, stopped) as remote:
            sha = remote.find(revision)
            committed_at = remote.fetch(sha, revision)
            folder = remote.materialise(sha)
            remote.forget_login()
            yield Checkout(folder, sha, committed_at, remote.tree(sha, folder))

    @contextmanager
    def _remote(self, url: str, credentials: bytes | None, stopped: Callable[[], bool]) -> Iterator["_Remote"]:
        address = SourceAddress.parse(url, local=self.local)
        address.judge_file(self.root.parent)
        login = Login.parse(credentials, address.scheme)
        pinned = () if self.local else address.resolve()
        with self._folder() as folder:
            variables = source_logins.write(folder, address, login, pinned, self.root.absolute() / "known_hosts")
            deadline = Deadline(self.timeout_seconds, "reading the source repository", "LUCITY_SOURCE_TIMEOUT_SECONDS")
            growth = Growth((folder,), self.allowed_mib, "the source repository", "LUCITY_SOURCE_MIB")

            def watch() -> None:
                if stopped():
                    raise Stopped("stopped, as was asked for")
                deadline.check()
                growth.check()

            variables = {**variables, **self.trust.for_git}
            yield _Remote(folder, address, variables, Redactor(login.secrets), watch, self.allowed_mib)

    @contextmanager
    def _folder(self) -> Iterator[Path]:
        """A private folder that is removed at the end, or by the next who comes when this process is killed."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._remove_abandoned()
        folder = Path(tempfile.mkdtemp(dir=self.root.absolute(), prefix="clone-"))
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)

    def _remove_abandoned(self) -> None:
        for folder in self.root.glob("clone-*"):
            with suppress(OSError):
                if time.time() - folder.stat().st_mtime < _ABANDONED_SECONDS:
                    continue
                lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(folder, ignore_errors=True)
                finally:
                    os.close(lock)


@dataclass(frozen=True)
class _Remote:
    """One source repository, and the folder in which Git works for it."""

    folder: Path
    address: SourceAddress
    variables: dict[str, str]
    redactor: Redactor
    watch: Callable[[], None]
    allowed_mib: int

    def refs(self, *patterns: str) -> dict[str, str]:
        return source_answers.refs(self._git("ls-remote", "--quiet", "--", self.address.url, *patterns))

    def find(self, revision: str) -> str:
        """The full SHA of a branch, a tag, any ref by its full name, or a full or short SHA."""
        if source_answers.FULL_SHA.fullmatch(revision):
            return revision
        if revision.startswith("refs/"):
            named = self.refs(revision, f"{revision}^{{}}")
            if sha := named.get(f"{revision}^{{}}") or named.get(revision):
                return sha
        names = (f"refs/heads/{revision}", f"refs/tags/{revision}", f"refs/tags/{revision}^{{}}")
        found = source_answers.named(self.refs(*names), revision)
        if found is None and source_answers.SHORT_SHA.fullmatch(revision):
            found = self._search(revision)
        if found is None:
            raise source_answers.no_revision(revision)
        return found

    def fetch(self, sha: str, revision: str) -> datetime:
        """Fetch this commit and nothing else; when it was committed."""
        self._init("git")
        self._git(
            "fetch", "--quiet", "--depth=1", "--no-tags", "--", self.address.url, sha, place="git", wanted=revision
        )
        kind = self._git("cat-file", "-t", sha, place="git", wanted=revision).strip()
        if kind != b"commit":
            raise source_answers.no_revision(revision)
        seconds = int(self._git("log", "-1", "--format=%ct", sha, place="git"))
        return datetime.fromtimestamp(min(max(seconds, 0), _LAST_SECOND), UTC)

    def materialise(self, sha: str) -> Path:
        """Write the files into a folder."""
        tree = self.folder / "tree"
        tree.mkdir()
        self._git(f"--work-tree={tree}", "checkout", "--quiet", "--force", "--detach", sha, place="git")
        tree.chmod(0o755)
        return tree

    def forget_login(self) -> None:
        """No file holds it any longer than the clone takes."""
        for name in source_logins.FILES:
            (self.folder / name).unlink(missing_ok=True)

    def tree(self, sha: str, folder: Path) -> Callable[[str], str | None]:
        """See Checkout.tree; links are followed, as builders do."""

        def identify(path: str) -> str | None:
            try:
                found = inside(folder, path, "contextPath").relative_to(folder.resolve())
            except Refused as refusal:
                if isinstance(refusal.problem, NotFound):
                    return None
                raise
            name = "" if str(found) == "." else str(found)
            said = self._run(["rev-parse", "--verify", "--quiet", "--end-of-options", f"{sha}:{name}"], "git")
            return said.stdout.decode().strip() or None

        return identify

    def _search(self, short: str) -> str | None:
        """Among the heads, and then among the last commits of each branch: commits alone, where the server can."""
        found = source_answers.abbreviated(self.refs().values(), short)
        if found is not None:
            return found
        self._init("search")
        bounds = (f"--depth={_SEARCH_DEPTH}", "--filter=tree:0", "--no-tags")
        self._git("fetch", "--quiet", *bounds, "--", self.address.url, "+refs/heads/*:refs/heads/*", place="search")
        listing = self._git("rev-list", "--all", place="search").decode().split()
        shutil.rmtree(self.folder / "search")
        return source_answers.abbreviated(listing, short)

    def _init(self, place: str) -> None:
        self._git("init", "--quiet", "--bare", "--template=", str(self.folder / place))

    def _git(self, *arguments: str, place: str | None = None, wanted: str = "") -> bytes:
        said = self._run(arguments, place)
        if said.returncode != 0:
            text = self.redactor.hide(without_credentials(said.stderr.decode(errors="replace")))
            raise source_answers.failure(text.replace(str(self.folder), ""), wanted, self.allowed_mib)
        return said.stdout

    def _run(self, arguments: Sequence[str], place: str | None) -> "subprocess.CompletedProcess[bytes]":
        where = [] if place is None else [f"--git-dir={self.folder / place}"]
        stdout, stderr = bytearray(), bytearray()
        process = subprocess.Popen(
            [executable(), *where, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self.folder,
            env=clean_environment(self.variables),
            start_new_session=True,
            restore_signals=False,  # a file that is too large is an error then, not a death without a word
            umask=0o022,
            preexec_fn=_limits(self.allowed_mib << 20),  # noqa: PLW1509 - it calls the kernel and nothing else
        )
        assert process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
        with process:
            try:
                sinks = {process.stdout: _bounded(stdout), process.stderr: _latest(stderr)}
                code = pump(process, sinks, self.watch)
            finally:
                if process.poll() is None:
                    signal_group(process.pid, signal.SIGKILL)
        return subprocess.CompletedProcess(process.args, code, bytes(stdout), bytes(stderr))


def _limits(file_bytes: int) -> Callable[[], None]:
    tie = die_with_parent()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        if tie is not None:
            tie()

    return limit


def _bounded(buffer: bytearray) -> Callable[[bytes], None]:
    def keep(data: bytes) -> None:
        buffer.extend(data)
        if len(buffer) > _LISTING_BYTES:
            raise Refused(JobFailure(f"the source repository lists more than {_LISTING_BYTES >> 20} MiB of names"))

    return keep


def _latest(buffer: bytearray) -> Callable[[bytes], None]:
    def keep(data: bytes) -> None:
        buffer.extend(data)
        del buffer[:-_SAID_BYTES]

    return keep
