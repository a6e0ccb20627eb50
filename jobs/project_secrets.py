"""A project's own secrets: what webhooks are signed with, sources are cloned with, its forge is asked with.

Kept as JSON with the moment of their last change; values never leave but for the use they are for.
"""

import json
from datetime import UTC, datetime
from typing import Final

from adapters.ports import Secrets

NAMES: Final = ("webhook", "clone", "forge")


def read(secrets: Secrets, project: str, name: str) -> bytes | None:
    """The value; None when there is none."""
    kept = secrets.get(_key(project, name))
    return None if kept is None else str(json.loads(kept)["value"]).encode()


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
