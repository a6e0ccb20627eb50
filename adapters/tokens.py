"""Tokens, signed so that they are verified without a store.

Names, kinds and revocations live in the private repository lucity/settings. Which actor may do what is decided
elsewhere (gitops/access.py).

TokenRejected           the text is no token of ours, or no longer valid
"""

import base64
import binascii
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from time import monotonic

import structlog

from adapters.durable import create
from adapters.local_git import SETTINGS
from adapters.ports import GitHost, Repositories, Unreachable
from adapters.settings_files import SettingsFiles
from adapters.token_list import FILE, TokenRecord, parse, render
from adapters.token_uses import TokenUses
from gitops.changes import Actor, ActorKind
from gitops.problems import FieldError, InvalidInput, NotFound, Refused

PREFIX = "lct_"
KEY_BYTES = 32
REFRESH_SECONDS = 1.0
LONGEST_TOKEN = 4096
NAME_LENGTH = 100
EMAIL_LENGTH = 254
_TRIMMED_BY_GIT = " .,:;\"'\\"
_EMAIL = re.compile(r"[^\s<>@,;:\"'()\[\]\\]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")

Edit = Callable[[dict[str, TokenRecord]], str | None]
"""Changes the list in place and answers the commit's subject; None: there is nothing to do."""


class TokenRejected(Exception):  # noqa: N818 - an answer
    """The token is malformed, forged, expired or revoked; the message says which and never holds the token."""


def load_or_create_key(path: Path) -> bytes:
    """Answer the key in this file, made (mode 0600) when there is none. Raises ValueError for fewer than 32 bytes."""
    if not path.exists():
        create(path, secrets.token_bytes(KEY_BYTES), 0o600)
    key = path.read_bytes()
    if len(key) < KEY_BYTES:
        raise ValueError(f"{path} holds {len(key)} bytes; a key that signs tokens has at least {KEY_BYTES}")
    return key


@dataclass(frozen=True)
class Identity:
    """Who a token speaks for, checked: both parts go into commits."""

    name: str
    email: str

    @classmethod
    def parse(cls, name: str, email: str) -> "Identity":
        """Raise Refused(InvalidInput), naming every part that is wrong."""
        errors = []
        clean = name.strip(" ")
        if not clean or len(clean) > NAME_LENGTH or not clean.isprintable() or set(clean) & set("<>"):
            text = f"A name has 1 to {NAME_LENGTH} printable characters, without <, > and line breaks"
            errors.append(FieldError(("name",), text))
        elif not clean.strip(_TRIMMED_BY_GIT):
            text = "A name has more than punctuation, of which Git would leave nothing"
            errors.append(FieldError(("name",), text))
        if len(email) > EMAIL_LENGTH or not email.isprintable() or _EMAIL.fullmatch(email) is None or ".." in email:
            errors.append(FieldError(("email",), "This is not an e-mail address"))
        if errors:
            raise Refused(InvalidInput("; ".join(error.message for error in errors), tuple(errors)))
        return cls(clean, email)


class Tokens:
    """Issues, verifies and revokes. `uses` may be None where nobody asks when a token was last used."""

    def __init__(
        self,
        key: bytes,
        repositories: Repositories,
        githost: GitHost,
        clock: Callable[[], datetime],
        uses: TokenUses | None = None,
    ) -> None:
        self._key = key
        self._repositories = repositories
        self._files = SettingsFiles(repositories, githost, clock)
        self._clock = clock
        self._uses = uses
        self._lock = Lock()
        self._refreshed = -REFRESH_SECONDS
        self._head: str | None = None
        self._revoked: frozenset[str] = frozenset()

    def issue(
        self,
        actor: Actor | None,
        name: str,
        email: str,
        kind: ActorKind,
        expires_in_seconds: int | None = None,
        *,
        clones: str | None = None,
    ) -> tuple[TokenRecord, str]:
        """Make a token and put it on the list, committed by `actor` (None: by the token's own person, the first one).
        `clones`: the only project that it opens, for cloning.

        Answers the record and the secret, which is not kept. Raises Refused(InvalidInput) and Unreachable('git').
        """
        identity = Identity.parse(name, email)
        if expires_in_seconds is not None and not 0 < expires_in_seconds <= timedelta(days=3650).total_seconds():
            text = "Seconds until the token ends: more than 0, at most ten years"
            raise Refused(InvalidInput(text, (FieldError(("expiresInSeconds",), text),)))
        now = self._clock().replace(microsecond=0)
        expires = None if expires_in_seconds is None else now + timedelta(seconds=expires_in_seconds)
        token_id = f"tok_{secrets.token_hex(10)}"
        record = TokenRecord(token_id, identity.name, identity.email, kind, now, expires, clones=clones)

        def add(listed: dict[str, TokenRecord]) -> str | None:
            if record.id in listed:
                return None
            listed[record.id] = record
            return f"token(create): {record.name}"

        self._edit(actor or _actor(record), add)
        return record, self._sign(record)

    def session(self, actor: Actor, seconds: float) -> str:
        """Make an unlisted token for an actor who has proved who it is; revoking the actor's token ends it too."""
        now = self._clock().replace(microsecond=0)
        expires = now + timedelta(seconds=seconds)
        record = TokenRecord(actor.id, actor.name, actor.email, actor.kind, now, expires, clones=actor.clones)
        return self._sign(record)

    def revoke(self, actor: Actor, token_id: str) -> TokenRecord:
        """End a token, for good; again is no error. Raises Refused(NotFound) and Unreachable('git')."""
        found: list[TokenRecord] = []

        def end(listed: dict[str, TokenRecord]) -> str | None:
            if (record := listed.get(token_id)) is None:
                raise Refused(NotFound("There is no such token; `tokens` lists those there are", "token", token_id))
            found[:] = [record]
            if record.revoked_at is not None:
                return None
            listed[token_id] = found[0] = replace(record, revoked_at=self._clock().replace(microsecond=0))
            return f"token(revoke): {record.name}"

        self._edit(actor, end)
        return found[0]

    def list(self) -> Sequence[TokenRecord]:
        """Answer all tokens ever issued, oldest first."""
        self.refresh()
        used = self._uses.read() if self._uses else {}
        records = (replace(record, last_used_at=used.get(record.id)) for record in self._read(self._head).values())
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def verify(self, text: str) -> tuple[Actor, TokenRecord]:
        """Answer who speaks, and the token's expiry with it. Raises TokenRejected."""
        record = self._opened(text)
        if self.due:
            self.refresh()
        if not self.valid(record):
            raise TokenRejected(
                "This token has been revoked" if record.id in self._revoked else "This token has expired"
            )
        if self._uses:
            self._uses.note(record.id, self._clock())
        return _actor(record), record

    def valid(self, record: TokenRecord) -> bool:
        """Whether a verified token still holds, by what is known here and now; asks nobody."""
        expired = record.expires_at is not None and record.expires_at <= self._clock()
        return not expired and record.id not in self._revoked

    @property
    def due(self) -> bool:
        """Whether the revocations were looked at too long ago."""
        return monotonic() - self._refreshed >= REFRESH_SECONDS

    def refresh(self) -> None:
        """Look for revocations now; a host that does not answer leaves those known."""
        with self._lock:
            self._refreshed = monotonic()
            try:
                self._learn(self._files.newest())
            except (Unreachable, Refused) as error:
                structlog.get_logger().warning("token list not refreshed", reason=str(error))
                if self._head is None and isinstance(error, Unreachable):
                    self._learn(self._repositories.head(SETTINGS))
        if self._uses:
            self._uses.flush()

    def _learn(self, head: str | None) -> None:
        if head is not None and head != self._head:
            listed = self._read(head)
            self._revoked = frozenset(record.id for record in listed.values() if record.revoked_at is not None)
            self._head = head

    def _read(self, head: str | None) -> dict[str, TokenRecord]:
        return parse(self._files.read(head, FILE))

    def _edit(self, actor: Actor, edit: Edit) -> None:
        def edited(data: bytes) -> tuple[bytes, str] | None:
            listed = parse(data)
            subject = edit(listed)
            return None if subject is None else (render(listed), subject)

        self._files.edit(actor, FILE, edited)
        self.refresh()

    def _sign(self, record: TokenRecord) -> str:
        content = {
            "id": record.id,
            "name": record.name,
            "email": record.email,
            "kind": record.kind.value,
            "iat": int(record.created_at.timestamp()),
            "exp": int(record.expires_at.timestamp()) if record.expires_at else None,
        }
        if record.clones is not None:
            content["clones"] = record.clones
        payload = _encode(json.dumps(content, separators=(",", ":")).encode())
        return f"{PREFIX}{payload}.{_encode(self._mac(payload))}"

    def _mac(self, payload: str) -> bytes:
        return hmac.digest(self._key, f"{PREFIX}{payload}".encode(), "sha256")

    def _opened(self, text: str) -> TokenRecord:
        """Answer the record inside a token that we signed."""
        payload, _, signature = text.removeprefix(PREFIX).partition(".")
        try:
            ours = len(text) <= LONGEST_TOKEN and text.isascii() and text.startswith(PREFIX)
            if not ours or not hmac.compare_digest(_decode(signature), self._mac(payload)):
                raise TokenRejected("This is not a token of this server")
            content = json.loads(_decode(payload))
        except (ValueError, binascii.Error) as error:
            raise TokenRejected("This is not a token of this server") from error
        expires = None if content["exp"] is None else datetime.fromtimestamp(content["exp"], UTC)
        issued = datetime.fromtimestamp(content["iat"], UTC)
        return TokenRecord(
            content["id"],
            content["name"],
            content["email"],
            ActorKind(content["kind"]),
            issued,
            expires,
            clones=content.get("clones"),
        )


def _actor(record: TokenRecord) -> Actor:
    return Actor(record.id, record.name, record.email, record.kind, record.clones)


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
