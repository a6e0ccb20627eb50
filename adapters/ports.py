"""The ports: what Lucity asks of the outside, each small, synchronous and typed. Real ones: one file per system beside
this one. Twins: tests/fakes.py. `adapters/wiring.py` builds them from settings.

Unreachable             a system does not answer now; trying again may help
MissingCommit           a mirror does not have the commit; fetch first
StaleClaim              the claim is no longer ours: stop, write nothing
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from adapters.records import (
    Application,
    Claim,
    EventPage,
    Gone,
    JobFilter,
    JobPage,
    JobRecord,
    LogPage,
    Manifests,
    NewCommit,
    Outcome,
    PushResult,
    RolloutRecord,
    Seal,
)
from gitops.commits import CommitFilter, CommitRecord, DeploymentRecord, GitCommit
from gitops.history import FileChange
from gitops.rollouts import Observation
from gitops.tree import Tree


class Unreachable(Exception):  # noqa: N818 - a state of the outside
    """A system does not answer; `component` is git, redis, delivery, cluster, registry."""

    def __init__(self, component: str, message: str) -> None:
        super().__init__(message)
        self.component = component


class MissingCommit(Exception):  # noqa: N818 - a state of the mirror
    """The mirror does not hold this commit."""


class StaleClaim(Exception):  # noqa: N818 - a state of the claim
    """The claim expired and its jobs belong to somebody else, or to the queue."""


class Snapshot(Tree, Protocol):
    """The files at one commit, with Git's own ids of them."""

    def oid(self, path: str) -> str | None:
        """The id of the file or folder at `path` ('' is the root): equal ids mean equal content. None: not there."""
        ...


class GitHost(Protocol):
    """Where GitOps repositories live. Names are project names; the host adds `gitops/`. Raises Unreachable."""

    def projects(self) -> Sequence[str]:
        """Names of all repositories below gitops/, sorted."""
        ...

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """Cheaply, project → full SHA of refs/heads/main; absent for an empty or missing repository."""
        ...

    def create(self, project: str) -> None:
        """Make an empty private repository; nothing happens when it exists."""
        ...

    def archive(self, project: str) -> None:
        """Keep a verified git bundle of everything, then delete the repository; nothing happens when it is gone."""
        ...

    def remote(self, project: str) -> tuple[str, Mapping[str, str]]:
        """URL or path to fetch from, and environment variables for git that carry credentials."""
        ...

    def target(self, project: str) -> tuple[str, Mapping[str, str]]:
        """The same for pushing. A push there never makes a repository that is missing. Raises Refused(NotFound)."""
        ...


class Repositories(Protocol):
    """Bare mirrors on our disk of the host's repositories. A project is named as on the host; `settings` is the
    private repository lucity/settings. Safe for many threads and processes on one folder. Branch is always main.
    """

    def head(self, project: str) -> str | None:
        """The mirror's last knowledge of main, full SHA; None when it has none."""
        ...

    def fetch(self, project: str) -> str | None:
        """Ask the host; the head now ('None': the repository is empty). Raises Unreachable, and
        Refused(NotFound what=project) when the host has no such repository.
        """
        ...

    def forget(self, project: str) -> None:
        """Remove the mirror of a project that is gone."""
        ...

    def snapshot(self, project: str, sha: str) -> Snapshot:
        """The files at a commit, read lazily. Raises MissingCommit."""
        ...

    def commit(self, project: str, parent: str, new: NewCommit) -> str:
        """Write one signed commit on `parent` ('' for a root) into the mirror, moving no ref; its SHA."""
        ...

    def push(self, project: str, old: str, new: str) -> PushResult:
        """Compare-and-swap main on the host from `old` ('' for not there) to `new`; when ACCEPTED the mirror's main
        follows. Never raises for what the host answers.
        """
        ...

    def log(self, project: str, old: str | None, new: str) -> Sequence[GitCommit] | None:
        """First-parent commits after `old` up to `new`, oldest first (old None: from the root). None: `new` does not
        descend from `old`, or old is unknown: history was rewritten, or old is the newer one. Raises MissingCommit
        for new.
        """
        ...


class History(Protocol):
    """What commits did, from an index beside the mirror: rebuildable, grown with the commits, asked at a head that the
    mirror holds (MissingCommit otherwise). Every answer concerns the first-parent history of `head` only.
    """

    def commits(
        self, project: str, head: str, where: CommitFilter, first: int, after: str | None
    ) -> tuple[Sequence[CommitRecord], bool]:
        """Newest first, after the commit with SHA `after`; and whether more follow. Raises Refused(InvalidInput) for a
        cursor that is no commit of this history.
        """
        ...

    def find(self, project: str, head: str, revisions: Sequence[str]) -> Mapping[str, CommitRecord]:
        """Full or unique short SHAs (at least 4 hex digits) → commits; absent when unknown or ambiguous."""
        ...

    def landed(self, project: str, head: str, job_ids: Sequence[str]) -> Mapping[str, CommitRecord]:
        """Which of these jobs have a trusted commit in the history, and which commit."""
        ...

    def deployments(
        self, project: str, head: str, environment: str | None, service: str | None, first: int, after: str | None
    ) -> tuple[Sequence[DeploymentRecord], bool]:
        """Newest first; `after` is `<sha>:<environment>:<service>`."""
        ...

    def current(self, project: str, head: str) -> Mapping[tuple[str, str], DeploymentRecord]:
        """(environment, service) → the deployment that put its present image there, for the environments of `head`."""
        ...

    def newest(self, project: str, head: str) -> Mapping[tuple[str, str], CommitRecord]:
        """(environment, service) → newest commit that changed that service there (base changes count for every
        environment); (environment, '') → newest commit that touched the environment at all (its folder or base/);
        (environment, '+') → the commit that created its folder: its identity.
        """
        ...

    def touched(self, project: str, head: str, sha: str) -> Sequence[tuple[str, str]]:
        """(environment, service) pairs whose values or image a commit changed, sorted; a change of base counts in every
        environment. Nothing for what is no commit of this history.
        """
        ...

    def blame(self, project: str, head: str, path: str, lines: range) -> Sequence[CommitRecord]:
        """For each of these lines of a file (from 1), the commit that wrote it; nothing for a line not there."""
        ...

    def changes(self, project: str, sha: str) -> Sequence[FileChange]:
        """What a commit changed against its first parent, key by key, in the YAML files of ours that can be read, by
        path. Raises MissingCommit.
        """
        ...

    def diff(self, project: str, sha: str) -> str:
        """Unified text of the whole commit against its first parent, cut after 1 MiB with a last line that says so.
        Raises MissingCommit.
        """
        ...


class Renderer(Protocol):
    """Helm."""

    def render(self, tree: Tree, project: str, environment: str) -> Manifests:
        """As `helm template base -f environments/<environment>/values.yaml` in the environment's namespace. Raises
        Refused(RenderFailed) with the chart's words; a render over its time or memory is one too.
        """
        ...

    def close(self) -> None:
        """End what was started for rendering."""
        ...


class Ledger(Protocol):
    """Job records. Every write and its event are one atomic step. Raises Unreachable('redis')."""

    def admit(self, job: JobRecord, namespaces: Sequence[tuple[str, str]] = ()) -> JobRecord:
        """Idempotency → record → queue → event, in one step; the record with its number. The same id with the same
        fingerprint answers the present record. `namespaces` (name, environment) are reserved for this project.
        Raises Refused: Conflict KEY_REUSED, AlreadyExists (what=namespace), RateLimited (too many jobs or bytes).
        """
        ...

    def get(self, ids: Sequence[str]) -> Mapping[str, JobRecord]:
        """Records by id, one round trip; absent when there is none."""
        ...

    def unfinished(self, projects: Sequence[str]) -> Mapping[str, Sequence[JobRecord]]:
        """QUEUED, RUNNING and WAITING jobs of each project in admission order, one round trip."""
        ...

    def page(self, where: JobFilter, first: int, after: str | None) -> JobPage:
        """Newest first; `after` is a job id. Raises Refused(InvalidInput) for a cursor of no job."""
        ...

    def cancel(self, job_id: str) -> JobRecord:
        """QUEUED: CANCELED at once. RUNNING, not sealed: asked for, decided by the seal. WAITING: its commit landed
        and is not undone, so Conflict PUSHING. Raises Refused: NotFound, Conflict PUSHING or JOB_ENDED.
        """
        ...

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """Move WAITING jobs on (their steps, or their end). Jobs no longer WAITING are left alone."""
        ...


class Claims(Protocol):
    """The queue of each project: marked, never popped."""

    def claim(self, project: str, owner: str, limit: int) -> Claim | None:
        """The next jobs in order, now RUNNING, attempts + 1; None when there is nothing to do or another claim lives.
        Unconfirmed (sealed) jobs come first, alone, in mode LOOK. A job whose claim expired before comes alone.
        Jobs of an environment that a WAITING job holds back are passed over, and what queues behind them for the
        same environment too.
        """
        ...

    def heartbeat(self, claim: Claim) -> None:
        """Extend the claim, up to its hard limit. Raises StaleClaim."""
        ...

    def seal(self, claim: Claim, job_ids: Sequence[str]) -> Seal:
        """The point of no return for exactly these jobs. Raises StaleClaim."""
        ...

    def record(self, claim: Claim, outcomes: Sequence[Outcome]) -> None:
        """Write outcomes with their events, all in one step. Raises StaleClaim (then nothing was written)."""
        ...

    def release(self, claim: Claim) -> bool:
        """End the claim; jobs without an outcome return to their place (sealed ones stay sealed). Whether more can be
        claimed now.
        """
        ...

    def sweep(self, push_timeout_seconds: float) -> Sequence[str]:
        """Return the jobs of expired claims to their queues (FAILED at the third), trim by age and number; the
        projects whose bell should be rung now.
        """
        ...


class Events(Protocol):
    """The event log and what goes with it. Each write is one atomic step with its events."""

    def position(self) -> str:
        """The cursor of now."""
        ...

    def after(self, cursor: str, count: int = 500) -> EventPage:
        """Events after a cursor. A malformed cursor raises Refused(InvalidInput)."""
        ...

    def wait(self, cursor: str, seconds: float) -> None:
        """Return when there is an event after the cursor, or when the time is over."""
        ...

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """The head of each project as last advanced."""
        ...

    def advance_head(
        self,
        project: str,
        old: str | None,
        new: str,
        commits: Sequence[tuple[str, Sequence[str]]],
        *,
        rewritten: bool = False,
    ) -> bool:
        """Move the head from `old` to `new` and emit one COMMIT event for each (sha, environments), oldest first. `old`
        None: first sight, no events; '': the repository was empty, so nobody has seen it. False: the head is not
        `old`; nothing was done.
        """
        ...

    def revoked(self, token_id: str) -> None:
        """Say that a token is no longer valid, so that its streams end."""
        ...

    def append_log(self, job_id: str, lines: Sequence[tuple[str, str]]) -> None:
        """Add (stream, text) lines to a job's log."""
        ...

    def log(self, job_id: str, first: int, after: str | None) -> LogPage:
        """A page of a job's log."""
        ...


class Statuses(Protocol):
    """Last observations and verdicts, with their events."""

    def observe(
        self, observations: Sequence[Observation], rollouts: Sequence[RolloutRecord], *, heads: Mapping[str, str]
    ) -> None:
        """Write, and emit one STATUS or ROLLOUT event for each, in one step."""
        ...

    def status(self, keys: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Observation]:
        """(project, environment) → its last observation, one round trip."""
        ...

    def rollouts(self, keys: Sequence[tuple[str, str, str]]) -> Mapping[tuple[str, str, str], RolloutRecord]:
        """(project, environment, commit) → its last verdict, one round trip."""
        ...

    def alive(self) -> datetime | None:
        """When the observer last looked at the delivery; None: never, or Redis forgot."""
        ...

    def beat(self) -> None:
        """Say that the observer has just looked."""
        ...

    def forget(self, project: str, environments: Sequence[str] | None = None) -> None:
        """Remove what is kept for environments that are gone (None: all of the project, its head and reservations
        too).
        """
        ...


class Leases(Protocol):
    """Who leads: one holder per name until it expires, by Redis' clock."""

    def acquire(self, name: str, owner: str, seconds: float) -> bool:
        """Take or extend the lease."""
        ...

    def release(self, name: str, owner: str) -> None:
        """Give it up if it is ours."""
        ...

    def drop(self, name: str) -> None:
        """End it, whoever holds it."""
        ...

    def held(self, name: str) -> bool:
        """Whether anybody holds it now."""
        ...


class Delivery(Protocol):
    """What brings Git to the cluster. Raises Unreachable('delivery')."""

    def applications(self, project: str) -> Sequence[Application]:
        """Those of a project that exist now, ours only."""
        ...

    def apply(self, application: Application) -> None:
        """Create or update it; nothing happens when it already is so. Raises Refused: AlreadyExists for what is not
        ours, Conflict BEING_DELETED while an earlier one is going.
        """
        ...

    def delete(self, application: Application) -> bool:
        """Ask for its end with all its resources; True once it is gone. Only if its identity matches."""
        ...

    def end(self, project: str) -> None:
        """Remove what was kept for a project as such, once its applications are gone; again is no error."""
        ...

    def refresh(self, project: str, environments: Sequence[str], head: str) -> None:
        """Look at Git again for exactly these environments; may return before it has. A hint that may be lost."""
        ...

    def sync(self, project: str, environments: Sequence[str], head: str) -> None:
        """Apply Git again to exactly these environments, when what runs there has ended; it has begun on return."""
        ...

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        """Everything it knows now, of one project or of all."""
        ...

    def watch(self) -> Iterator[Observation | Gone | None]:
        """Everything it knows, then what changes; None when there was nothing for a moment. Ends (or raises
        Unreachable) when the stream breaks: watch again.
        """
        ...


class Cluster(Protocol):
    """The namespaces of environments. What Lucity did not make is never changed. Raises Unreachable('cluster')."""

    def namespaces(self, project: str) -> Sequence[Application]:
        """Those that Lucity made for a project and that exist now, the ones that are going too."""
        ...

    def is_foreign(self, namespace: str) -> bool:
        """Whether there is such a namespace and Lucity did not make it."""
        ...

    def ensure_namespace(self, application: Application) -> None:
        """Make it, with labels and all that settings put into it, or bring it up to date. Raises Refused: AlreadyExists
        for one that is not this environment's, Conflict BEING_DELETED while an earlier one is there.
        """
        ...

    def delete_namespace(self, application: Application) -> str | None:
        """Ask for its end; what it still waits for, None once it is gone. Only if its identity matches."""
        ...


class Secrets(Protocol):
    """Small secrets by name."""

    def get(self, name: str) -> bytes | None:
        """The secret, None when there is none."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Keep it, readable by Lucity only."""
        ...

    def delete(self, name: str) -> None:
        """Forget it; nothing happens when there is none."""
        ...


class Bell(Protocol):
    """Rings workers: ids only, may be lost or doubled without harm."""

    def ring(self, projects: Iterable[str]) -> None:
        """Ask some worker to look at these queues. Raises Unreachable."""
        ...

    def answered(self, project: str) -> None:
        """A worker is about to look: the next ring counts again."""
        ...
