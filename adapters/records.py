"""What is kept outside Git: jobs, claims, events, statuses. Plain frozen data; adapters/codec.py makes JSON of it."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gitops.changes import Actor, JobKind
from gitops.problems import Problem
from gitops.rollouts import Observation, Rollout

RECORD_VERSION = 1


class JobState(StrEnum):
    """QUEUED → RUNNING → SUCCEEDED | FAILED | CANCELED; WAITING waits without a worker; SUPERSEDED is for builds."""

    QUEUED = "QUEUED"
    WAITING = "WAITING"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELED = "CANCELED"
    SUPERSEDED = "SUPERSEDED"

    @property
    def ended(self) -> bool:
        """Whether the job will never change again."""
        return self in {JobState.SUCCEEDED, JobState.FAILED, JobState.CANCELED, JobState.SUPERSEDED}


@dataclass(frozen=True)
class Step:
    """One part of a job: commit, application, namespace …; `message` says what it waits for or did."""

    name: str
    state: JobState
    message: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


@dataclass(frozen=True)
class JobRecord:
    """One change being carried out. `number` is its admission number, the order of its project's queue."""

    id: str
    """`job_` and 26 characters; exactly the Job-Id trailer. Derived from (actor, key) when there is a key."""
    kind: JobKind
    project: str
    environments: tuple[str, ...]
    services: tuple[str, ...]
    summary: str
    """The commit subject, or what it will be."""
    actor: Actor
    change: str
    """The change as JSON (adapters/codec.py)."""
    fingerprint: str
    """SHA-256 over mutation and input without the key: the same key with another fingerprint is KEY_REUSED."""
    created_at: datetime
    reason: str | None = None
    expected_head: str | None = None
    keyed: bool = False
    """Whether the client gave an idempotency key (such a record stays at least 7 days)."""
    number: int = 0
    state: JobState = JobState.QUEUED
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: int = 0
    expired_claims: int = 0
    sealed_at: datetime | None = None
    """Set by the seal, directly before the push; a sealed job without an outcome is unconfirmed."""
    cancel_requested: bool = False
    steps: tuple[Step, ...] = ()
    commit: str | None = None
    head: str | None = None
    """The project's head that the outcome was judged on; readers must know it before they show the record."""
    no_change: bool = False
    problem: Problem | None = None
    retry_of: str | None = None
    superseded_by: str | None = None
    """The newer build that made this one needless."""
    version: int = RECORD_VERSION


@dataclass(frozen=True)
class JobFilter:
    """All that is given must hold; empty: any. `actor` matches inside name or e-mail, case-insensitively."""

    states: tuple[JobState, ...] = ()
    kinds: tuple[JobKind, ...] = ()
    project: str | None = None
    environment: str | None = None
    service: str | None = None
    actor: str | None = None


@dataclass(frozen=True)
class JobPage:
    """Newest first. `next` is the cursor of the last row when more follow."""

    jobs: tuple[JobRecord, ...]
    has_next: bool


class ClaimMode(StrEnum):
    """APPLY: carry the jobs out. LOOK: they were sealed and no outcome is known; only look whether they landed."""

    APPLY = "APPLY"
    LOOK = "LOOK"


@dataclass(frozen=True)
class Claim:
    """Some of one project's jobs, in order, for one owner until it expires (by Redis' clock)."""

    project: str
    id: str
    """Random; whoever does not hold it cannot write."""
    owner: str
    fence: int
    """Grows with every claim of the project."""
    mode: ClaimMode
    jobs: tuple[JobRecord, ...]


@dataclass(frozen=True)
class Outcome:
    """What became of one claimed (or waiting) job. QUEUED returns it to its place (its number is kept), RUNNING tells
    how far it is.
    """

    job_id: str
    state: JobState
    summary: str | None = None
    commit: str | None = None
    head: str | None = None
    no_change: bool = False
    problem: Problem | None = None
    steps: tuple[Step, ...] | None = None
    """None leaves the steps as they are."""
    superseded_by: str | None = None


@dataclass(frozen=True)
class Seal:
    """The answer of the point of no return: `sealed` may be pushed; `dropped` were cancelled meanwhile (and are
    recorded CANCELED by the same step). Anything dropped: nothing was sealed; build the batch again without it.
    """

    sealed: bool
    dropped: tuple[str, ...] = ()


class EventKind(StrEnum):
    """What an event is about."""

    JOB = "JOB"
    COMMIT = "COMMIT"
    STATUS = "STATUS"
    ROLLOUT = "ROLLOUT"
    TOKEN_REVOKED = "TOKEN_REVOKED"  # noqa: S105 - the name of an event
    HISTORY_REWRITTEN = "HISTORY_REWRITTEN"


@dataclass(frozen=True)
class Signs:
    """Signs of life, by the clock of Redis; None: none ever, or Redis forgot."""

    observer: datetime | None
    delivery: datetime | None
    git_away: bool = False
    """Whether the Git host did not answer the observer when it last looked."""


@dataclass(frozen=True)
class RolloutRecord:
    """The rollout of one commit in one environment."""

    project: str
    environment: str
    commit: str
    rollout: Rollout


@dataclass(frozen=True)
class Event:
    """One entry of the log. Exactly the payload of its kind is set. `head`: the project's head then, if known."""

    cursor: str
    """`<epoch>.<sequence>`; the sequence is contiguous within the epoch."""
    at: datetime
    kind: EventKind
    project: str
    environment: str | None = None
    head: str | None = None
    job: JobRecord | None = None
    commit: str | None = None
    environments: tuple[str, ...] = ()
    """Environments that the commit of a COMMIT event touched."""
    status: Observation | None = None
    rollout: RolloutRecord | None = None
    token_id: str | None = None


@dataclass(frozen=True)
class EventPage:
    """Events after a cursor, oldest first. `gap`: the cursor cannot be honoured; then there are no events and
    `position` is where to go on after reading the present state.
    """

    events: tuple[Event, ...]
    position: str
    gap: bool = False


@dataclass(frozen=True)
class LogEntry:
    """One line of a job's log; `stream` is stdout, stderr or step."""

    cursor: str
    at: datetime
    stream: str
    text: str


@dataclass(frozen=True)
class LogPage:
    """Lines after a cursor, oldest first; `gap` as in EventPage."""

    lines: tuple[LogEntry, ...]
    has_next: bool
    gap: bool = False
    position: str = ""


class PushState(StrEnum):
    """What a push came to. Classified by what the host says, never by wording alone where looking can decide."""

    ACCEPTED = "ACCEPTED"
    MOVED = "MOVED"
    """Rejected because the head is not the one we built on, or the ref was locked: fetch and re-apply."""
    REFUSED = "REFUSED"
    """A hook of the host said no; `message` is its text."""
    AMBIGUOUS = "AMBIGUOUS"
    """No answer or an unclear one (timeout, reset, 5xx, killed): look whether it landed."""
    DENIED = "DENIED"
    """Authentication, permission or a missing repository; `problem` says which."""


@dataclass(frozen=True)
class PushResult:
    """`message` is the host's own text, without credentials."""

    state: PushState
    message: str = ""
    problem: Problem | None = None


@dataclass(frozen=True)
class NewCommit:
    """A commit to make: the full message, the author (the actor), and the writes over the parent's tree."""

    message: str
    author_name: str
    author_email: str
    at: datetime
    writes: dict[str, bytes | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifests:
    """What Helm rendered for one environment: {template path: YAML text}."""

    files: dict[str, str]


@dataclass(frozen=True)
class Application:
    """One environment as the delivery sees it. `identity`: SHA of the commit that created its folder."""

    project: str
    environment: str
    namespace: str
    identity: str
    ephemeral: bool


@dataclass(frozen=True)
class Gone:
    """The delivery has lost an application: it was deleted, by us or by somebody else."""

    project: str
    environment: str
