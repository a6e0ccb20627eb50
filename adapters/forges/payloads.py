"""What all forges' deliveries have in common: a signed body that holds one JSON object. Pure; nothing is sent or kept.

Unreadable              the body is no delivery of this forge; says which part
"""

import hashlib
import hmac
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import parse_qs

from gitops.messages import fold
from gitops.times import parse_time

Headers = Mapping[str, str]
"""Names in lower case."""

_MOST_URLS: Final = 12
_LONGEST: Final = 2048
_SHA: Final = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TEXT: Final = re.compile(rf"[^\x00-\x1f\x7f\ud800-\udfff]{{1,{_LONGEST}}}")
_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_FORM: Final = "application/x-www-form-urlencoded"
_BRANCHES: Final = "refs/heads/"


class Unreadable(Exception):  # noqa: N818 - reads as a state, like Unreachable
    """A delivery that says nothing that could be understood."""


def signed(body: bytes, secret: bytes, given: str, prefix: str = "") -> bool:
    """Whether `given` is the prefix and the HMAC-SHA256 of the body, in hexadecimal; compared in constant time."""
    wanted = prefix + hmac.new(secret, body, hashlib.sha256).hexdigest()
    return bool(secret) and hmac.compare_digest(wanted.encode(), _bytes(given))


def same_text(secret: bytes, given: str) -> bool:
    """Whether `given` is the secret; compared in constant time."""
    return bool(secret) and hmac.compare_digest(secret, _bytes(given))


def delivery_id(given: str | None, body: bytes) -> str:
    """The forge's id of a delivery; one that follows from the body where the forge gives none that could be one."""
    return given if given and _ID.fullmatch(given) else hashlib.sha256(body).hexdigest()[:32]


def read(headers: Headers, body: bytes) -> "Fields":
    """The JSON object of a delivery, plain or as the field `payload` of a form. Raises Unreadable."""
    try:
        text = body.decode()
        if headers.get("content-type", "").partition(";")[0].strip().lower() == _FORM:
            text = parse_qs(text, strict_parsing=True, max_num_fields=10)["payload"][0]
        content = json.loads(text)
    except (ValueError, KeyError, RecursionError):
        raise Unreadable("the body holds no JSON in UTF-8") from None
    if not isinstance(content, dict):
        raise Unreadable("the body is no JSON object")
    return Fields(content)


@dataclass(frozen=True)
class Fields:
    """A JSON object, asked key by key; what is not as it should be raises Unreadable with its place."""

    content: Mapping[str, object]

    def at(self, *keys: str) -> object:
        """What stands at a path; None when there is nothing."""
        found: object = self.content
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def text(self, *keys: str) -> str:
        """A text that is not empty, as it stands."""
        value = self.at(*keys)
        if not isinstance(value, str) or not _TEXT.fullmatch(value):
            raise _wrong(keys, "a text")
        return value

    def words(self, *keys: str) -> str:
        """A text for people, on one line; empty when there is none."""
        value = self.at(*keys)
        return fold(value)[:_LONGEST] if isinstance(value, str) else ""

    def number(self, *keys: str) -> int:
        """A whole number that counts something."""
        value = self.at(*keys)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 < value < 2**31:
            raise _wrong(keys, "a number")
        return value

    def sha(self, *keys: str) -> str | None:
        """The full name of a commit; None when it is all zeros: there is none."""
        value = self.at(*keys)
        if not isinstance(value, str) or not _SHA.fullmatch(value):
            raise _wrong(keys, "the full SHA of a commit")
        return value if value.strip("0") else None

    def commit(self, *keys: str) -> str:
        """The full name of a commit that is there."""
        found = self.sha(*keys)
        if found is None:
            raise _wrong(keys, "the full SHA of a commit")
        return found

    def moment(self, *keys: str) -> datetime:
        """A moment, UTC."""
        try:
            return parse_time(self.text(*keys).removesuffix(" UTC"))
        except (ValueError, OverflowError):
            raise _wrong(keys, "a time") from None

    def branch(self, *keys: str) -> str | None:
        """The branch that a full name of a ref is about; None for a tag and others."""
        ref = self.text(*keys)
        return (ref.removeprefix(_BRANCHES) or None) if ref.startswith(_BRANCHES) else None

    def urls(self, *places: tuple[str, ...]) -> tuple[str, ...]:
        """The addresses at these paths, each once. Raises Unreadable when there is none."""
        found = _unique(self.words(*place) for place in places)
        if not found:
            raise _wrong(places[0], "the address of a repository")
        return found

    def one_of(self, choices: Mapping[str, bool], *keys: str) -> bool:
        """What a word among these means."""
        word = self.words(*keys)
        if word not in choices:
            raise _wrong(keys, " or ".join(choices))
        return choices[word]

    def first(self, *places: tuple[str, ...]) -> str:
        """The first text for people among some; empty when there is none."""
        return next(filter(None, (self.words(*place) for place in places)), "")


def _unique(urls: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, urls)))[:_MOST_URLS]


def _wrong(keys: tuple[str, ...], wanted: str) -> Unreadable:
    return Unreadable(f"{'.'.join(keys)} is not {wanted}")


def _bytes(text: str) -> bytes:
    """A header as it came over the wire; what cannot have come equals nothing."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return b""
