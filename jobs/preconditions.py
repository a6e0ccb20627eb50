"""What a client said must still hold: `expectedHead`, judged by the files that a change reads or writes."""

from collections.abc import Collection, Sequence

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from gitops import layout
from gitops.changes import Change
from gitops.problems import Conflict, ConflictCode, Refused


def check_expected_head(ports: Ports, change: Change, expected: str, head: str, written: Collection[str] = ()) -> None:
    """Raise Refused(Conflict HEAD_MOVED) if a commit after `expected` touched what the change reads or writes.

    `written` are paths that changes ahead in the same batch wrote on top of `head`.
    """
    touching = _touching(ports, change, expected, head)
    ahead = sorted(path for path in written if any(layout.touches(path, own) for own in change.paths))
    if touching is None:
        raise _moved(change, f"{expected[:7]} is no commit of this history", head)
    if touching or ahead:
        commits = ", ".join(sha[:7] for sha in touching) or "a change ahead in the queue"
        raise _moved(change, f"{commits} changed the same files since {expected[:7]}", head, touching, ahead)


def _touching(ports: Ports, change: Change, expected: str, head: str) -> list[str] | None:
    if expected == head:
        return []
    try:
        commits = ports.repositories.log(change.project, expected, head)
        state = _state(ports, change, expected)
    except MissingCommit:
        return None
    if commits is None:
        return None
    touching = []
    for commit in commits:
        before, state = state, _state(ports, change, commit.sha)
        if state != before:
            touching.append(commit.sha)
    return touching


def _state(ports: Ports, change: Change, sha: str) -> list[str | None]:
    snapshot = ports.repositories.snapshot(change.project, sha)
    return [snapshot.oid(path) for path in change.paths]


def _moved(change: Change, why: str, head: str, commits: Sequence[str] = (), paths: Sequence[str] = ()) -> Refused:
    message = f"{change.summary()} was not carried out: {why}. Look at the new head and send the change again."
    return Refused(Conflict(message, ConflictCode.HEAD_MOVED, head=head, paths=tuple(paths), commits=tuple(commits)))
