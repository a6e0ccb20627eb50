"""The way to Redis: one client with bounded waits, one place where its failures become Unreachable, and the scripts.

Every write goes through a script in `lua/`, so that a state and its event are one step; time is always Redis' own.
"""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis
from redis import exceptions as errors
from redis.backoff import NoBackoff
from redis.retry import Retry

from adapters.ports import Unreachable
from adapters.records import RECORD_VERSION
from adapters.settings import Settings

LIBRARY = ("context", "events", "namespaces", "jobs", "outcomes", "holds", "claims")
"""Lua files that stand in front of every script, in this order; see the first for what a script is given."""
WANTED = {"maxmemory-policy": "noeviction", "appendonly": "yes", "appendfsync": "always"}

_AWAY = (
    errors.ConnectionError,
    errors.TimeoutError,
    errors.ReadOnlyError,
    errors.OutOfMemoryError,
    errors.MasterDownError,
    OSError,
)
_AWAY_CODES = ("MISCONF", "BUSY", "NOREPLICAS")


def connect(url: str) -> Redis:
    """A client, safe for many threads. Nothing is opened before the first command; nothing is tried twice, because a
    command whose answer was lost may have worked.
    """
    return Redis.from_url(
        url,
        decode_responses=True,
        protocol=2,
        socket_connect_timeout=1,
        socket_timeout=5,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def reached() -> Iterator[None]:
    """Turns every way in which Redis does not answer into Unreachable('redis')."""
    try:
        yield
    except _AWAY as error:
        raise Unreachable("redis", f"Redis does not answer: {error}") from error
    except errors.ResponseError as error:
        if str(error).startswith(_AWAY_CODES):
            raise Unreachable("redis", f"Redis does not take writes: {error}") from error
        raise


def check(client: Redis) -> list[str]:
    """What about this Redis could lose accepted work, one sentence each; empty when it is as it must be."""
    try:
        with reached():
            present = client.config_get(*WANTED)
    except errors.ResponseError:
        return ["Redis does not tell its configuration (CONFIG GET is refused), so its durability cannot be checked"]
    return [
        f"Redis has {name} {present.get(name)}; set it to {wanted}, or accepted changes can be lost"
        for name, wanted in WANTED.items()
        if present.get(name) != wanted
    ]


def script_text(name: str) -> str:
    """The source of a script with the library in front."""
    parts = [*(f"library/{part}.lua" for part in LIBRARY), f"{name}.lua"]
    return "\n".join(_read(part) for part in parts)


def script_context(settings: Settings) -> list[str | int]:
    """What every script is given before its own arguments; `library/context.lua` names them."""
    return [
        secrets.token_hex(8),
        settings.events_kept,
        settings.jobs_kept,
        RECORD_VERSION,
        round(settings.push_timeout_seconds * 1000),
    ]


Arguments = Sequence[str | int | float]


class Scripts:
    """Runs the scripts of `lua/` by name; survives a Redis that forgot them."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._known: dict[str, Any] = {}

    def run(self, name: str, arguments: Arguments = ()) -> Any:
        """The script's answer, lists and strings. Raises Unreachable('redis')."""
        script = self._known.get(name) or self._known.setdefault(name, self._client.register_script(script_text(name)))
        with reached():
            return script(args=[*script_context(self._settings), *arguments])


@cache
def _read(part: str) -> str:
    return (Path(__file__).parent / "lua" / part).read_text(encoding="utf-8")
