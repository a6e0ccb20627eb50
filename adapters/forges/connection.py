"""The network part of forges' APIs: bounded in time and size, to public addresses unless allowed, without redirects.

The token is in no message and no log.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

import httpx

from adapters.forges.calls import Call, Denied, Limited, Rejected, Reply
from adapters.judged_calls import Request, TooLarge, exchange
from adapters.ports import Unreachable
from adapters.trust import Trust
from gitops.messages import fold
from gitops.problems import Refused

_MOST_BYTES: Final = 8 * 1024 * 1024
_LONGEST_MESSAGE: Final = 200
_LATER_SECONDS: Final = 60.0
_LATEST_SECONDS: Final = 3600.0
_DENIALS: Final = {401, 403}
_OUTAGES: Final = {408, 425}


@dataclass(frozen=True)
class Answer:
    """What came, whatever it says."""

    status: int
    headers: Mapping[str, str]
    content: object
    more: bool


@dataclass(frozen=True)
class Connection:
    """One project's way to its forge. `local` allows http and addresses that are not public."""

    api_url: str
    headers: Mapping[str, str] = field(repr=False)
    token: str = field(repr=False)
    trust: Trust
    local: bool
    until: float
    """By time.monotonic(): nothing takes longer than that."""

    def ask(self, call: Call) -> Reply:
        """The answer, if it is a success. Raises ForgeFailure and Unreachable('forge')."""
        answer = self.answer(call)
        if 200 <= answer.status < 300:  # noqa: PLR2004 - HTTP's successes
            return Reply(answer.content, answer.more)
        raise self.failure(answer)

    def answer(self, call: Call) -> Answer:
        """The answer, whatever it says. Raises Rejected for an address that is not called, and Unreachable('forge')."""
        try:
            return self._read(self._exchange(call))
        except Refused as refusal:
            raise Rejected(0, refusal.problem.message) from None
        except TooLarge as bound:
            raise Unreachable("forge", f"{self._host}: {bound}") from None
        except (httpx.HTTPError, OSError, UnicodeError) as error:
            raise Unreachable("forge", f"{self._host}: {type(error).__name__}") from None

    def failure(self, answer: Answer) -> Exception:
        """What an answer that is no success means."""
        status, host = answer.status, self._host
        seconds = _asked_to_wait(answer)
        if seconds is not None:
            return Limited(seconds)
        if status in _DENIALS:
            return Denied(f"{host} answers {status}: {self._message(answer)}")
        if status in _OUTAGES or status >= 500:  # noqa: PLR2004 - HTTP's failures of servers
            return Unreachable("forge", f"{host} answers {status}")
        if 300 <= status < 400:  # noqa: PLR2004 - HTTP's redirects
            return Rejected(status, f"{host} says that the repository is elsewhere: name its present address as source")
        return Rejected(status, f"{host} answers {status}: {self._message(answer)}")

    @property
    def _host(self) -> str:
        return urlsplit(self.api_url).netloc

    def _exchange(self, call: Call) -> httpx.Response:
        left = self.until - monotonic()
        if left <= 0:
            raise Unreachable("forge", f"{self._host} took too long")
        headers, content = {**self.headers, "user-agent": "Lucity"}, None
        if call.body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(call.body, ensure_ascii=False).encode()
        request = Request(call.method, self.api_url + call.path, headers, content)
        context = self.trust.context
        return exchange(request, local=self.local, context=context, seconds=left, most_bytes=_MOST_BYTES)

    def _read(self, response: httpx.Response) -> Answer:
        try:
            content = json.loads(response.content) if response.content else None
        except (ValueError, RecursionError):
            if response.is_success:
                raise Unreachable("forge", f"{self._host} answers with no JSON") from None
            content = None
        return Answer(response.status_code, response.headers, content, "next" in response.links)

    def _message(self, answer: Answer) -> str:
        said = answer.content.get("message") if isinstance(answer.content, dict) else None
        return fold(str(said or "no reason")).replace(self.token, "***")[:_LONGEST_MESSAGE]


def _asked_to_wait(answer: Answer) -> float | None:
    """For how long; None when it was not too much that was asked."""
    headers, status = answer.headers, answer.status
    spent = headers.get("x-ratelimit-remaining") == "0"
    if status != 429 and not (status == 403 and (spent or "retry-after" in headers)):  # noqa: PLR2004 - HTTP
        return None
    later = _number(headers.get("retry-after"))
    reset = _number(headers.get("x-ratelimit-reset") or headers.get("ratelimit-reset"))
    if later is None and reset is not None:
        later = reset - datetime.now(UTC).timestamp()
    return min(max(_LATER_SECONDS if later is None else later, 1.0), _LATEST_SECONDS)


def _number(text: str | None) -> float | None:
    return float(text) if text is not None and text.isascii() and text.isdigit() else None
