"""Who may do what: the one question that every operation asks."""

from typing import Final

from gitops.changes import Actor, ActorKind
from gitops.problems import PermissionDenied, Refused

CLONE: Final = "clone"
READ: Final = "read"
CHANGE: Final = "change"
DELETE_PROJECT: Final = "project:delete"
WRITE_TOKENS: Final = "tokens:write"
WRITE_SECRETS: Final = "secrets:write"
WRITE_WEBHOOKS: Final = "webhooks:write"

_PERSONS_ONLY: Final = frozenset({WRITE_TOKENS, WRITE_SECRETS, WRITE_WEBHOOKS})
"""A token that leaked from a CI system must not be able to make more ways in."""


def authorize(actor: Actor, verb: str, scope: str) -> None:
    """Pass, or raise Refused(PermissionDenied). `scope` is a project's name, or '' for the server."""
    if actor.clones is not None and (verb, scope) != (CLONE, actor.clones):
        raise Refused(
            PermissionDenied(f"this token clones the repository of {actor.clones} and does nothing else", verb)
        )
    if actor.kind is ActorKind.AUTOMATION and verb in _PERSONS_ONLY:
        place = f" on {scope}" if scope else ""
        raise Refused(PermissionDenied(f"{verb}{place} needs a person's token; this one is for automation", verb))
