"""Who asks: bearer tokens, session cookies and Basic passwords, all of them tokens; streams end with theirs."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from starlette.requests import HTTPConnection

from adapters.token_list import TokenRecord
from adapters.tokens import TokenRejected, Tokens
from api.threads import call
from api.transport.errors import Code, refusal, unauthenticated
from gitops.changes import Actor

COOKIE = "lucity_session"
WATCH_SECONDS = 0.9


@dataclass(frozen=True)
class Caller:
    """Who asks, and the token that says so."""

    actor: Actor
    record: TokenRecord


class Authenticator:
    """Turns the text of a token into a caller."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._asked = asyncio.Event()
        self._live: dict[object, tuple[TokenRecord, Callable[[], None]]] = {}

    async def caller(self, text: str | None, *, cloning: bool = False) -> Caller:
        """Answer whose token this is. Raises RequestRefused: 401, or 403 for a token that only clones, unless that is
        what it is used for.
        """
        if not text:
            raise unauthenticated("A token is needed: send Authorization: Bearer <token>, or log in")
        try:
            verify = self._tokens.verify
            actor, record = await call(verify, text) if self._tokens.due else verify(text)
        except TokenRejected as rejection:
            raise unauthenticated(str(rejection)) from rejection
        if actor.clones is not None and not cloning:
            message = f"This token clones the repository of {actor.clones} and does nothing else"
            raise refusal(Code.FORBIDDEN, message, 403)
        return Caller(actor, record)

    @contextmanager
    def watched(self, caller: Caller, end: Callable[[], None]) -> Iterator[None]:
        """Call `end` once the caller's token is no longer valid."""
        key = object()
        self._live[key] = (caller.record, end)
        try:
            yield
        finally:
            self._live.pop(key, None)

    def look(self) -> None:
        """Look for revocations now, not only when their time comes."""
        self._asked.set()

    async def run(self) -> None:
        """Look for revocations for ever, and end what they and time have ended."""
        while True:
            self._asked.clear()
            await call(self._tokens.refresh)
            for key, (record, end) in tuple(self._live.items()):
                if not self._tokens.valid(record):
                    self._live.pop(key, None)
                    end()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), WATCH_SECONDS)


def token_of(connection: HTTPConnection) -> str | None:
    """Answer the token that a request brings: in its header, else in its cookie."""
    scheme, _, token = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip()
    return connection.cookies.get(COOKIE)


def password_of(connection: HTTPConnection) -> str | None:
    """Answer the password of Basic authentication; the user's name does not matter."""
    scheme, _, encoded = connection.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(encoded.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return None
