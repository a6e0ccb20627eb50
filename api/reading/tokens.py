"""Tokens: revoked, and told to those whose streams must end."""

from adapters.ports import Unreachable
from adapters.token_list import TokenRecord
from adapters.wiring import Ports
from gitops.changes import Actor


def revoke(ports: Ports, actor: Actor, token_id: str) -> TokenRecord:
    """End a token and its streams. Without Redis streams end when the list is read again."""
    record = ports.tokens.revoke(actor, token_id)
    try:
        ports.events.revoked(token_id)
    except Unreachable:
        return record
    return record


def find(ports: Ports, token_id: str) -> TokenRecord | None:
    """One token."""
    return next((record for record in ports.tokens.list() if record.id == token_id), None)
