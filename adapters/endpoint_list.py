"""The file webhooks.yaml of lucity/settings, read and written; no secret is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml

from gitops.problems import InvalidRepository, Refused

FILE: Final = "webhooks.yaml"


@dataclass(frozen=True)
class Endpoint:
    """Where events are sent. `events`: types or their beginnings, as `job` or `job.failed`; none: all of them."""

    id: str
    url: str
    events: tuple[str, ...]
    project: str | None
    """Only what concerns this project; None: all projects."""
    created_at: datetime

    def wants(self, type_: str, project: str) -> bool:
        """Whether a message of this type about this project is to be sent there."""
        chosen = not self.events or any(type_ == event or type_.startswith(f"{event}.") for event in self.events)
        return chosen and self.project in {None, project}


def parse(text: bytes) -> dict[str, Endpoint]:
    """The endpoints by id. Raises Refused(InvalidRepository) for a file that somebody broke."""
    try:
        content = yaml.safe_load(text) or {}
        return {key: _endpoint(key, fields) for key, fields in (content.get("endpoints") or {}).items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(InvalidRepository(f"The list of webhook endpoints cannot be read: {error}", FILE)) from error


def render(endpoints: Mapping[str, Endpoint]) -> bytes:
    """The file, in order of creation, so that an added endpoint is an added line block."""
    ordered = sorted(endpoints.values(), key=lambda endpoint: (endpoint.created_at, endpoint.id))
    content = {"endpoints": {endpoint.id: _fields(endpoint) for endpoint in ordered}}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def _endpoint(key: str, fields: Mapping[str, Any]) -> Endpoint:
    created_at = datetime.fromisoformat(fields["createdAt"])
    return Endpoint(key, fields["url"], tuple(fields.get("events") or ()), fields.get("project"), created_at)


def _fields(endpoint: Endpoint) -> dict[str, object]:
    chosen = {"events": list(endpoint.events)} if endpoint.events else {}
    scope = {"project": endpoint.project} if endpoint.project is not None else {}
    return {"url": endpoint.url, **chosen, **scope, "createdAt": endpoint.created_at.isoformat()}
