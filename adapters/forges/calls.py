"""What is asked of a forge's API and what it answers, as plain data. Nothing here knows a forge or sends anything.

ForgeFailure            a forge did not do what it was asked for
├── Limited             too much was asked: later, after `seconds`
├── Denied              the token may not do this; somebody must mend it
└── Rejected            it says no for another reason; asking again is of no use
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from urllib.parse import quote

MARKED: Final = "<!-- lucity:{project} -->"
"""What the comment of a project begins with; nobody sees it."""
LONGEST_DESCRIPTION: Final = 140
PAGE: Final = 50
MOST_PAGES: Final = 40


class StatusState(StrEnum):
    """What a commit's status says."""

    PENDING = "pending"
    SUCCESS = "success"
    FAILURE = "failure"
    ERROR = "error"


@dataclass(frozen=True)
class Status:
    """One line about a commit; the same context replaces what it said before."""

    context: str
    state: StatusState
    description: str
    url: str


@dataclass(frozen=True)
class Comment:
    """One comment on a request. `author`: the id of who wrote it, where the forge says."""

    id: int
    text: str
    author: object = None


@dataclass(frozen=True)
class Call:
    """One request below the API's address: `path` is quoted."""

    method: str
    path: str
    body: Mapping[str, object] | None = None


WHO: Final = Call("GET", "/user")
"""Whose token it is: the same on every forge."""


@dataclass(frozen=True)
class Reply:
    """An answer that is a success. `more`: another page follows."""

    content: object
    more: bool = False

    def items(self) -> Iterator[Mapping[str, object]]:
        """The objects of a list."""
        for item in self.content if isinstance(self.content, list) else ():
            if isinstance(item, dict):
                yield item


def read_comment(item: Mapping[str, object]) -> Comment | None:
    """A comment as every forge gives it; None for what is none of a person's or ours."""
    number, text = item.get("id"), item.get("body")
    if not isinstance(number, int) or not isinstance(text, str) or item.get("system") is True:
        return None
    author = item.get("user") or item.get("author")
    return Comment(number, text, author.get("id") if isinstance(author, dict) else None)


class ForgeFailure(Exception):  # noqa: N818 - its kinds read as states, like Unreachable
    """A forge did not do what it was asked for."""


class Limited(ForgeFailure):
    """Too much was asked."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"the forge wants to be asked again in {seconds:.0f} s")
        self.seconds = seconds


class Denied(ForgeFailure):
    """The token may not do this."""


class Rejected(ForgeFailure):
    """The forge says no; `status` is HTTP's."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def quoted(path: str) -> str:
    """owner/name, as a part of a URL's path."""
    return quote(path, safe="/")
