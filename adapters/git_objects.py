"""The objects of one bare repository, by pygit2: reading trees and commits, writing commits. No refs, no transport."""

import re
import shutil
import threading
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pygit2
from pygit2.enums import FileMode

from adapters.ports import MissingCommit
from adapters.records import NewCommit
from adapters.signing import Signatures, Signer
from gitops.commits import GitCommit, Person, Signature, SignatureState
from gitops.tree import Writes

_SHA = re.compile(r"[0-9a-f]{40}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f<>]")
_FILES = (FileMode.BLOB, FileMode.BLOB_EXECUTABLE)
_NO_NAMES = frozenset({"", ".", "..", ".git"})
_COMMITS_KEPT = 20_000

Identity = tuple[int, int]


class Objects:
    """Opens the repository when it is needed and again when its folder became another one or a pack went away."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: tuple[Identity, pygit2.Repository] | None = None

    def repository(self) -> pygit2.Repository:
        """The repository as it is on the disk now. Raises MissingCommit when there is none."""
        try:
            found = self._path.stat()
            identity = (found.st_dev, found.st_ino)
            opened = self._opened
            if opened is None or opened[0] != identity:
                opened = self._opened = (identity, pygit2.Repository(str(self._path)))
        except (OSError, pygit2.GitError) as error:
            raise MissingCommit(f"no mirror at {self._path.name}") from error
        return opened[1]

    def discard(self) -> None:
        """Remove the repository, in one step for everybody else."""
        doomed = self._path.with_name(f".old-{uuid.uuid4().hex}")
        with suppress(FileNotFoundError):
            self._path.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def part(self, oid: pygit2.Oid) -> pygit2.Object:
        """A tree or blob of a commit that is there. When it is not, the repository is broken: it is removed, so that
        the next fetch makes it anew, and MissingCommit is raised.
        """
        try:
            return self.read(oid)
        except MissingCommit:
            self.discard()
            raise

    def commit(self, sha: str) -> pygit2.Commit:
        """A commit by its full SHA. Raises MissingCommit."""
        if not _SHA.fullmatch(sha):
            raise MissingCommit(sha)
        found = self.read(pygit2.Oid(hex=sha))
        if not isinstance(found, pygit2.Commit):
            raise MissingCommit(sha)
        return found

    def read(self, oid: pygit2.Oid) -> pygit2.Object:
        """Any object. Raises MissingCommit when it is not there, also after looking at the disk again."""
        try:
            return self.repository()[oid]
        except (KeyError, ValueError, pygit2.GitError):
            self._opened = None
        try:
            return self.repository()[oid]
        except (KeyError, ValueError, pygit2.GitError) as error:
            raise MissingCommit(str(oid)) from error


class GitTree:
    """A gitops.tree.Tree over the objects: regular files only; links and submodules are as if they were not there."""

    def __init__(self, objects: Objects, root: pygit2.Oid) -> None:
        self._objects = objects
        self._entries: dict[str, dict[str, pygit2.Object]] = {}
        self._root = root

    def read(self, path: str) -> bytes | None:
        """See Tree.read. Raises MissingCommit when the mirror has lost the object."""
        found = self._find(path)
        if found is None or found.filemode not in _FILES:
            return None
        blob = self._objects.part(found.id)
        return blob.data if isinstance(blob, pygit2.Blob) else None

    def folder(self, path: str) -> tuple[str, ...]:
        """See Tree.folder."""
        return tuple(sorted(self._list(path)))

    def files(self, path: str) -> Iterable[str]:
        """See Tree.files."""
        return sorted(self._walk(path))

    def oid(self, path: str) -> str | None:
        """The object id of a file or a folder ('' is the root), in hex: equal ids, equal content."""
        if not path:
            return str(self._root)
        found = self._find(path)
        return None if found is None else str(found.id)

    def _find(self, path: str) -> pygit2.Object | None:
        parent, _, name = path.rpartition("/")
        return self._list(parent).get(name)

    def _list(self, path: str) -> Mapping[str, pygit2.Object]:
        present = self._entries.get(path)
        if present is None:
            present = self._entries[path] = self._load(path)
        return present

    def _load(self, path: str) -> dict[str, pygit2.Object]:
        entry = self._find(path) if path else None
        if path and (entry is None or entry.filemode != FileMode.TREE):
            return {}
        tree = self._objects.part(self._root if entry is None else entry.id)
        listed = tree if isinstance(tree, pygit2.Tree) else ()
        return {one.name or "": one for one in listed if one.filemode in (*_FILES, FileMode.TREE)}

    def _walk(self, path: str) -> Iterator[str]:
        for name, entry in self._list(path).items():
            full = f"{path}/{name}" if path else name
            if entry.filemode == FileMode.TREE:
                yield from self._walk(full)
            else:
                yield full


class Commits:
    """Commits as Lucity reads and writes them: signed, verified, and remembered while the same keys are trusted."""

    def __init__(self, signer: Signer, signatures: Signatures, committer: Person) -> None:
        self._signer = signer
        self._signatures = signatures
        self._committer = committer
        self._known: dict[tuple[str, str], GitCommit] = {}
        self._guard = threading.Lock()

    def read(self, commit: pygit2.Commit) -> GitCommit:
        """The commit with what its signature is worth."""
        key = str(commit.id), self.trust()
        known = self._known.get(key)
        return known or self._remember(key, read_commit(commit, self._signatures))

    def trust(self) -> str:
        """See Signatures.trust."""
        return self._signatures.trust()

    def write(self, objects: Objects, parent: str, new: NewCommit) -> str:
        """Write one signed commit on `parent` ('' for a root); its SHA. Raises MissingCommit, and ValueError for a name
        or path that Git cannot hold.
        """
        _check_paths(new.writes)
        base = objects.commit(parent) if parent else None
        repository = objects.repository()
        tree = write_tree(repository, base.tree if base is not None else None, new.writes)
        at = int(new.at.timestamp())
        content: str = repository.create_commit_string(  # type: ignore[assignment] # the stub says Oid
            _signature(new.author_name, new.author_email, at),
            _signature(self._committer.name, self._committer.email, at),
            new.message if new.message.endswith("\n") else f"{new.message}\n",
            tree or repository.TreeBuilder().write(),
            [base.id] if base is not None else [],
        )
        armored = self._signer.sign(content.encode())
        return str(repository.create_commit_with_signature(content, armored, "gpgsig"))

    def _remember(self, key: tuple[str, str], commit: GitCommit) -> GitCommit:
        with self._guard:
            if len(self._known) >= _COMMITS_KEPT:
                del self._known[next(iter(self._known))]
            self._known[key] = commit
        return commit


def read_commit(commit: pygit2.Commit, signatures: Signatures) -> GitCommit:
    """A commit, its signature verified."""
    signed: tuple[bytes | None, bytes | None] = commit.gpg_signature
    armored, payload = signed
    if armored is None or payload is None:
        return _git_commit(commit, Signature(SignatureState.NONE))
    return _git_commit(commit, signatures.verify(payload, armored.decode("ascii", "replace")))


def write_tree(repository: pygit2.Repository, tree: pygit2.Tree | None, writes: Writes) -> pygit2.Oid | None:
    """The tree after `writes`; only the folders that they touch are written. None when nothing is left in it."""
    builder = repository.TreeBuilder() if tree is None else repository.TreeBuilder(tree)
    below: dict[str, dict[str, bytes | None]] = {}
    for path, data in writes.items():
        name, slash, rest = path.partition("/")
        if slash:
            below.setdefault(name, {})[rest] = data
        else:
            _write_file(repository, builder, name, data)
    for name, inner in below.items():
        _write_folder(repository, builder, name, inner)
    return builder.write() if len(builder) else None


def _check_paths(writes: Writes) -> None:
    for path in writes:
        if "\0" in path or any(part.lower() in _NO_NAMES for part in path.split("/")):
            raise ValueError(f"{path!r} is no path that Git can hold")


def _write_file(repository: pygit2.Repository, builder: pygit2.TreeBuilder, name: str, data: bytes | None) -> None:
    present = _entry(builder, name)
    if data is not None:
        executable = present is not None and present.filemode == FileMode.BLOB_EXECUTABLE
        mode = FileMode.BLOB_EXECUTABLE if executable else FileMode.BLOB
        builder.insert(name, repository.create_blob(data), mode)
    elif present is not None and present.filemode != FileMode.TREE:
        builder.remove(name)


def _entry(builder: pygit2.TreeBuilder, name: str) -> pygit2.Object | None:
    return builder.get(name)  # the stub forgets that there may be none


def _write_folder(repository: pygit2.Repository, builder: pygit2.TreeBuilder, name: str, inner: Writes) -> None:
    present = _entry(builder, name)
    folder = present if isinstance(present, pygit2.Tree) else None
    if folder is None and not any(data is not None for data in inner.values()):
        return
    written = write_tree(repository, folder, inner)
    if written is not None:
        builder.insert(name, written, FileMode.TREE)
    else:
        builder.remove(name)


def _signature(name: str, email: str, at: int) -> pygit2.Signature:
    if _CONTROL.search(name) or _CONTROL.search(email):  # libgit2 lets line breaks through into the header
        raise ValueError(f"{name!r} <{email!r}> cannot stand in a commit")
    return pygit2.Signature(name, email, at, 0, "utf-8")


def _git_commit(commit: pygit2.Commit, signature: Signature) -> GitCommit:
    return GitCommit(
        sha=str(commit.id),
        parents=tuple(str(parent) for parent in commit.parent_ids),
        message=commit.raw_message.decode("utf-8", "replace"),
        author=_person(commit.author),
        committer=_person(commit.committer),
        authored_at=_time(commit.author.time),
        committed_at=_time(commit.committer.time),
        signature=signature,
    )


def _person(signature: pygit2.Signature) -> Person:
    return Person(signature.raw_name.decode("utf-8", "replace"), signature.raw_email.decode("utf-8", "replace"))


def _time(seconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):  # a hand-made commit may claim any year
        return datetime.fromtimestamp(0, UTC)
