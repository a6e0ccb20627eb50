"""What Dockerfiles say, and what Buildah says on stderr. Pure."""

import re
from collections.abc import Collection

STEP_FAILED = 125
"""Buildah's own failures; other codes are those of a RUN."""
_KILLED = 128 + 9
_TOO_LARGE = re.compile(r"file too large|file size limit exceeded", re.IGNORECASE)
_REACHES = re.compile(r"initializing source|pinging container registry|reading manifest|copying blob", re.IGNORECASE)
_SILENT = re.compile(
    r"connection refused|connection reset|no such host|i/o timeout|tls handshake timeout|no route to host"
    r"|network is unreachable|deadline exceeded|temporary failure|broken pipe|: eof|toomanyrequests"
    r"|unexpected http status:? (?:429|5\d\d)|status(?: code)?:? (?:429|5\d\d)|server misbehaving",
    re.IGNORECASE,
)
_DENIED = re.compile(r"unauthorized|authentication required|denied|forbidden|\b40[13]\b", re.IGNORECASE)
_UNTRUSTED = re.compile(r"x509|certificate|http response to https client", re.IGNORECASE)
_FROM = re.compile(r"FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.IGNORECASE)
_COPY_FROM = re.compile(r"(?:COPY|ADD)\s+(?:--\S+\s+)*--from=(\S+)", re.IGNORECASE)
_SHOWN = 500


def is_unreachable(said: str) -> bool:
    """Whether a registry did not answer, so that trying again may help."""
    return _SILENT.search(last_line(said)) is not None


def could_not_pull(code: int, said: str) -> bool:
    """Whether a build failed for a registry that does not answer."""
    return code == STEP_FAILED and _REACHES.search(last_line(said)) is not None and is_unreachable(said)


def push_failure(said: str) -> str:
    """What a person can do about a push that failed for good."""
    shown = last_line(said)
    if _UNTRUSTED.search(shown):
        ways = "LUCITY_CA_FILE names its authority, LUCITY_REGISTRY_INSECURE allows plain HTTP"
        return f"the registry is not trusted ({ways}): {shown}"
    if _DENIED.search(shown):
        settings = "LUCITY_REGISTRY_USERNAME and LUCITY_REGISTRY_PASSWORD_FILE"
        return f"the registry does not let us push ({settings} say who we are): {shown}"
    return f"the push failed: {shown}"


def build_failure(code: int, said: str, file_mib: int) -> str:
    """Why a build ended."""
    last = last_line(said)
    shown = f"the build ended with exit code {code}{f': {last}' if last else ''}"
    if _TOO_LARGE.search(said):
        return f"{shown}; no file may have more than {file_mib} MiB (LUCITY_BUILD_DISK_MIB)"
    if code == _KILLED:
        return f"{shown}; it was killed, perhaps because the machine has no memory left"
    return shown


def last_line(said: str) -> str:
    """The last line of what was said on stderr, cut to what fits a message."""
    return (said.rstrip().splitlines() or [""])[-1][:_SHOWN]


def base_images(dockerfile: str) -> list[str]:
    """The images that a Dockerfile names, in order; not those that it makes itself, nor those named by variables."""
    text = re.sub(r"\\[ \t]*\n", " ", dockerfile)
    images: dict[str, None] = {}
    stages: set[str] = {"scratch"}
    for line in text.splitlines():
        found = _FROM.match(line.strip())
        named = found[1] if found else _copied_from(line)
        if named and _is_foreign(named, stages):
            images[named] = None
        if found and found[2]:
            stages.add(found[2].lower())
    return list(images)


def _copied_from(line: str) -> str | None:
    found = _COPY_FROM.match(line.strip())
    return found[1] if found else None


def _is_foreign(name: str, stages: Collection[str]) -> bool:
    return "$" not in name and not name.startswith("-") and not name.isdecimal() and name.lower() not in stages
