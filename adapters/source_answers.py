"""What revisions may be called, and what Git says when it reads a source repository. Pure."""

import re
from collections.abc import Iterable
from typing import Final

from adapters.ports import Unreachable
from gitops.problems import FieldError, InvalidInput, JobFailure, NotFound, Refused

FULL_SHA: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
SHORT_SHA: Final = re.compile(r"[0-9a-f]{4,63}")
_LONGEST: Final = 200
_SHOWN: Final = 500
_NOT_IN_NAMES: Final = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|/\.|\.lock(/|$)")
_SILENT: Final = re.compile(
    r"could not resolve host|could not connect|failed to connect|connection (refused|reset|timed out|closed)|timed out"
    r"|operation too slow|no route to host|network is unreachable|early eof|unexpected disconnect|hung up unexpectedly"
    r"|rpc failed|empty reply|returned error: (429|5\d\d)|temporary failure",
    re.IGNORECASE,
)
_NO_REVISION: Final = re.compile(
    r"not our ref|couldn't find remote ref|unadvertised object|no such remote ref|not a valid object|unknown revision",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile(r"file too large|unable to write file|died of signal 25", re.IGNORECASE)
"""The kernel ends a file at the bound; Git does not always pass its words on."""
_FOR_GOOD: Final = (
    (
        re.compile(r"host key verification failed|host identification has changed", re.IGNORECASE),
        "has another host key",
    ),
    (
        re.compile(
            r"authentication failed|could not read (username|password)|returned error: 40[13]|permission denied",
            re.IGNORECASE,
        ),
        "does not let us in (the project's secret `clone`)",
    ),
    (re.compile(r"returned error: 30\d|redirect", re.IGNORECASE), "is elsewhere, and redirects are not followed"),
)


def judge_name(name: str, what: str) -> None:
    """Raise Refused(InvalidInput) for what can be no revision: see git-check-ref-format(1)."""
    wrong = _NOT_IN_NAMES.search(name) or name.startswith(("-", "/", ".")) or name.endswith(("/", ".")) or name == "@"
    if not name or len(name) > _LONGEST or wrong:
        message = f"{name[:_LONGEST]!r} is no name that a {what} can have"
        raise Refused(InvalidInput(message, (FieldError((what,), message),)))


def refs(listing: bytes) -> dict[str, str]:
    """What `git ls-remote` prints: SHAs by the full names of their refs."""
    pairs = (line.split("\t", 1) for line in listing.decode(errors="replace").splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2 and FULL_SHA.fullmatch(pair[0])}  # noqa: PLR2004


def named(found: dict[str, str], revision: str) -> str | None:
    """The SHA of a branch or else of a tag of this name; a tag stands for its commit."""
    wanted = (f"refs/heads/{revision}", f"refs/tags/{revision}^{{}}", f"refs/tags/{revision}")
    return next((found[name] for name in wanted if name in found), None)


def abbreviated(shas: Iterable[str], short: str) -> str | None:
    """The one SHA that begins so. Raises Refused(InvalidInput) when there are more."""
    matches = {sha for sha in shas if sha.startswith(short)}
    if len(matches) > 1:
        message = f"more than one commit begins with {short}"
        raise Refused(InvalidInput(message, (FieldError(("revision",), message),)))
    return next(iter(matches), None)


def no_revision(revision: str) -> Refused:
    """There is no such thing."""
    message = (
        f"the source repository has no branch, tag or commit {revision}: push it there, or check the name"
        f" (a commit of no branch is found by its full SHA alone)"
    )
    return Refused(NotFound(message, "revision", revision))


def failure(said: str, revision: str, allowed_mib: int) -> Refused | Unreachable:
    """What went wrong, from Git's stderr without secrets."""
    lines = [line for line in said.splitlines() if line.strip()] or ["git ended without a word"]
    shown = next((line for line in lines if line.startswith(("fatal:", "error:"))), lines[-1])[:_SHOWN]
    if _NO_REVISION.search(said):
        return no_revision(revision)
    if _TOO_LARGE.search(said):
        return Refused(JobFailure(f"the source repository has more than {allowed_mib} MiB (LUCITY_SOURCE_MIB)"))
    for pattern, what in _FOR_GOOD:
        if pattern.search(said):
            return Refused(JobFailure(f"the source repository {what}: {shown}"))
    if _SILENT.search(said):
        return Unreachable("source", shown)
    return Refused(JobFailure(f"the source repository cannot be read: {shown}"))
