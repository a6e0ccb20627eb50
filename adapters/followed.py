"""Which head of a followed branch was last taken up for a service, in Redis. Forgetting it costs a look, no more."""

from collections.abc import Mapping
from typing import cast

from redis import Redis

from adapters.redis_client import reached


class RedisFollowed:
    """See ports.Followed. A field is `<service> <branch>`: no service's name has a space."""

    def __init__(self, client: Redis) -> None:
        self._client = client

    def heads(self, project: str) -> Mapping[tuple[str, str], str]:
        """See ports.Followed.heads."""
        with reached():
            found = cast("dict[str, str]", self._client.hgetall(_key(project)))
        pairs = {name: name.partition(" ") for name in found}
        return {(service, branch): found[name] for name, (service, _, branch) in pairs.items()}

    def note(self, project: str, service: str, branch: str, sha: str) -> None:
        """See ports.Followed.note."""
        with reached():
            self._client.hset(_key(project), f"{service} {branch}", sha)


def _key(project: str) -> str:
    return f"lucity:followed:{project}"
