"""A project's own secrets: what webhooks are signed with, sources are cloned with, its forge is asked with.

Kept as JSON with the moment of their last change; values never leave but for the use they are for.
"""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from adapters.forges.places import is_secret
from adapters.ports import Secrets
from adapters.wiring import Ports
from gitops.operations.checks import Checks
from gitops.problems import NotFound, Refused
from jobs import heads

WEBHOOK, CLONE, FORGE = "webhook", "clone", "forge"
NAMES: Final = (WEBHOOK, CLONE, FORGE)
MIN_WEBHOOK_LENGTH: Final = 16
MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True)
class ProjectSecret:
    """That there is one; its value is for nobody's eyes."""

    name: str
    updated_at: datetime


def set_secret(ports: Ports, project: str, name: str, value: str) -> ProjectSecret:
    """Keep a secret of a project, instead of the one that there was. Raises Refused: InvalidInput, NotFound; and
    Unreachable.
    """
    checks = _checks(project, name)
    checks.require(bool(value), "empty: remove a secret with deleteProjectSecret", "value")
    checks.text(value, MAX_BYTES, "value")
    if name != CLONE:
        checks.require(value.isprintable() and value == value.strip(), "one line, without spaces around it", "value")
    if name == FORGE and value:
        checks.require(is_secret(value), "a token, or the origin of the forge's API, a space and a token", "value")
    if name == WEBHOOK and value:
        long = len(value) >= MIN_WEBHOOK_LENGTH
        checks.require(long, f"at least {MIN_WEBHOOK_LENGTH} characters, as random as they can be", "value")
    checks.finish()
    heads.require(ports, project)
    return ProjectSecret(name, write(ports.secrets, project, name, value))


def delete_secret(ports: Ports, project: str, name: str) -> ProjectSecret:
    """Remove a secret; the one that there was. Raises Refused: InvalidInput, NotFound; and Unreachable."""
    _checks(project, name).finish()
    heads.require(ports, project)
    moment = updated_at(ports.secrets, project, name)
    if moment is None:
        raise Refused(NotFound(f"The project {project} has no secret {name}.", "secret", name))
    ports.secrets.delete(_key(project, name))
    return ProjectSecret(name, moment)


def listed(secrets: Secrets, project: str) -> Collection[ProjectSecret]:
    """All that are there. Raises Unreachable."""
    found = [(name, updated_at(secrets, project, name)) for name in NAMES]
    return [ProjectSecret(name, moment) for name, moment in found if moment]


def read(secrets: Secrets, project: str, name: str) -> bytes | None:
    """The value; None when there is none."""
    kept = secrets.get(_key(project, name))
    return None if kept is None else str(json.loads(kept)["value"]).encode()


def texts(secrets: Secrets, project: str) -> tuple[str, ...]:
    """What no log may show: the values, of `clone` the password alone too, of `forge` the token without its origin."""
    values = {name: kept.decode() for name in NAMES if (kept := read(secrets, project, name)) is not None}
    password = values.get(CLONE, "").partition(":")[2]
    return (*values.values(), password, values.get(FORGE, "").rpartition(" ")[2])


def updated_at(secrets: Secrets, project: str, name: str) -> datetime | None:
    """When it was last set; None when there is none."""
    kept = secrets.get(_key(project, name))
    return None if kept is None else datetime.fromisoformat(json.loads(kept)["updatedAt"])


def write(secrets: Secrets, project: str, name: str, value: str) -> datetime:
    """Set it; the moment that counts as its last change."""
    now = datetime.now(UTC)
    secrets.put(_key(project, name), json.dumps({"value": value, "updatedAt": now.isoformat()}).encode())
    return now


def forget(secrets: Secrets, project: str) -> None:
    """Remove all of a project that is gone."""
    for name in NAMES:
        secrets.delete(_key(project, name))


def _key(project: str, name: str) -> str:
    return f"projects.{project}.{name}"


def _checks(project: str, name: str) -> Checks:
    checks = Checks()
    checks.project(project)
    checks.require(name in NAMES, f"no secret of a project: there are {', '.join(NAMES)}", "name")
    return checks
