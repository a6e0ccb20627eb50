"""What Lucity says to a forge and asks of it: statuses of commits, one comment on a request, which requests are open.

Each forge's module makes the calls and reads the answers; connection.py sends. See calls.py for what is raised, and
Unreachable('forge').
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from adapters.forges import gitea_api, github_api, gitlab_api
from adapters.forges.calls import MOST_PAGES, WHO, Call, Comment, Denied, Rejected, Reply, Status, read_comment
from adapters.forges.connection import Connection
from adapters.forges.deliveries import PullRequest
from adapters.forges.payloads import Unreadable
from adapters.forges.places import ForgePlace, token_for
from adapters.ports import Unreachable
from adapters.trust import Trust

_MISSING: Final = {404, 410}


class Dialect(Protocol):
    """One forge's calls; each module of this package that ends in _api."""

    def headers(self, token: str) -> Mapping[str, str]:
        """Who asks."""
        ...

    def repository(self, path: str) -> Call:
        """Whether the repository can be read."""
        ...

    def set_status(self, path: str, sha: str, status: Status) -> Call:
        """Say something about a commit."""
        ...

    def says_already(self, status: int, content: object) -> bool:
        """Whether an answer that is no success means that the status says this already."""
        ...

    def comments(self, path: str, number: int, page: int) -> Call:
        """The comments of a request, oldest first; pages count from 1."""
        ...

    def add_comment(self, path: str, number: int, text: str) -> Call:
        """A new comment on a request."""
        ...

    def edit_comment(self, path: str, number: int, comment_id: int, text: str) -> Call:
        """Another text of a comment."""
        ...

    def open_requests(self, path: str, page: int) -> Call:
        """The open requests; pages count from 1."""
        ...

    def request(self, path: str, number: int) -> Call:
        """One request."""
        ...

    def read_request(self, item: Mapping[str, object], url: str) -> PullRequest:
        """A request as a delivery would tell it. Raises Unreadable."""
        ...


DIALECTS: Final[Mapping[str, Dialect]] = {"github": github_api, "gitlab": gitlab_api, "gitea": gitea_api}


@dataclass(frozen=True)
class Forge:
    """One repository on a forge. `url`: its address as the project names it."""

    place: ForgePlace
    url: str
    connection: Connection

    @classmethod
    def reach(cls, place: ForgePlace, url: str, secret: bytes, *, trust: Trust, local: bool, seconds: float) -> "Forge":
        """A way there with a project's secret `forge`, good for so many seconds. Raises Denied for one that is for
        elsewhere.
        """
        token = token_for(place, secret)
        if not token:
            message = f"the project's secret `forge` is not for {place.api_url}: write `<origin of the API> <token>`"
            raise Denied(message)
        headers = DIALECTS[place.kind].headers(token)
        return cls(place, url, Connection(place.api_url, headers, token, trust, local, monotonic() + seconds))

    @property
    def _says(self) -> Dialect:
        return DIALECTS[self.place.kind]

    def set_status(self, sha: str, status: Status) -> None:
        """Say something about a commit."""
        answer = self.connection.answer(self._says.set_status(self.place.path, sha, status))
        failed = not 200 <= answer.status < 300  # noqa: PLR2004 - HTTP's successes
        if failed and not self._says.says_already(answer.status, answer.content):
            raise self.connection.failure(answer)

    def put_comment(self, number: int, marker: str, text: str, *, create: bool) -> None:
        """Make our comment that begins with the marker say this; where there is none, `create` one or leave it. One of
        somebody else's they could change afterwards.
        """
        marked = [comment for comment in self._comments(number) if comment.text.startswith(marker)]
        ours = self._own_id() if marked else None
        for comment in marked:
            mine = ours is None or comment.author == ours
            if mine and (comment.text == text or self._edited(number, comment, text)):
                return
        if create:
            self.connection.ask(self._says.add_comment(self.place.path, number, text))

    def open_requests(self) -> Iterator[PullRequest]:
        """The open requests that can be read, page by page."""
        for item in self._pages(lambda page: self._says.open_requests(self.place.path, page)):
            try:
                yield self._says.read_request(item, self.url)
            except Unreadable:
                continue

    def request(self, number: int) -> PullRequest | None:
        """One request; None when there is none: the repository itself was read then."""
        try:
            reply = self.connection.ask(self._says.request(self.place.path, number))
        except Rejected as rejection:
            if rejection.status not in _MISSING:
                raise
            self.connection.ask(self._says.repository(self.place.path))
            return None
        return self._read(reply)

    def _read(self, reply: Reply) -> PullRequest:
        try:
            return self._says.read_request(reply.content if isinstance(reply.content, dict) else {}, self.url)
        except Unreadable as fault:
            raise Unreachable("forge", f"a request cannot be read: {fault}") from None

    def _comments(self, number: int) -> Iterator[Comment]:
        for item in self._pages(lambda page: self._says.comments(self.place.path, number, page)):
            comment = read_comment(item)
            if comment is not None:
                yield comment

    def _own_id(self) -> object:
        """Whose token it is; None where a token may not ask."""
        try:
            reply = self.connection.ask(WHO)
        except (Denied, Rejected):
            return None
        return reply.content.get("id") if isinstance(reply.content, dict) else None

    def _edited(self, number: int, comment: Comment, text: str) -> bool:
        """Whether a comment could be changed: one that somebody else wrote in our form cannot always be."""
        try:
            self.connection.ask(self._says.edit_comment(self.place.path, number, comment.id, text))
        except (Denied, Rejected):
            return False
        return True

    def _pages(self, call: Callable[[int], Call]) -> Iterator[Mapping[str, object]]:
        for page in range(1, MOST_PAGES + 1):
            reply = self.connection.ask(call(page))
            yield from reply.items()
            if not reply.more:
                return
