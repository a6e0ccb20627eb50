"""Argo CD over HTTP: who asks, what it answers, and what counts as no answer. No meaning of any object here.

ports.Unreachable       no answer, or one that is not Argo CD's: an outage, a proxy's page, a refused login
Declined                Argo CD's own refusal of this request
"""

import json
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from adapters.argocd_pulse import Pulse
from adapters.ports import Unreachable
from adapters.settings import Settings
from adapters.trust import SYSTEM, Trust

CONNECT_SECONDS = 5.0
LOOK_SECONDS = 15.0
ANSWER_SECONDS = 30.0
SILENCE_SECONDS = 45.0
_JSON = "application/json"
_STREAM = "text/event-stream"
_UNAUTHENTICATED = 401
_REDIRECTS = range(300, 400)
_REFUSALS = range(400, 500)
_BUSY = 429
_SHOWN_CHARACTERS = 300

Query = Mapping[str, str]
Body = Mapping[str, Any]


class Declined(Exception):  # noqa: N818 - an answer
    """Argo CD refuses; `status` is of HTTP, `code` of gRPC (0: none given), the text is its own."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Credentials(Protocol):
    """What proves who we are."""

    def token(self, api: "ArgoCdApi") -> str:
        """The token to send now."""
        ...

    def renew(self, api: "ArgoCdApi", refused: str) -> bool:
        """Get another one than the one that was refused; whether there is one."""
        ...


class FixedToken:
    """A token that somebody made; there is no other."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self, _api: "ArgoCdApi") -> str:
        """See Credentials."""
        return self._token

    def renew(self, _api: "ArgoCdApi", _refused: str) -> bool:
        """See Credentials."""
        return False


class TokenFile:
    """A token in a file that somebody may write again."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def token(self, _api: "ArgoCdApi") -> str:
        """See Credentials."""
        try:
            return self._path.read_text().strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Unreachable("delivery", f"LUCITY_ARGOCD_TOKEN_FILE cannot be read: {why}") from None

    def renew(self, api: "ArgoCdApi", refused: str) -> bool:
        """See Credentials."""
        return self.token(api) != refused


class Login:
    """A user and a password, for sessions that end."""

    def __init__(self, username: str, password: str) -> None:
        self._body = {"username": username, "password": password}
        self._lock = threading.Lock()
        self._token = ""

    def token(self, api: "ArgoCdApi") -> str:
        """See Credentials."""
        if not self._token:
            self.renew(api, "")
        return self._token

    def renew(self, api: "ArgoCdApi", refused: str) -> bool:
        """See Credentials."""
        with self._lock:
            if self._token == refused:
                answer = api.ask("POST", "/api/v1/session", body=self._body, token="")
                self._token = str(answer.get("token") or "")
            return bool(self._token)


def login_of(settings: Settings) -> Credentials:
    """The one login that settings name."""
    if settings.argocd_token is not None:
        return FixedToken(settings.argocd_token.get_secret_value().strip())
    if settings.argocd_token_file is not None:
        return TokenFile(settings.argocd_token_file)
    password = settings.argocd_password.get_secret_value() if settings.argocd_password else ""
    return Login(settings.argocd_username or "", password)


class ArgoCdApi:
    """Requests to one Argo CD; safe for threads, and for a process that forked."""

    def __init__(
        self,
        url: str,
        credentials: Credentials,
        silence_seconds: float = SILENCE_SECONDS,
        trust: Trust = SYSTEM,
        pulse: Pulse | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self.trust = trust
        self._pulse = pulse or Pulse(self._url, trust)
        self._credentials = credentials
        self._silence_seconds = silence_seconds
        self._guard = threading.Lock()
        self._clients: dict[int, httpx.Client] = {}

    def get(self, path: str, query: Query | None = None, seconds: float = LOOK_SECONDS) -> dict[str, Any]:
        """A JSON object. Raises Unreachable and Declined."""
        return self._authenticated(lambda token: self.ask("GET", path, token=token, seconds=seconds, query=query))

    def send(
        self,
        method: str,
        path: str,
        body: Body | None = None,
        query: Query | None = None,
        seconds: float = ANSWER_SECONDS,
    ) -> dict[str, Any]:
        """Change something. Raises Unreachable and Declined."""
        return self._authenticated(
            lambda token: self.ask(method, path, body=body or {}, token=token, seconds=seconds, query=query)
        )

    @contextmanager
    def stream(self, path: str, query: Query) -> Iterator[Iterator[bytes]]:
        """The chunks of an event stream as they come; silence ends it. Raises Unreachable and Declined."""
        token = self._credentials.token(self)
        self._pulse.feel()
        try:
            with self._opened(path, query, token) as response:
                if response.status_code == _UNAUTHENTICATED and self._credentials.renew(self, token):
                    with self._opened(path, query, self._credentials.token(self)) as again:
                        yield _chunks(again)
                else:
                    yield _chunks(response)
        except httpx.HTTPError as error:
            raise self._outage(error) from error

    def opening(self, path: str) -> tuple[str, dict[str, str]]:
        """URL and headers of an event stream for somebody else to open, with the token that was taken last."""
        return f"{self._url}{path}", _headers(self._credentials.token(self)) | {"Accept": _STREAM}

    def close(self) -> None:
        """End the connections of this process."""
        with self._guard:
            clients, self._clients = self._clients.pop(os.getpid(), None), {}
        if clients is not None:
            clients.close()

    def ask(
        self,
        method: str,
        path: str,
        *,
        token: str,
        body: Body | None = None,
        seconds: float = ANSWER_SECONDS,
        query: Query | None = None,
    ) -> dict[str, Any]:
        """One request with this token, and no second one. Raises Unreachable and Declined."""
        # Argo CD refuses every changing request, DELETE included, that does not call itself JSON.
        headers = _headers(token) | ({} if method == "GET" else {"Content-Type": _JSON})
        content = None if body is None else json.dumps(body)
        timeout = httpx.Timeout(seconds, connect=CONNECT_SECONDS)
        self._pulse.feel()
        try:
            response = self._client().request(
                method, f"{self._url}{path}", params=query, headers=headers, content=content, timeout=timeout
            )
        except httpx.HTTPError as error:
            raise self._outage(error) from error
        return _answer(response)

    def _outage(self, error: httpx.HTTPError) -> Unreachable:
        if isinstance(error, httpx.TimeoutException):
            self._pulse.doubt()
        return outage(error)

    def _authenticated(self, request: Callable[[str], dict[str, Any]]) -> dict[str, Any]:
        token = self._credentials.token(self)
        try:
            return request(token)
        except Declined as declined:
            if declined.status != _UNAUTHENTICATED:
                raise
            if not self._credentials.renew(self, token):
                raise Unreachable("delivery", f"Argo CD refuses our token: {declined}") from None
        try:
            return request(self._credentials.token(self))
        except Declined as declined:
            if declined.status != _UNAUTHENTICATED:
                raise
            raise Unreachable("delivery", f"Argo CD refuses our token: {declined}") from None

    @contextmanager
    def _opened(self, path: str, query: Query, token: str) -> Iterator[httpx.Response]:
        timeout = httpx.Timeout(self._silence_seconds, connect=CONNECT_SECONDS)
        headers = _headers(token) | {"Accept": _STREAM}
        url = f"{self._url}{path}"
        with self._client().stream("GET", url, params=dict(query), headers=headers, timeout=timeout) as response:
            yield response

    def _client(self) -> httpx.Client:
        """Connections must not be shared across a fork."""
        with self._guard:
            client = self._clients.get(os.getpid())
            if client is None:
                client = httpx.Client(verify=self.trust.context, follow_redirects=False)
                self._clients = {os.getpid(): client}
            return client


def segment(text: str) -> str:
    """A value as one segment of a path."""
    return quote(text, safe="")


def _headers(token: str) -> dict[str, str]:
    if not (token.isascii() and token.isprintable()):  # what would be said of such a header shows all of it
        raise Unreachable("delivery", "the token for Argo CD has a line break in it, or is not ASCII")
    return {"Accept": _JSON} | ({"Authorization": f"Bearer {token}"} if token else {})


def _chunks(response: httpx.Response) -> Iterator[bytes]:
    if response.status_code != httpx.codes.OK or not response.headers.get("content-type", "").startswith(_STREAM):
        response.read()
        _answer(response)
        raise Unreachable("delivery", "Argo CD answered without a stream: is LUCITY_ARGOCD_URL its address?")
    return response.iter_bytes()


def _answer(response: httpx.Response) -> dict[str, Any]:
    """Argo CD's own answer. A page of some proxy, whatever its status, is none."""
    status = response.status_code
    if status in _REDIRECTS:
        where = response.headers.get("location", "elsewhere")
        raise Unreachable("delivery", f"Argo CD redirects to {where}: set LUCITY_ARGOCD_URL to its real address")
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if response.is_success and isinstance(body, dict):
        return body
    text = _message(body) or response.text.strip()[:_SHOWN_CHARACTERS] or response.reason_phrase
    known = isinstance(body, dict) and isinstance(body.get("code"), int)
    if status in _REFUSALS and status != _BUSY and (known or status == httpx.codes.UNSUPPORTED_MEDIA_TYPE):
        raise Declined(status, body["code"] if known and isinstance(body, dict) else 0, text)
    raise Unreachable("delivery", f"Argo CD answered {status}: {text}")


def _message(body: object) -> str:
    if not isinstance(body, dict):
        return ""
    return str(body.get("message") or body.get("error") or "")


def outage(error: httpx.HTTPError) -> Unreachable:
    """A failure of the connection, as ports say it."""
    return Unreachable("delivery", f"Argo CD does not answer: {str(error) or type(error).__name__}")
