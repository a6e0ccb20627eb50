"""Leases in Redis: who leads, by Redis' clock."""

from redis import Redis

from adapters.redis_client import Scripts, reached
from adapters.settings import Settings


class RedisLeases:
    """See ports.Leases."""

    def __init__(self, client: Redis, settings: Settings) -> None:
        self._client = client
        self._scripts = Scripts(client, settings)

    def acquire(self, name: str, owner: str, seconds: float) -> bool:
        """See ports.Leases.acquire."""
        return bool(self._scripts.run("lease_acquire", [name, owner, round(seconds * 1000)]))

    def release(self, name: str, owner: str) -> None:
        """See ports.Leases.release."""
        self._scripts.run("lease_release", [name, owner])

    def drop(self, name: str) -> None:
        """See ports.Leases.drop."""
        with reached():
            self._client.delete(f"lucity:lease:{name}")

    def held(self, name: str) -> bool:
        """See ports.Leases.held."""
        with reached():
            return bool(self._client.exists(f"lucity:lease:{name}"))
