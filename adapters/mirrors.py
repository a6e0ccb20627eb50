"""Bare mirrors of the host's repositories on our disk: objects by pygit2, transport by git. Everything here can be
deleted at any time; a fetch brings it back.
"""

import re
import shutil
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from pathlib import Path

import pygit2

from adapters.bundles import write_bundle
from adapters.folder_lock import Flight, locked
from adapters.git_answers import FetchState, classify_fetch, classify_push, message_of
from adapters.git_objects import Commits, GitTree, Objects
from adapters.git_process import Finished, run
from adapters.git_transport import MAIN, Transport
from adapters.ports import GitHost, MissingCommit, Unreachable
from adapters.records import NewCommit, PushResult, PushState
from adapters.signing import Signatures, Signer
from gitops.commits import GitCommit, Person
from gitops.problems import NotFound, PermissionDenied, Refused

LUCITY = Person("Lucity", "lucity@localhost")
_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_MAINTENANCE_SECONDS = 900.0
_LOOSE_IN_ONE_FOLDER = 27
_PACKS = 50
_KEPT_OPEN = 256
_LEFTOVER_SECONDS = 3600.0


class Mirrors:
    """See ports.Repositories. The folder may be shared by any number of threads and processes."""

    def __init__(
        self,
        root: Path,
        host: GitHost,
        signer: Signer,
        signatures: Signatures,
        *,
        committer: Person = LUCITY,
        fetch_timeout_seconds: float = 15,
        push_timeout_seconds: float = 15,
    ) -> None:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._root = root
        self._host = host
        self._commits = Commits(signer, signatures, committer)
        self._lock_timeout = fetch_timeout_seconds
        self._transport = Transport(host, fetch_timeout_seconds, push_timeout_seconds)
        self._guard = threading.Lock()
        self._objects: dict[str, Objects] = {}
        self._flights: dict[str, Flight[str | None]] = {}
        self._tended: set[str] = set()
        _remove_leftovers(root)

    def head(self, project: str) -> str | None:
        """See Repositories.head."""
        try:
            target = self._open(project).repository().lookup_reference(MAIN).target
        except (MissingCommit, KeyError, ValueError, pygit2.GitError):
            return None
        return str(target)

    def fetch(self, project: str) -> str | None:
        """See Repositories.fetch. Callers at the same time share a fetch that began after their call."""
        with self._guard:
            flight = self._flights.setdefault(project, Flight(lambda: self._fetch(project)))
        return flight()

    def snapshot(self, project: str, sha: str) -> GitTree:
        """See Repositories.snapshot."""
        objects = self._open(project)
        return GitTree(objects, objects.commit(sha).tree_id)

    def commit(self, project: str, parent: str, new: NewCommit) -> str:
        """See Repositories.commit. A root commit makes the mirror when there is none."""
        if not parent:
            self._create(project)
        return self._commits.write(self._open(project), parent, new)

    def bundle(self, project: str, sha: str, file: Path) -> None:
        """Write a git bundle to clone from: main at a commit, with its whole history. Raises Unreachable."""
        write_bundle(self._path(project), sha, file)

    def push(self, project: str, old: str, new: str) -> PushResult:
        """See Repositories.push."""
        try:
            result = classify_push(self._transport.push(project, self._path(project), old, new), project)
        except Refused as refusal:
            return PushResult(PushState.DENIED, str(refusal), refusal.problem)
        except Unreachable as outage:
            return PushResult(PushState.AMBIGUOUS, str(outage))
        if result.state is PushState.ACCEPTED:
            self._advance(project, old, new)
            self._tend(project)
        # A host may deny what it does not have in the same words as what it does not allow.
        if isinstance(result.problem, PermissionDenied) and self._is_missing(project):
            return replace(result, problem=_missing(project).problem)
        return result

    def log(self, project: str, old: str | None, new: str) -> Sequence[GitCommit] | None:
        """See Repositories.log."""
        objects = self._open(project)
        objects.commit(new)
        found = first_parents(objects.repository(), old, new)
        return None if found is None else [self._commits.read(commit) for commit in reversed(found)]

    def forget(self, project: str) -> None:
        """See Repositories.forget."""
        with self._lock(project):
            self._open(project).discard()

    def objects(self, project: str) -> pygit2.Repository:
        """The mirror itself, for indexes over it. Raises MissingCommit when there is none."""
        return self._open(project).repository()

    def git_commit(self, project: str, sha: str) -> GitCommit:
        """One commit, its signature verified. Raises MissingCommit."""
        return self._commits.read(self._open(project).commit(sha))

    def trust(self) -> str:
        """A name for the set of keys by which signatures are verified now."""
        return self._commits.trust()

    def maintain(self, project: str) -> Finished:
        """Pack what is loose and drop what was abandoned over an hour ago, when there is enough of it."""
        return run(
            [
                "-c",
                "gc.auto=6700",
                "-c",
                "gc.autoDetach=false",
                "-c",
                "gc.pruneExpire=1.hour.ago",
                "gc",
                "--auto",
                "--quiet",
            ],
            repository=self._path(project),
            timeout_seconds=_MAINTENANCE_SECONDS,
        )

    def _path(self, project: str) -> Path:
        if not _NAME.fullmatch(project):
            raise ValueError(f"{project!r} is no name of a project")
        return self._root / f"{project}.git"

    def _open(self, project: str) -> Objects:
        with self._guard:
            if len(self._objects) >= _KEPT_OPEN and project not in self._objects:
                del self._objects[next(iter(self._objects))]
            return self._objects.setdefault(project, Objects(self._path(project)))

    def _lock(self, project: str) -> AbstractContextManager[None]:
        return locked(self._root / f"{project}.lock", self._lock_timeout)

    def _fetch(self, project: str) -> str | None:
        if self._transport.is_near(project) and (head := self._unchanged(project)):
            return head
        path = self._path(project)
        # No mirror is made for a name that nobody has heard of.
        if not path.exists() and self._is_missing(project):
            raise _missing(project)
        try:
            with self._lock(project):
                self._create(project)
                finished = self._transport.fetch(project, path)
                if self._is_at_fault(project, finished):
                    self._open(project).discard()
                    self._create(project)
                    finished = self._transport.fetch(project, path)
                return self._settle(project, finished)
        except TimeoutError as error:
            raise Unreachable("git", str(error)) from error

    def _is_missing(self, project: str) -> bool:
        return classify_fetch(self._transport.look(project)) is FetchState.MISSING

    def _is_at_fault(self, project: str, finished: Finished) -> bool:
        # When the host answers somebody who needs no mirror, it is the mirror that is broken.
        failed = classify_fetch(finished) is FetchState.FAILED and not finished.timed_out
        return failed and self._transport.look(project).succeeded

    def _unchanged(self, project: str) -> str | None:
        head = self._host.heads([project]).get(project)
        if head is None or head != self.head(project):
            return None
        try:
            self._open(project).commit(head)
        except MissingCommit:
            return None
        return head

    def _settle(self, project: str, finished: Finished) -> str | None:
        match classify_fetch(finished):
            case FetchState.FETCHED:
                self._tend(project)
                return self.head(project)
            case FetchState.EMPTY:
                self._forget_main(project)
                return None
            case FetchState.MISSING:
                # The mirror stays: another process may be about to push a project's first commit out of it.
                self._forget_main(project)
                raise _missing(project)
            case FetchState.FAILED:
                raise Unreachable("git", message_of(finished))

    def _create(self, project: str) -> None:
        path = self._path(project)
        if path.exists():
            return
        temporary = self._root / f".new-{uuid.uuid4().hex}"
        repository = pygit2.init_repository(str(temporary), bare=True, initial_head="main")
        repository.config["gc.auto"] = 0  # maintain() decides when
        try:
            temporary.rename(path)
        except OSError:
            shutil.rmtree(temporary, ignore_errors=True)
            if not path.exists():
                raise

    def _forget_main(self, project: str) -> None:
        with suppress(MissingCommit, KeyError, pygit2.GitError):
            self._open(project).repository().lookup_reference(MAIN).delete()

    def _advance(self, project: str, old: str, new: str) -> None:
        # Whoever fetched meanwhile knows at least as much; a mirror that cannot follow is brought up by the next fetch.
        with suppress(MissingCommit, TimeoutError, OSError, pygit2.GitError), self._lock(project):
            if (self.head(project) or "") == old:
                self._open(project).repository().references.create(MAIN, new, force=True)

    def _tend(self, project: str) -> None:
        path = self._path(project) / "objects"
        loose = sum(1 for _ in (path / "17").glob("*"))
        packs = sum(1 for _ in (path / "pack").glob("*.pack"))
        if loose <= _LOOSE_IN_ONE_FOLDER and packs <= _PACKS:
            return
        with self._guard:
            if project in self._tended:
                return
            self._tended.add(project)
        threading.Thread(target=self._maintain, args=(project,), name=f"maintain-{project}", daemon=True).start()

    def _maintain(self, project: str) -> None:
        try:
            self.maintain(project)
        finally:
            with self._guard:
                self._tended.discard(project)


def _remove_leftovers(root: Path) -> None:
    # What a process that was killed had half made or half removed.
    for folder in (*root.glob(".new-*"), *root.glob(".old-*")):
        with suppress(FileNotFoundError):
            if time.time() - folder.stat().st_mtime > _LEFTOVER_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)


def _missing(project: str) -> Refused:
    return Refused(NotFound(f"the Git host has no repository for project {project}", "project", project))


def _holds(repository: pygit2.Repository, sha: str) -> bool:
    try:
        return sha in repository
    except ValueError:  # no SHA at all
        return False


def first_parents(repository: pygit2.Repository, old: str | None, new: str) -> list[pygit2.Commit] | None:
    """First-parent commits from `new` down to, and without, what `old` already contains; None when `new` does not
    descend from `old`.
    """
    found: list[pygit2.Commit] = []
    commit = repository[new]
    while isinstance(commit, pygit2.Commit):
        if str(commit.id) == old:
            return found
        found.append(commit)
        if not commit.parent_ids:
            break
        commit = repository[commit.parent_ids[0]]
    if old is None:
        return found
    if not _holds(repository, old) or not repository.descendant_of(new, old):
        return None
    # A merge by hand put `old` beside the first-parent line.
    contained = {commit.id for commit in repository.walk(old)}
    return [commit for commit in found if commit.id not in contained]
