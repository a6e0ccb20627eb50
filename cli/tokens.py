"""Tokens made on a data folder, without a server: the first one, and those of `lucity token create`."""

from datetime import UTC, datetime
from pathlib import Path

from adapters.git_wiring import build_git
from adapters.logins import make_login
from adapters.ports import Unreachable
from adapters.settings import Settings
from adapters.tokens import TokenRejected, Tokens
from cli.configuration import read_settings
from cli.failures import StartFailed
from cli.valkey import write_private
from gitops.changes import ActorKind
from gitops.problems import Refused

ADMIN_NAME = "admin"
ADMIN_EMAIL = "admin@localhost"


def create_token(data: Path, name: str, email: str, kind: str) -> str:
    """Issue a token and answer its secret. Raises StartFailed when the name or the e-mail will not do."""
    try:
        return open_tokens(read_settings({"data": data})).issue(None, name, email, ActorKind(kind))[1]
    except (Refused, Unreachable) as reason:
        raise StartFailed(str(reason)) from None


def open_tokens(settings: Settings) -> Tokens:
    """Open the tokens of a data folder."""
    return build_git(settings).tokens(settings)


def keep_admin_token(path: Path, tokens: Tokens) -> str:
    """Answer the administrator's token in this file; a new one when there is none that still holds."""
    if path.exists():
        kept = path.read_text().strip()
        try:
            tokens.verify(kept)
        except TokenRejected:
            pass
        else:
            path.chmod(0o600)
            return kept
    _, secret = tokens.issue(None, ADMIN_NAME, ADMIN_EMAIL, ActorKind.PERSON)
    write_private(path, secret + "\n")
    return secret


def admin_login(settings: Settings, origin: str) -> str:
    """Make a link that logs the administrator in, once; with it the administrator's token when it is missing. Raises
    StartFailed.
    """
    tokens = open_tokens(settings)
    try:
        secret = keep_admin_token(settings.data / "admin-token", tokens)
    except Unreachable as outage:
        raise StartFailed(str(outage)) from None
    return make_login(settings.data, tokens.verify(secret)[0], origin, datetime.now(UTC))
