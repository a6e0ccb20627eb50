"""Where repositories live, our mirrors of them, and what their history says."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from adapters.records import NewCommit, PushResult
from gitops.commits import CommitFilter, CommitRecord, DeploymentRecord, GitCommit
from gitops.tree import Tree


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

    def remote(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        """URL or path to fetch from, and environment variables for git that carry credentials. `refused`: the host
        does not take those that it gave before, so others are made where that may help.
        """
        ...

    def target(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
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
