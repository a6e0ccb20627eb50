"""What was last heard of each request of a project, in Redis, so that what comes late changes nothing."""

from collections.abc import Collection
from datetime import datetime
from typing import cast

from redis import Redis

from adapters.redis_client import Scripts, reached
from adapters.settings import Settings


class RedisRequests:
    """See ports.Requests."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._scripts = Scripts(client, settings)

    def hear(self, project: str, number: int, updated_at: datetime, *, is_open: bool) -> bool:
        """See ports.Requests.hear."""
        milliseconds = round(updated_at.timestamp() * 1000)
        return bool(self._scripts.run("request_hear", [project, number, milliseconds, int(is_open)]))

    def closed(self, project: str) -> Collection[int]:
        """See ports.Requests.closed."""
        with reached():
            heard = cast("dict[str, str]", self._client.hgetall(f"lucity:requests:{project}"))
        return {int(number) for number, said in heard.items() if said.endswith(":0")}
