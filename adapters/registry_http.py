"""One registry over HTTP: deadlines, bounds, and the three ways to log in. No meaning of any answer here.

ports.Unreachable       no answer, or none of a registry: an outage, a proxy's page, a busy registry
Refused(JobFailure)     the registry does not let us in
"""

import base64
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx

from adapters.ports import Unreachable
from adapters.registry_answers import Answer, Challenge, challenges, retry_after_seconds, words
from adapters.registry_names import RegistryAddress
from adapters.trust import Trust
from gitops.problems import JobFailure, Refused

LARGEST_BYTES: Final = 8 * 1024 * 1024
_CONNECT_SECONDS: Final = 3.0
_CHECK_SECONDS: Final = 2.0
_TOKEN_SECONDS: Final = 60.0
_REFUSALS: Final = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN})
_SERVER_ERRORS: Final = 500


@dataclass(frozen=True)
class Login:
    """A user; the password is read again whenever it is needed."""

    username: str
    password_file: Path

    def header(self) -> str:
        """Both, as Basic authentication has them. Raises Unreachable when the file cannot be read."""
        try:
            password = self.password_file.read_text().strip()
        except (OSError, UnicodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            raise Unreachable("registry", f"LUCITY_REGISTRY_PASSWORD_FILE cannot be read: {why}") from None
        return "Basic " + base64.b64encode(f"{self.username}:{password}".encode()).decode()


class RegistryApi:
    """Requests to one registry; safe for threads, and for a process that forked."""

    def __init__(
        self, address: RegistryAddress, login: Login | None, trust: Trust, *, insecure: bool, seconds: float
    ) -> None:
        self.host = address.host
        self._origin = f"{'http' if insecure else 'https'}://{address.authority}"
        self._login = login
        self._trust = trust
        self._insecure = insecure
        self._seconds = seconds
        self._guard = threading.Lock()
        self._clients: dict[int, httpx.Client] = {}
        self._headers: dict[str, tuple[str, float]] = {}

    def deadline(self) -> float:
        """When a call that begins now must have ended, by the monotonic clock."""
        return time.monotonic() + self._seconds

    def ask(
        self,
        method: str,
        path: str,
        scope: str,
        deadline: float,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> Answer:
        """One request, logged in as far as the registry asks for it. `scope` is what it is about, as tokens name it:
        `repository:<path>:pull`. Raises Unreachable, and Refused(JobFailure) when it does not let us in.
        """

        def send(authorization: str) -> Answer:
            given = {**(headers or {}), **({"Authorization": authorization} if authorization else {})}
            return self._patiently(method, f"{self._origin}{path}", given, deadline, content)

        answer = send(self._kept(scope))
        if answer.status == httpx.codes.UNAUTHORIZED:
            answer = send(self._authorization(answer, scope, deadline))
        if answer.status in _REFUSALS:
            self._forget(scope)
            raise self._refusal(answer)
        if 300 <= answer.status < 400:  # noqa: PLR2004 - redirects, which the API has for blobs only
            where = answer.headers.get("location", "elsewhere")
            raise Unreachable("registry", f"{self.host} redirects to {where}: set LUCITY_REGISTRY to its real address")
        return answer

    def check(self) -> None:
        """Pass when it answers, soon, and takes our login. Raises as `ask`."""
        soon = time.monotonic() + min(self._seconds, _CHECK_SECONDS)
        try:
            answer = self.ask("GET", "/v2/", "", soon)
        except Refused:
            if self._login is not None:
                raise
            return
        if answer.status != httpx.codes.OK:
            raise self.strange(answer)

    def strange(self, answer: Answer) -> Unreachable:
        """An answer that a registry would not give here."""
        return Unreachable("registry", f"{self.host} does not answer like a registry: {words(answer)}")

    def close(self) -> None:
        """End the connections of this process."""
        with self._guard:
            client, self._clients = self._clients.pop(os.getpid(), None), {}
        if client is not None:
            client.close()

    def _refusal(self, answer: Answer) -> Refused:
        login = "the login of LUCITY_REGISTRY_USERNAME and LUCITY_REGISTRY_PASSWORD_FILE is refused or may not do this"
        none = "set LUCITY_REGISTRY_USERNAME and LUCITY_REGISTRY_PASSWORD_FILE to a login that may"
        return Refused(
            JobFailure(f"{self.host} does not let us in ({words(answer)}): {login if self._login else none}")
        )

    def _kept(self, scope: str) -> str:
        with self._guard:
            header, ends = self._headers.get(scope, ("", 0.0))
            return header if time.monotonic() < ends else ""

    def _forget(self, scope: str) -> None:
        with self._guard:
            self._headers.pop(scope, None)

    def _authorization(self, refused: Answer, scope: str, deadline: float) -> str:
        """What the registry asks for, kept for the next request about the same."""
        offered = {each.scheme: each for each in challenges(refused.headers.get("www-authenticate", ""))}
        if "bearer" in offered:
            header, seconds = self._token(offered["bearer"], scope, deadline)
        elif "basic" in offered and self._login is not None:
            header, seconds = self._login.header(), _TOKEN_SECONDS
        else:
            raise self._refusal(refused)
        with self._guard:
            self._headers[scope] = header, time.monotonic() + seconds
        return header

    def _token(self, challenge: Challenge, scope: str, deadline: float) -> tuple[str, float]:
        """https://distribution.github.io/distribution/spec/auth/token/ with our login, or as anybody."""
        realm = self._realm(challenge)
        asked = {"service": challenge.parameters.get("service"), "scope": challenge.parameters.get("scope") or scope}
        url = realm.copy_merge_params({name: value for name, value in asked.items() if value})
        headers = {} if self._login is None else {"Authorization": self._login.header()}
        answer = self._patiently("GET", str(url), headers, deadline, None)
        if answer.status in _REFUSALS:
            raise self._refusal(answer)
        body = answer.json()
        given = body if answer.status == httpx.codes.OK and isinstance(body, dict) else {}
        token, lasts = given.get("token") or given.get("access_token"), given.get("expires_in")
        if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
            said = "200, without one" if answer.status == httpx.codes.OK else words(answer)  # it may hold half of one
            raise Unreachable("registry", f"{realm.host} gives no token for {self.host}: {said}")
        seconds = lasts if isinstance(lasts, int | float) and lasts > 0 else _TOKEN_SECONDS
        return f"Bearer {token}", seconds * 0.9

    def _realm(self, challenge: Challenge) -> httpx.URL:
        try:
            realm = httpx.URL(challenge.parameters.get("realm", ""))
        except httpx.InvalidURL:
            realm = httpx.URL()
        if not realm.host or realm.scheme not in ({"http", "https"} if self._insecure else {"https"}):
            raise Unreachable("registry", f"{self.host} names no token service that our password could be shown to")
        return realm

    def _patiently(
        self, method: str, url: str, headers: Mapping[str, str], deadline: float, content: bytes | None
    ) -> Answer:
        """Ask again while the registry is busy and there is time."""
        while True:
            answer = self._once(method, url, headers, deadline, content)
            if answer.status >= _SERVER_ERRORS:
                raise Unreachable("registry", f"{self.host} fails: {words(answer)}")
            if answer.status != httpx.codes.TOO_MANY_REQUESTS:
                return answer
            pause = retry_after_seconds(answer, datetime.now(UTC))
            if time.monotonic() + pause >= deadline:
                raise Unreachable("registry", f"{self.host} is busy and asks to wait {pause:.0f} s")
            time.sleep(pause)

    def _once(
        self, method: str, url: str, headers: Mapping[str, str], deadline: float, content: bytes | None
    ) -> Answer:
        left = max(deadline - time.monotonic(), 0.001)
        timeout = httpx.Timeout(left, connect=min(left, _CONNECT_SECONDS))
        # As it is, unzipped: digests are of bytes, and bounds as well.
        given = {"Accept-Encoding": "identity", **headers}
        try:
            with self._client().stream(method, url, headers=given, content=content, timeout=timeout) as response:
                body = self._body(response, deadline)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise Unreachable(
                "registry", f"{self.host} does not answer: {str(error) or type(error).__name__}"
            ) from error
        return Answer(response.status_code, dict(response.headers), body)

    def _body(self, response: httpx.Response, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_raw():
            body += chunk
            if len(body) > LARGEST_BYTES:
                raise Unreachable("registry", f"{self.host} answers more than {LARGEST_BYTES // 2**20} MiB")
            if time.monotonic() > deadline:
                raise Unreachable("registry", f"{self.host} does not come to an end within {self._seconds:.0f} s")
        return bytes(body)

    def _client(self) -> httpx.Client:
        """Connections must not be shared across a fork."""
        with self._guard:
            client = self._clients.get(os.getpid())
            if client is None:
                client = httpx.Client(verify=self._trust.context, follow_redirects=False)
                self._clients = {os.getpid(): client}
            return client
