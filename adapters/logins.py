"""Login links: a one-time secret, kept as a file named by its hash, becomes a session once."""

import hashlib
import json
import os
import secrets
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from gitops.changes import Actor, ActorKind

FOLDER = "login"
LIFETIME = timedelta(minutes=15)


def make_login(data: Path, actor: Actor, origin: str, now: datetime) -> str:
    """Answer a link that logs `actor` in, once, within 15 minutes; `data` is the data folder."""
    folder = data / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    _sweep(folder, now)
    secret = secrets.token_urlsafe(32)
    content = {"id": actor.id, "name": actor.name, "email": actor.email, "kind": actor.kind.value}
    expires = (now + LIFETIME).isoformat()
    descriptor = os.open(_path(folder, secret), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump({"actor": content, "expires": expires}, file)
    return f"{origin}/login?token={secret}"


def redeem_login(data: Path, secret: str, now: datetime) -> Actor | None:
    """Answer whom this one-time secret logs in, and use it up; None: it is unknown, used or too old."""
    path = _path(data / FOLDER, secret)
    try:
        content = json.loads(path.read_text())
        path.unlink()
    except FileNotFoundError:
        return None
    if datetime.fromisoformat(content["expires"]) <= now:
        return None
    actor = content["actor"]
    return Actor(actor["id"], actor["name"], actor["email"], ActorKind(actor["kind"]))


def _path(folder: Path, secret: str) -> Path:
    return folder / hashlib.sha256(secret.encode()).hexdigest()


def _sweep(folder: Path, now: datetime) -> None:
    """Remove links that nobody used."""
    for path in folder.iterdir():
        with suppress(FileNotFoundError, ValueError, KeyError):
            if datetime.fromisoformat(json.loads(path.read_text())["expires"]) <= now:
                path.unlink()
