"""In-memory twins of the ports, with state that tests read and set."""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath

from adapters import labels
from adapters.ports import BuildOrder, Checkout, Stopped, Unreachable, never
from adapters.records import Application
from adapters.registry_answers import natural
from adapters.registry_names import ImageName, RegistryAddress
from adapters.secrets import checked
from adapters.source_paths import paths_of
from gitops.problems import Conflict, ConflictCode, JobFailure, NotFound, Refused


@dataclass
class FakeSecrets:
    """ports.Secrets in memory."""

    values: dict[str, bytes] = field(default_factory=dict)

    def get(self, name: str) -> bytes | None:
        return self.values.get(checked(name))

    def put(self, name: str, value: bytes) -> None:
        self.values[checked(name)] = value

    def delete(self, name: str) -> None:
        self.values.pop(checked(name), None)


@dataclass
class FakeNamespace:
    """One namespace; `owner` None: a stranger's. It goes at once unless something `keeps` it."""

    owner: Application | None
    keeps: str | None = None
    going: bool = False


@dataclass
class FakeCluster:
    """ports.Cluster with its namespaces by name. `outage`: what it fails with instead of answering."""

    namespaces_by_name: dict[str, FakeNamespace] = field(default_factory=dict)
    outage: str | None = None

    def check(self) -> None:
        self._answer()

    def namespaces(self, project: str) -> Sequence[Application]:
        self._answer()
        owners = [found.owner for found in self.namespaces_by_name.values()]
        return [owner for owner in owners if owner is not None and owner.project == project]

    def is_foreign(self, namespace: str) -> bool:
        self._answer()
        found = self.namespaces_by_name.get(namespace)
        return found is not None and found.owner is None

    def ensure_namespace(self, application: Application) -> None:
        self._answer()
        found = self.namespaces_by_name.setdefault(application.namespace, FakeNamespace(application))
        if found.owner is None:
            raise Refused(labels.foreign(application.namespace))
        if found.going or found.owner.identity != application.identity:
            message = f"waiting for the earlier namespace {application.namespace} to be gone"
            raise Refused(Conflict(message, ConflictCode.BEING_DELETED))
        found.owner = application

    def delete_namespace(self, application: Application) -> str | None:
        self._answer()
        found = self.namespaces_by_name.get(application.namespace)
        if found is None or found.owner is None or found.owner.identity != application.identity:
            return None
        if not found.going:
            found.going = True
            return f"the namespace {application.namespace} is going"
        if found.keeps:
            return f"the namespace {application.namespace} is going; still in it: {found.keeps}"
        del self.namespaces_by_name[application.namespace]
        return None

    def _answer(self) -> None:
        if self.outage:
            raise Unreachable("cluster", self.outage)


@dataclass
class FakeRegistry:
    """ports.Registry at `address`, with its images: digests by repository and tag; `untagged` are there without one.

    `outage`: what it fails with instead of answering. `refusal`: why it does not let us in. `asked`: tags looked up.
    """

    address: str = "registry.test:5000"
    images: dict[str, dict[str, str]] = field(default_factory=dict)
    untagged: set[tuple[str, str]] = field(default_factory=set)
    asked: list[tuple[str, str]] = field(default_factory=list)
    outage: str | None = None
    refusal: str | None = None

    def put(self, repository: str, tag: str, content: bytes) -> str:
        """Put an image there; its digest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        tags = self.images.setdefault(repository, {})
        if tag in tags:
            self.untagged.add((repository, tags[tag]))
        tags[tag] = digest
        return digest

    def check(self) -> None:
        if self.outage:
            raise Unreachable("registry", self.outage)
        if self.refusal:
            raise Refused(JobFailure(self.refusal))

    def holds(self, repository: str) -> bool:
        return RegistryAddress.parse(self.address).holds(ImageName.parse(repository))

    def digest(self, repository: str, tag: str) -> str | None:
        self.asked.append((repository, tag))
        return self._tags(repository).get(tag)

    def tags(self, repository: str) -> Sequence[str]:
        return sorted(self._tags(repository), key=natural)

    def tag(self, repository: str, digest: str, tag: str) -> None:
        tags = self._tags(repository)
        if digest not in tags.values() and (repository, digest) not in self.untagged:
            raise Refused(NotFound(f"{repository} has no image {digest}", "image", f"{repository}@{digest}"))
        if tag in tags:
            self.untagged.add((repository, tags[tag]))
        tags[tag] = digest

    def _tags(self, repository: str) -> dict[str, str]:
        if not self.holds(repository):
            raise ValueError(repository)
        self.check()
        return self.images.get(repository, {})


@dataclass
class FakeSource:
    """One source repository: files by path at each commit, and where its branches and tags stand."""

    commits: dict[str, Mapping[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)


@dataclass
class FakeSources:
    """ports.Sources with its repositories by URL. `passwords`: the credentials that a URL asks for. `during`: called
    while a checkout is made.
    """

    repositories: dict[str, FakeSource] = field(default_factory=dict)
    passwords: dict[str, bytes] = field(default_factory=dict)
    outage: str | None = None
    during: Callable[[], None] | None = None

    def commit(self, url: str, ref: str, files: Mapping[str, bytes]) -> str:
        """Put these files, and no others, on a branch or tag; the new commit's full SHA."""
        source = self.repositories.setdefault(url, FakeSource())
        sha = hashlib.sha1(f"{len(source.commits)} {sorted(files.items())}".encode()).hexdigest()  # noqa: S324
        source.commits[sha] = dict(files)
        source.refs[ref] = sha
        return sha

    def head(
        self, url: str, branch: str, credentials: bytes | None, _stopped: Callable[[], bool] = never
    ) -> str | None:
        return self._source(url, credentials).refs.get(branch.removeprefix("refs/heads/"))

    @contextmanager
    def checkout(
        self, url: str, revision: str, credentials: bytes | None, stopped: Callable[[], bool] = never
    ) -> Iterator[Checkout]:
        source = self._source(url, credentials)
        if self.during is not None:
            self.during()
        if stopped():
            raise Stopped("the clone was stopped")
        shas = [sha for sha in source.commits if len(revision) >= 4 and sha.startswith(revision)]
        sha = source.refs.get(revision) or (shas[0] if len(shas) == 1 else None)
        if sha is None:
            raise Refused(NotFound(f"the source repository has no revision {revision}", "revision", revision))
        files = source.commits[sha]
        committed_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=list(source.commits).index(sha))
        with tempfile.TemporaryDirectory() as name:
            Path(name).chmod(0o755)  # builders read it as somebody else
            for path, content in files.items():
                (Path(name) / path).parent.mkdir(parents=True, exist_ok=True)
                (Path(name) / path).write_bytes(content)
            yield Checkout(Path(name), sha, committed_at, lambda path: _object_id(files, path))

    def _source(self, url: str, credentials: bytes | None) -> FakeSource:
        found = self.repositories.get(url)
        if self.outage:
            raise Unreachable("source", self.outage)
        if found is None:
            raise Refused(JobFailure(f"{url} is no source repository"))
        if self.passwords.get(url) not in {None, credentials}:
            raise Refused(JobFailure(f"{url} refuses the credentials of this project"))
        return found


def _object_id(files: Mapping[str, bytes], path: str) -> str | None:
    """What tells contents apart as Git's ids do."""
    wanted = PurePosixPath(path)
    below = sorted((name, data) for name, data in files.items() if PurePosixPath(name).is_relative_to(wanted))
    relative = [(str(PurePosixPath(name).relative_to(wanted)), data) for name, data in below]
    return hashlib.sha1(repr(relative).encode()).hexdigest() if relative else None  # noqa: S324


@dataclass
class FakeBuilder:
    """ports.Builder. What it made is in `images` by id, what it pushed in `pushed` by repository and tag, to digests.

    `outage`: why nothing can be built. `output`: the log of every build. `exit_code`: how every build ends.
    `during`: called while a build runs. `endless`: a build runs until it is stopped.
    """

    pushed: dict[str, dict[str, str]] = field(default_factory=dict)
    images: dict[str, BuildOrder] = field(default_factory=dict)
    orders: list[BuildOrder] = field(default_factory=list)
    outage: str | None = None
    push_outage: str | None = None
    version: str = "fake 1"
    output: Sequence[tuple[str, str]] = (("stdout", "STEP 1/1: FROM scratch"),)
    exit_code: int = 0
    during: Callable[[], None] | None = None
    endless: bool = False

    def absence(self) -> str | None:
        return self.outage

    def kind(self) -> str:
        return self.version

    def build(self, order: BuildOrder, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        self._answer()
        paths_of(order)
        self.orders.append(order)
        for stream, line in self.output:
            log(stream, line)
        if self.during is not None:
            self.during()
        while not (asked := stopped()) and self.endless:
            continue
        if asked:
            raise Stopped("the build was stopped")
        if self.exit_code:
            raise Refused(JobFailure(f"the build ended with exit code {self.exit_code}", "build"))
        image = "sha256:" + hashlib.sha256(_contents(order)).hexdigest()
        self.images[image] = order
        return image

    def push(self, image: str, reference: str, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        self._answer()
        if self.push_outage:
            raise Unreachable("registry", self.push_outage)
        if stopped():
            raise Stopped("the push was stopped")
        if image not in self.images:
            raise Refused(JobFailure(f"there is no image {image}", "push"))
        repository, _, tag = reference.rpartition(":")
        digest = "sha256:" + hashlib.sha256(image.encode()).hexdigest()
        self.pushed.setdefault(repository, {})[tag] = digest
        log("stdout", f"pushed {reference}")
        return digest

    def prune(self) -> None:
        """It keeps no layers."""

    def _answer(self) -> None:
        if self.outage:
            raise Unreachable("builder", self.outage)


def _contents(order: BuildOrder) -> bytes:
    """All that tells one image from another."""
    context = order.folder / order.context
    files = [
        (str(path.relative_to(context)), path.read_bytes()) for path in sorted(context.rglob("*")) if path.is_file()
    ]
    return repr((files, sorted(order.annotations.items()), order.created_at)).encode()
