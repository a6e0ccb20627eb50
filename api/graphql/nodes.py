"""Global ids: opaque to clients, `<Type>:<parts>` inside; a job's id is its Job-Id."""

import base64
import binascii

import strawberry

from gitops.problems import invalid

JOB_PREFIX = "job_"
_LONGEST = 1024


@strawberry.interface(description="Whatever has a global, stable id.")
class Node:
    """Every type that `node(id)` answers."""

    id: strawberry.ID


def node_id(kind: str, *parts: str) -> strawberry.ID:
    """The id of one node; parts are joined by `:`, so only the last one may hold a colon."""
    return strawberry.ID(base64.urlsafe_b64encode(":".join((kind, *parts)).encode()).decode().rstrip("="))


def parse_node_id(text: str, field: str = "id") -> tuple[str, str]:
    """Kind and the joined parts. Raises Refused(InvalidInput), on `field`, for what is no id of ours."""
    if text.startswith(JOB_PREFIX):
        return "Job", text
    try:
        padded = text[:_LONGEST] + "=" * (-len(text) % 4)
        kind, _, parts = base64.b64decode(padded, altchars=b"-_", validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        kind, parts = "", ""
    if not kind or not parts:
        raise invalid(field, f"{text[:60]!r} is no id: use one that this API answered.")
    return kind, parts
