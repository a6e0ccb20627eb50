"""What tags stand for at the commit point: asked of the registry once, however often a batch is built again."""

from collections.abc import Iterable

import structlog

from adapters.ports import Registry, Unreachable
from gitops.changes import FoundTag
from gitops.commits import Image
from gitops.problems import NotFound, Refused
from jobs.lookups import LOOKUP_SECONDS, told_in_time

_log = structlog.get_logger()
_Key = tuple[str, str]
_Asked = FoundTag | NotFound


class Digests:
    """Answers of one registry (None: there is none), kept for as long as one claim's changes are carried out."""

    def __init__(self, registry: Registry | None, seconds: float = LOOKUP_SECONDS) -> None:
        self._registry = registry
        self._seconds = seconds
        self._found: dict[_Key, _Asked] = {}
        self._outage: str | None = None

    def gather(self, images: Iterable[Image]) -> None:
        """Ask for all of these at once, for a few seconds at most. What is not told by then is a warning."""
        registry = self._registry
        if registry is None:
            return
        keys = {(image.repository, image.tag) for image in images if registry.holds(image.repository)} - {*self._found}
        if keys and self._outage is None:
            self._found.update(self._ask(registry, sorted(keys)))
        else:
            self._found.update({key: _unknown(key, self._outage or "") for key in keys})

    def find(self, image: Image) -> FoundTag:
        """What a tag stands for; nothing where it is not looked up. Raises Refused(NotFound), what=tag."""
        self.gather([image])
        found = self._found.get((image.repository, image.tag), FoundTag())
        if isinstance(found, NotFound):
            raise Refused(found)
        return found

    def _ask(self, registry: Registry, keys: list[_Key]) -> dict[_Key, _Asked]:
        told = told_in_time(lambda key: self._ask_one(registry, key), keys, self._seconds)
        late = [key for key in keys if key not in told]
        if late:
            self._outage = f"the registry did not answer within {self._seconds:.0f} s"
        return {**told, **{key: _unknown(key, self._outage or "") for key in late}}

    def _ask_one(self, registry: Registry, key: _Key) -> _Asked:
        repository, tag = key
        try:
            digest = registry.digest(repository, tag)
        except Unreachable as outage:
            # Whoever does not answer now is not waited for again by what this batch comes to ask later.
            self._outage = str(outage)
            return _unknown(key, str(outage))
        except Refused as refused:
            return _unknown(key, refused.problem.message)
        except Exception as error:  # noqa: BLE001 - a deploy without a digest is better than a batch that fails
            _log.error("a lookup failed unexpectedly", repository=repository, tag=tag, exc_info=error)
            return _unknown(key, f"looking it up failed unexpectedly: {type(error).__name__}")
        if digest is None:
            return NotFound(f"{repository} has no tag {tag}: push the image, or choose a tag that is there", "tag", tag)
        return FoundTag(digest)


def _unknown(key: _Key, why: str) -> FoundTag:
    return FoundTag(warning=f"deployed without a digest, for {key[0]}:{key[1]} could not be looked up: {why}")
