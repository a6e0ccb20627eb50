"""When tokens were last used: a Redis hash, best effort, written at most once a minute for each token."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from threading import Lock

import redis
import structlog

KEY = "lucity:token-uses"
EVERY = timedelta(minutes=1)


class TokenUses:
    """Notes cost nothing; `flush` writes what is new."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client
        self._lock = Lock()
        self._pending: dict[str, datetime] = {}
        self._written: dict[str, datetime] = {}

    def note(self, token_id: str, at: datetime) -> None:
        """Remember that a token was used just now."""
        with self._lock:
            written = self._written.get(token_id)
            if written is None or at - written >= EVERY:
                self._pending[token_id] = at

    def flush(self) -> None:
        """Write what was noted; without Redis it is forgotten."""
        with self._lock:
            pending, self._pending = self._pending, {}
            self._written.update(pending)
        if not pending:
            return
        try:
            self._client.hset(KEY, mapping={token_id: at.isoformat() for token_id, at in pending.items()})
        except redis.RedisError as error:
            structlog.get_logger().info("token uses not written", reason=type(error).__name__)

    def read(self) -> Mapping[str, datetime]:
        """Token id → when it was last used; empty without Redis."""
        try:
            found = self._client.hgetall(KEY)
        except redis.RedisError:
            return {}
        return {_text(token_id): datetime.fromisoformat(_text(at)) for token_id, at in found.items()}


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value
