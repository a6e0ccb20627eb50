"""Tags of images, as the registry has them now."""

import re
from collections.abc import Sequence

import structlog

from adapters.ports import Registry, Unreachable
from adapters.registry_answers import natural
from adapters.wiring import Ports
from gitops.problems import Refused
from jobs.lookups import LOOKUP_SECONDS, told_in_time

_OF_BUILDS = re.compile(r"src-[0-9a-f]{16}(-.+)?")
"""By these a build finds its image again (jobs/builds.py); nobody deploys them."""
_log = structlog.get_logger()


def tags_of(
    ports: Ports, repositories: Sequence[str], seconds: float = LOOKUP_SECONDS
) -> Sequence[Sequence[str] | None]:
    """All tags of each, numbers in them by their size, the highest first; None where it cannot be told in time."""
    registry = ports.registry
    held = {one for one in repositories if registry is not None and registry.holds(one)}
    if registry is None or not held:
        return [None] * len(repositories)
    found = told_in_time(lambda repository: _tags(registry, repository), sorted(held), seconds)
    return [found.get(repository) for repository in repositories]


def page(tags: Sequence[str], size: int, after: str | None, contains: str | None) -> list[str]:
    """Some of them, after one that need not be there any more; `contains` is what they have in them, in any case."""
    rest = [tag for tag in tags if after is None or natural(tag) < natural(after)]
    return [tag for tag in rest if contains is None or contains.casefold() in tag.casefold()][:size]


def _tags(registry: Registry, repository: str) -> Sequence[str] | None:
    try:
        found = registry.tags(repository)
    except Unreachable as outage:
        _log.warning("tags cannot be told", repository=repository, reason=str(outage))
        return None
    except Refused as refused:
        _log.warning("tags cannot be told", repository=repository, reason=refused.problem.message)
        return None
    return [tag for tag in reversed(found) if not _OF_BUILDS.fullmatch(tag)]
