"""Where the repositories of a Soft-serve stand: one small HTTP request each, and not more of them than it can bear."""

import random
import re
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import httpx

from adapters.ports import Unreachable
from adapters.trust import SYSTEM, Trust

_MAIN = re.compile(rb"^(?:0000)?[0-9a-f]{4}(?P<sha>[0-9a-f]{40}) refs/heads/main[\0\n]", re.MULTILINE)
_ADVERTISEMENT = b"001e# service=git-upload-pack\n0000"
_UNREADABLE = frozenset({401, 403})
_AT_ONCE = 4
_SECONDS = 10.0
_SECONDS_FOR_EACH = 0.02
"""Soft-serve takes about 4 ms of a core for an answer; so spent, looking for pushes takes a fifth of one at most."""


class Heads:
    """`headers` answers credentials of the user `writer`; `admit` does what it can where the host refuses them."""

    def __init__(
        self,
        url: str,
        headers: Callable[[], Mapping[str, str]],
        admit: Callable[[str], object],
        trust: Trust = SYSTEM,
    ) -> None:
        self._url = url
        self._headers = headers
        self._admit = admit
        self._trust = trust
        self._guard = threading.Lock()
        self._known: dict[str, tuple[float, str | None]] = {}

    def of(self, repositories: Sequence[str]) -> Mapping[str, str]:
        """Commits of main by repository, absent for empty and missing ones. Of one repository: now. Of many: not
        older than fifty questions a second allow. Raises Unreachable.
        """
        due = list(repositories) if len(repositories) == 1 else self._due(repositories)
        with self._client() as client, ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="heads") as pool:
            found = dict(zip(due, pool.map(lambda repository: self._head(client, repository), due), strict=True))
        longest = len(repositories) * _SECONDS_FOR_EACH
        with self._guard:
            for repository, sha in found.items():
                # Spread, so that later looks are as small as the others.
                until = time.monotonic() + random.uniform(longest / 2, longest)  # noqa: S311 - no secret
                self._known[repository] = (until, sha)
            answers = {repository: self._known[repository][1] for repository in repositories}
        return {repository: sha for repository, sha in answers.items() if sha is not None}

    def exists(self, repository: str) -> bool:
        """Whether the host has it. Raises Unreachable."""
        with self._client() as client:
            return self._admitted(client, repository).status_code != httpx.codes.NOT_FOUND

    def _due(self, repositories: Sequence[str]) -> list[str]:
        now = time.monotonic()
        with self._guard:
            return [one for one in repositories if self._known.get(one, (0.0, None))[0] <= now]

    def _client(self) -> httpx.Client:
        return httpx.Client(verify=self._trust.context, timeout=_SECONDS, headers=self._headers())

    def _head(self, client: httpx.Client, repository: str) -> str | None:
        answer = self._admitted(client, repository)
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK:
            raise Unreachable("git", _refusal(self._url, repository, answer))
        return parse_head(answer.content)

    def _admitted(self, client: httpx.Client, repository: str) -> httpx.Response:
        """The answer; where we are refused, the one after we were let in."""
        answer = self._refs(client, repository, {})
        if answer.status_code not in _UNREADABLE:
            return answer
        self._admit(repository)
        return self._refs(client, repository, self._headers())

    def _refs(self, client: httpx.Client, repository: str, headers: Mapping[str, str]) -> httpx.Response:
        url = f"{self._url}/{repository}.git/info/refs"
        try:
            return client.get(url, params={"service": "git-upload-pack"}, headers=headers)
        except httpx.HTTPError as error:
            raise Unreachable("git", f"Soft-serve at {self._url} does not answer: {error}") from None


def parse_head(advertisement: bytes) -> str | None:
    """The commit of main in an answer to `info/refs?service=git-upload-pack`; None when it has none.

    Raises Unreachable for what is no such answer. Format: https://git-scm.com/docs/http-protocol
    """
    if not advertisement.startswith(_ADVERTISEMENT):
        raise Unreachable("git", "what answers at LUCITY_SOFTSERVE_HTTP_URL does not speak Git's smart HTTP")
    found = _MAIN.search(advertisement)
    return None if found is None else found["sha"].decode()


def _refusal(url: str, repository: str, answer: httpx.Response) -> str:
    said = f"{answer.status_code} {answer.reason_phrase}"
    if answer.status_code in _UNREADABLE:
        return f"Soft-serve at {url} refuses Lucity's token for {repository} ({said}), also a new one"
    return f"Soft-serve at {url} answers {said} for {repository}"
