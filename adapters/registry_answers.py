"""What registries answer, read: challenges, errors, pages of tags, manifests. No I/O.

Sources: https://github.com/opencontainers/distribution-spec/blob/main/spec.md, RFC 9110 section 11, RFC 8288.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urljoin, urlsplit

DIGEST: Final = re.compile(r"sha256:[a-f0-9]{64}")
_TAG: Final = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105 - RFC 9110's word for a word
_CHALLENGE_PART: Final = re.compile(rf'({_TOKEN})(?:\s*=\s*("(?:[^"\\]|\\.)*"|{_TOKEN}))?')
_NEXT: Final = re.compile(r'<([^>]*)>[^<]*;\s*rel="?next"?', re.IGNORECASE)
_DIGITS: Final = re.compile(r"(\d+)")
_SHOWN_CHARACTERS: Final = 200
_SOON_SECONDS: Final = 0.5


@dataclass(frozen=True)
class Answer:
    """One answer; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    def json(self) -> object:
        """The body as JSON; None when it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Challenge:
    """One way to authenticate that a server offers; `scheme` and the names of parameters are in lower case."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(header: str) -> Sequence[Challenge]:
    """The challenges of a WWW-Authenticate header."""
    found: list[tuple[str, dict[str, str]]] = []
    for name, value in _CHALLENGE_PART.findall(header):
        if not value:
            found.append((name.lower(), {}))
        elif found:
            found[-1][1][name.lower()] = re.sub(r"\\(.)", r"\1", value[1:-1]) if value.startswith('"') else value
    return [Challenge(scheme, parameters) for scheme, parameters in found]


def errors(answer: Answer) -> Sequence[Mapping[str, object]] | None:
    """The errors in the API's own form; None when this is not how a registry refuses."""
    body = answer.json()
    given = body.get("errors") if isinstance(body, dict) else None
    return [error for error in given if isinstance(error, dict)] if isinstance(given, list) else None


def words(answer: Answer) -> str:
    """What an answer says, for people."""
    said = "; ".join(str(error.get("message") or error.get("code") or "") for error in errors(answer) or ())
    text = said or ("a page" if _is_page(answer) else answer.body.decode(errors="replace"))
    return " ".join(f"{answer.status} {text}".split())[:_SHOWN_CHARACTERS]


def digest_of(answer: Answer) -> str | None:
    """The digest of a manifest by its header, by its content when there is none; None when this is no manifest."""
    named = answer.headers.get("docker-content-digest", "")
    if DIGEST.fullmatch(named):
        return named
    body = answer.json()
    if not isinstance(body, dict) or "schemaVersion" not in body:
        return None
    return f"sha256:{hashlib.sha256(answer.body).hexdigest()}"


def tags_of(answer: Answer) -> Sequence[str] | None:
    """One page of tags; None when this is none."""
    body = answer.json()
    if not isinstance(body, dict) or "tags" not in body:
        return None
    given = body["tags"] or ()
    return [tag for tag in given if isinstance(tag, str) and _TAG.fullmatch(tag)] if isinstance(given, list) else ()


def next_page(answer: Answer, here: str) -> str | None:
    """Path and query of the page that follows one at the path `here`; None at the end, and for any other path. The
    host does not count: behind a proxy it is often another one than that of the address asked.
    """
    found = _NEXT.search(answer.headers.get("link", ""))
    if not found:
        return None
    parts = urlsplit(urljoin(here, found[1]))
    return f"{here}?{parts.query}" if parts.path == here and parts.query else None


def retry_after_seconds(answer: Answer, now: datetime) -> float:
    """How long a busy registry asks to wait."""
    text = answer.headers.get("retry-after", "")
    if text.isdecimal() and text.isascii():
        return max(_SOON_SECONDS, float(text))
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return _SOON_SECONDS
    return max(_SOON_SECONDS, (moment.replace(tzinfo=moment.tzinfo or UTC) - now).total_seconds())


def natural(tag: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Sorts v1.9 before v1.10, and v01 before v1."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in _DIGITS.split(tag)), tag


def _is_page(answer: Answer) -> bool:
    return "html" in answer.headers.get("content-type", "")
