"""What git's answers mean, as pure functions over its exit and its words. The words were recorded from git 2.39,
bare repositories and Soft-serve 0.12; whatever is unknown is read as the answer that makes the caller look again.
"""

import re
from enum import Enum, auto

from adapters.git_process import Finished, without_credentials
from adapters.records import PushResult, PushState
from gitops.problems import NotFound, PermissionDenied, Problem

_REJECTED = re.compile(r"^!\t[^\t]*\t\[[^\]]*rejected\] \((?P<reason>.*)\)$", re.MULTILINE)
_REMOTE = re.compile(r"^remote: ?(.*?)\s*$", re.MULTILINE)
_MISSING = re.compile(
    r"^(fatal: .*does not appear to be a git repository|fatal: repository '.*' not found"
    r"|fatal: .*returned error: 404|(remote|fatal|ERROR): .*repository not found|remote: 404 Not Found)",
    re.MULTILINE | re.IGNORECASE,
)
_DENIED = re.compile(
    r"^(fatal: Authentication failed|fatal: could not read (Username|Password)|fatal: .*returned error: 40[13]"
    r"|fatal: unable to access .*error: 40[13]|remote: 40[13] |.*Permission denied \(|Host key verification failed)",
    re.MULTILINE,
)
_NO_MAIN = re.compile(r"^fatal: couldn't find remote ref refs/heads/main", re.MULTILINE | re.IGNORECASE)


class FetchState(Enum):
    """What a fetch of main came to."""

    FETCHED = auto()
    EMPTY = auto()
    MISSING = auto()
    FAILED = auto()


def classify_fetch(finished: Finished) -> FetchState:
    """FAILED when the host gave no clear answer, or the mirror itself is at fault."""
    if finished.succeeded:
        return FetchState.FETCHED
    if _NO_MAIN.search(finished.stderr):
        return FetchState.EMPTY
    if not finished.timed_out and _MISSING.search(finished.stderr):
        return FetchState.MISSING
    return FetchState.FAILED


def is_denied(finished: Finished) -> bool:
    """Whether the host did not take our credentials, or does not let them do this."""
    return not finished.succeeded and not finished.timed_out and _DENIED.search(finished.stderr) is not None


def classify_push(finished: Finished, project: str) -> PushResult:
    """A rejection of the ref is final; without one, an unclear end is AMBIGUOUS."""
    message = message_of(finished)
    if finished.succeeded:
        return PushResult(PushState.ACCEPTED, message)
    rejected = _REJECTED.search(finished.stdout.decode(errors="replace"))
    if rejected is not None:
        by_hook = rejected["reason"].endswith("hook declined")
        return PushResult(PushState.REFUSED if by_hook else PushState.MOVED, _remote(finished) or rejected["reason"])
    problem = None if finished.timed_out else _denial(finished.stderr, message, project)
    return PushResult(PushState.AMBIGUOUS if problem is None else PushState.DENIED, message, problem)


def message_of(finished: Finished) -> str:
    """What the host said, else what git said, without credentials."""
    if finished.timed_out:
        return "git was ended because the Git host did not answer in time"
    return without_credentials(_remote(finished) or finished.stderr.strip())


def _remote(finished: Finished) -> str:
    return "\n".join(line for line in _REMOTE.findall(finished.stderr) if line)


def _denial(stderr: str, message: str, project: str) -> Problem | None:
    if _MISSING.search(stderr):
        return NotFound(f"the Git host has no repository for project {project}", "project", project)
    if _DENIED.search(stderr):
        return PermissionDenied(f"the Git host refused Lucity's credentials: {message}", "push")
    return None
