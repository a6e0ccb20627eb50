"""A forge in this process: enough of the APIs of GitHub, GitLab and Gitea to be told of commits and asked for requests.

It asks for its token, gives lists page by page, and answers with outages, limits and redirects when a test says so.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.serving import answering

TOKEN = "tok-en_for_the_forge"
PREFIXES = {"github": "/api/v3", "gitlab": "/api/v4", "gitea": "/api/v1"}
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
LUCITY, STRANGER = 41, 42
_GITLAB_STATES = {"pending": "pending", "success": "success", "failed": "failure", "canceled": "error"}


@dataclass
class FakeStatus:
    """What a commit's status says; `state` in GitHub's words on every forge."""

    sha: str
    context: str
    state: str
    description: str
    url: str


@dataclass
class FakeComment:
    """One comment; its author changes it, and who may `moderate`."""

    id: int
    text: str
    author: int = LUCITY


@dataclass
class FakeRequest:
    """A request to merge, and what was said of it."""

    number: int
    sha: str
    is_open: bool = True
    updated_at: datetime = NOON
    fork: bool = False
    comments: list[FakeComment] = field(default_factory=list)


@dataclass
class FakeRepository:
    """One repository. `told`: every status in order, those that were replaced too."""

    requests: dict[int, FakeRequest] = field(default_factory=dict)
    told: list[FakeStatus] = field(default_factory=list)

    def status(self, sha: str, context: str) -> FakeStatus | None:
        """What the status says now."""
        return next((one for one in reversed(self.told) if (one.sha, one.context) == (sha, context)), None)

    def open(self, number: int, sha: str, minute: int = 0, *, fork: bool = False) -> FakeRequest:
        """Open a request."""
        self.requests[number] = FakeRequest(number, sha, updated_at=NOON + timedelta(minutes=minute), fork=fork)
        return self.requests[number]

    def close(self, number: int, minute: int) -> None:
        """Close one."""
        self.requests[number].is_open = False
        self.requests[number].updated_at = NOON + timedelta(minutes=minute)


Answer = tuple[int, object, Mapping[str, str]]


@dataclass
class FakeForge:
    """The forge. `failing`: a status and headers for every answer; `hidden`: paths that answer 404; `asked`: calls."""

    kind: str
    port: int
    repositories: dict[str, FakeRepository] = field(default_factory=dict)
    page_size: int = 2
    token: str = TOKEN
    failing: tuple[int, Mapping[str, str]] | None = None
    page: bytes | None = None
    """What it answers instead of what it would."""
    hidden: list[str] = field(default_factory=list)
    tells_who: bool = True
    """Whether the token may ask whose it is."""
    moderates: bool = False
    """Whether the token may change what others wrote."""
    asked: list[tuple[str, str]] = field(default_factory=list)
    ids: int = 2**32
    """GitHub's ids of comments are longer than 32 bits."""

    @property
    def origin(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def api_url(self) -> str:
        """Where its API begins."""
        return self.origin + PREFIXES[self.kind]

    @property
    def secret(self) -> str:
        """What a project's secret `forge` is for it."""
        return f"{self.origin} {TOKEN}"

    def repository(self, path: str) -> FakeRepository:
        """A repository; made when it is not there."""
        return self.repositories.setdefault(path, FakeRepository())

    def answer(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """What is answered to a call."""
        parts = urlsplit(target)
        path = parts.path.removeprefix(PREFIXES[self.kind])
        self.asked.append((method, path))
        if self.failing is not None:
            return self.failing[0], {"message": f"no, {headers.get('authorization')}"}, self.failing[1]
        if path in self.hidden:
            return _missing()
        if not self._knows(headers):
            return 401, {"message": "Bad credentials"}, {}
        if path == "/user":
            return (200, {"id": LUCITY}, {}) if self.tells_who else (403, {"message": "Forbidden"}, {})
        given = json.loads(body) if body else {}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        return (
            self._gitlab(method, path, query, given) if self.kind == "gitlab" else self._hub(method, path, query, given)
        )

    def _knows(self, headers: Mapping[str, str]) -> bool:
        match self.kind:
            case "github":
                return headers.get("authorization") == f"Bearer {self.token}" and "x-github-api-version" in headers
            case "gitlab":
                return headers.get("private-token") == self.token
        return headers.get("authorization") == f"token {self.token}"

    def _hub(self, method: str, path: str, query: Mapping[str, str], given: Mapping[str, str]) -> Answer:  # noqa: PLR0911 - one for each call
        match = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", path)
        repository = self.repositories.get(unquote(match[1])) if match else None
        if match is None or repository is None:
            return _missing()
        match method, (match[2] or "").split("/")[1:]:
            case "GET", []:
                return 200, {"full_name": unquote(match[1])}, {}
            case "POST", ["statuses", sha]:
                said = FakeStatus(sha, given["context"], given["state"], given["description"], given["target_url"])
                return self._tell(repository, said)
            case "GET", ["pulls"]:
                opened = [one for one in repository.requests.values() if one.is_open or query["state"] != "open"]
                return self._page([_pull(one) for one in opened], query, target=path)
            case "GET", ["pulls", number] if int(number) in repository.requests:
                return 200, _pull(repository.requests[int(number)]), {}
            case "GET", ["issues", number, "comments"]:
                listed = [_comment(one) for one in repository.requests[int(number)].comments]
                return (200, listed, {}) if self.kind == "gitea" else self._page(listed, query, target=path)
            case "POST", ["issues", number, "comments"]:
                return self._add(repository.requests[int(number)], given)
            case "PATCH", ["issues", "comments", comment_id]:
                return _edit(list(repository.requests.values()), int(comment_id), given, moderates=self.moderates)
        return _missing()

    def _gitlab(self, method: str, path: str, query: Mapping[str, str], given: Mapping[str, str]) -> Answer:  # noqa: PLR0911 - one for each call
        match = re.fullmatch(r"/projects/([^/]+)(/.*)?", path)
        repository = self.repositories.get(unquote(match[1])) if match else None
        if match is None or repository is None:
            return _missing()
        match method, (match[2] or "").split("/")[1:]:
            case "GET", []:
                return 200, {"path_with_namespace": unquote(match[1])}, {}
            case "POST", ["statuses", sha]:
                state = _GITLAB_STATES[given["state"]]
                said = FakeStatus(sha, given["name"], state, given["description"], given["target_url"])
                before = repository.status(sha, said.context)
                if before is not None and before.state == state == "pending":
                    return 400, {"message": "Cannot transition status via :enqueue from :pending"}, {}
                return self._tell(repository, said)
            case "GET", ["merge_requests"]:
                opened = [one for one in repository.requests.values() if one.is_open or query["state"] != "opened"]
                return self._page([_merge_request(one) for one in opened], query, target=path)
            case "GET", ["merge_requests", number] if int(number) in repository.requests:
                return 200, _merge_request(repository.requests[int(number)]), {}
            case "GET", ["merge_requests", number, "notes"]:
                noise = {"id": 1, "body": "<!-- lucity:shop --> changed the description", "system": True}
                listed = [noise, *(_comment(one, "author") for one in repository.requests[int(number)].comments)]
                return self._page(listed, query, target=path)
            case "POST", ["merge_requests", number, "notes"]:
                return self._add(repository.requests[int(number)], given)
            case "PUT", ["merge_requests", number, "notes", comment_id]:
                return _edit([repository.requests[int(number)]], int(comment_id), given, moderates=self.moderates)
        return _missing()

    def _tell(self, repository: FakeRepository, said: FakeStatus) -> Answer:
        assert len(said.description) <= 140
        repository.told.append(said)
        return 201, {"state": said.state}, {}

    def _add(self, request: FakeRequest, given: Mapping[str, str]) -> Answer:
        self.ids += 1
        request.comments.append(FakeComment(self.ids, given["body"]))
        return 201, _comment(request.comments[-1]), {}

    def _page(self, items: Sequence[object], query: Mapping[str, str], target: str) -> Answer:
        page = int(query.get("page", "1"))
        asked = int(query.get("limit") or query.get("per_page") or 30)
        size = min(self.page_size, asked)
        first = (page - 1) * size
        more = len(items) > first + size
        following = (
            f'<{self.api_url}{target}?page={page + 1}>; rel="next", <{self.api_url}{target}?page=1>; rel="first"'
        )
        return 200, items[first : first + size], {"link": following} if more else {}


def _missing() -> Answer:
    return 404, {"message": "Not Found"}, {}


def _edit(requests: Sequence[FakeRequest], comment_id: int, given: Mapping[str, str], *, moderates: bool) -> Answer:
    for comment in (each for request in requests for each in request.comments):
        if comment.id == comment_id:
            if comment.author != LUCITY and not moderates:
                return 403, {"message": "Forbidden"}, {}
            comment.text = given["body"]
            return 200, _comment(comment), {}
    return _missing()


def _comment(comment: FakeComment, author: str = "user") -> dict[str, object]:
    return {"id": comment.id, "body": comment.text, author: {"id": comment.author}}


def _pull(request: FakeRequest) -> dict[str, object]:
    return {
        "number": request.number,
        "state": "open" if request.is_open else "closed",
        "title": "A feature",
        "html_url": f"https://forge.example.org/{request.number}",
        "updated_at": request.updated_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "user": {"login": "bo"},
        "head": {"sha": request.sha, "ref": "feature", "repo": {"id": 2 if request.fork else 1}},
        "base": {"sha": "0" * 40, "ref": "main", "repo": {"id": 1}},
    }


def _merge_request(request: FakeRequest) -> dict[str, object]:
    return {
        "iid": request.number,
        "state": "opened" if request.is_open else "merged",
        "title": "A feature",
        "web_url": f"https://forge.example.org/{request.number}",
        "updated_at": request.updated_at.strftime("%Y-%m-%dT%H:%M:%S.789Z"),
        "author": {"name": "Bo", "username": "bo"},
        "sha": request.sha,
        "source_project_id": 2 if request.fork else 1,
        "target_project_id": 1,
    }


@contextmanager
def fake_forge(kind: str) -> Iterator[FakeForge]:
    """One that runs while the block does."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            with lock:
                status, content, more = forge.answer(self.command, self.path, headers, body)
            sent = json.dumps(content).encode() if forge.page is None else forge.page
            self.send_response(status)
            for name, value in {**more, "content-type": "application/json", "content-length": str(len(sent))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = do_PATCH = do_PUT = _answer  # noqa: N815 - the library's names

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Nothing is printed."""

    lock = threading.Lock()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    forge = FakeForge(kind, server.server_address[1])
    with answering(server):
        yield forge
