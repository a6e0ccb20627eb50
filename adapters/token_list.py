"""The file tokens.yaml of lucity/settings, read and written; no secret is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import yaml

from gitops.changes import ActorKind
from gitops.problems import InvalidRepository, Refused

FILE = "tokens.yaml"


@dataclass(frozen=True)
class TokenRecord:
    """What is known of a token besides its secret. Times are aware, UTC."""

    id: str
    name: str
    email: str
    kind: ActorKind
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None
    last_used_at: datetime | None = None
    clones: str | None = None
    """The only project that it opens, for cloning; see gitops.changes.Actor."""


def parse(text: bytes) -> dict[str, TokenRecord]:
    """Answer the records by id. Raises Refused(InvalidRepository) for a file that somebody broke."""
    try:
        content = yaml.safe_load(text) or {}
        return {key: _record(key, fields) for key, fields in (content.get("tokens") or {}).items()}
    except (yaml.YAMLError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise Refused(InvalidRepository(f"The list of tokens cannot be read: {error}", FILE)) from error


def render(records: Mapping[str, TokenRecord]) -> bytes:
    """Write the file, in order of creation, so that an added token is an added line block."""
    ordered = sorted(records.values(), key=lambda record: (record.created_at, record.id))
    content = {"tokens": {record.id: _fields(record) for record in ordered}}
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True).encode()


def _record(key: str, fields: Mapping[str, str]) -> TokenRecord:
    return TokenRecord(
        key,
        fields["name"],
        fields["email"],
        ActorKind(fields["kind"]),
        datetime.fromisoformat(fields["createdAt"]),
        _time(fields.get("expiresAt")),
        _time(fields.get("revokedAt")),
        clones=fields.get("clones"),
    )


def _fields(record: TokenRecord) -> dict[str, str]:
    times = {"createdAt": record.created_at, "expiresAt": record.expires_at, "revokedAt": record.revoked_at}
    written = {name: time.isoformat() for name, time in times.items() if time is not None}
    scope = {"clones": record.clones} if record.clones is not None else {}
    return {"name": record.name, "email": record.email, "kind": record.kind.value, **scope, **written}


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
