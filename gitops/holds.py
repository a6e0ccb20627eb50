"""Holds: what stops automation in an environment or for one of its services, as environment.yaml says it.

They stand there as `holds: {<service, or "*" for all>: {reason, name, email, since, expiresAt}}`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gitops.commits import Person
from gitops.problems import InvalidRepository
from gitops.times import parse_time, rfc3339
from gitops.values import Key
from gitops.yamltext import Document

HOLDS: Final = "holds"
EVERYTHING: Final = "*"
"""The key of a hold on the whole environment; no service can be called that."""


@dataclass(frozen=True)
class Hold:
    """Who stopped what, why, and until when. `service` None: the whole environment."""

    service: str | None
    reason: str
    actor: Person
    since: datetime
    expires_at: datetime | None = None

    def stands(self, now: datetime) -> bool:
        """Whether it still counts."""
        return self.expires_at is None or self.expires_at > now


def hold_key(service: str | None) -> Key:
    """Where a hold stands in environment.yaml."""
    return (HOLDS, service or EVERYTHING)


def hold_values(hold: Hold) -> dict[str, object]:
    """What stands there."""
    values: dict[str, object] = {"reason": hold.reason, "name": hold.actor.name, "email": hold.actor.email}
    values["since"] = rfc3339(hold.since)
    if hold.expires_at is not None:
        values["expiresAt"] = rfc3339(hold.expires_at)
    return values


def holds_of(document: Document, path: str) -> tuple[tuple[Hold, ...], tuple[InvalidRepository, ...]]:
    """The holds of environment.yaml, the whole environment's first, and what of them cannot be read."""
    said = document.data.get(HOLDS)
    if said is None:
        return (), ()
    if not isinstance(said, Mapping):
        return (), (_broken(document, path, (HOLDS,), "must be a mapping of services to holds"),)
    holds, problems = [], []
    for name in sorted(said):
        try:
            holds.append(_hold(name, said[name]))
        except (KeyError, ValueError):
            problems.append(_broken(document, path, (HOLDS, name), "needs a reason and since; times are RFC 3339"))
    return tuple(holds), tuple(problems)


def _hold(name: str, said: object) -> Hold:
    if not isinstance(said, Mapping):
        raise ValueError(said)  # noqa: TRY004 - caught where it is told with its line
    expiry = said.get("expiresAt")
    return Hold(
        service=None if name == EVERYTHING else name,
        reason=str(said["reason"]),
        actor=Person(str(said.get("name") or ""), str(said.get("email") or "")),
        since=parse_time(str(said["since"])),
        expires_at=None if expiry is None else parse_time(str(expiry)),
    )


def _broken(document: Document, path: str, key: Key, rule: str) -> InvalidRepository:
    line = document.line_of(key)
    return InvalidRepository(f"{path}:{line}: {'.'.join(key)} {rule}", path, line)
