"""Webhook endpoints: listed in lucity/settings, their secrets in the Secrets port."""

import base64
import json
import secrets as randomness
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import Lock
from time import monotonic
from typing import Final

from adapters.endpoint_list import FILE, Endpoint, parse, render
from adapters.ports import Secrets, Unreachable
from adapters.settings_files import Edit, SettingsFiles
from gitops.changes import Actor
from gitops.problems import NotFound, Refused

_REFRESH_SECONDS: Final = 2.0
_SECRET_BYTES: Final = 32
ROTATION: Final = timedelta(days=1)
"""How long the former secret signs too."""
MOST_ENDPOINTS: Final = 100


@dataclass
class Endpoints:
    """Those of one server. Raises Unreachable('git') where the list cannot be read or written."""

    files: SettingsFiles
    secrets: Secrets
    _lock: Lock = field(default_factory=Lock)
    _read_at: float = -_REFRESH_SECONDS
    _known: Mapping[str, Endpoint] = field(default_factory=dict)

    def create(self, actor: Actor, url: str, events: tuple[str, ...], project: str | None) -> tuple[Endpoint, str]:
        """List a new endpoint; it and its secret, which is shown this once."""
        now = self.files.clock().replace(microsecond=0)
        endpoint = Endpoint(f"whe_{randomness.token_hex(10)}", url, events, project, now)
        secret = self._renew(endpoint.id, None)

        def add(data: bytes) -> tuple[bytes, str] | None:
            listed = parse(data)
            if endpoint.id in listed:
                return None
            return render({**listed, endpoint.id: endpoint}), f"webhook(create): {url}"

        self._edit(actor, add)
        return endpoint, secret

    def delete(self, actor: Actor, endpoint_id: str) -> Endpoint:
        """Remove an endpoint. Raises Refused(NotFound)."""
        found = self.get(endpoint_id)

        def drop(data: bytes) -> tuple[bytes, str] | None:
            listed = parse(data)
            if listed.pop(endpoint_id, None) is None:
                return None
            return render(listed), f"webhook(delete): {found.url}"

        self._edit(actor, drop)
        self.secrets.delete(_name(endpoint_id))
        return found

    def rotate(self, endpoint_id: str) -> tuple[Endpoint, str]:
        """Give an endpoint a new secret; the former one signs too for a day. Raises Refused(NotFound)."""
        found = self.get(endpoint_id)
        return found, self._renew(endpoint_id, self._kept(endpoint_id))

    def get(self, endpoint_id: str) -> Endpoint:
        """One endpoint. Raises Refused(NotFound)."""
        found = self.list(fresh=True).get(endpoint_id)
        if found is None:
            raise Refused(NotFound(f"There is no webhook endpoint {endpoint_id}.", "webhook endpoint", endpoint_id))
        return found

    def list(self, *, fresh: bool = False) -> Mapping[str, Endpoint]:
        """All by id, oldest first; at most seconds old unless `fresh`."""
        with self._lock:
            if fresh or monotonic() - self._read_at >= _REFRESH_SECONDS:
                self._known = parse(self.files.read(self.files.newest(), FILE))
                self._read_at = monotonic()
            return self._known

    def signing(self, endpoint_id: str) -> tuple[str, ...]:
        """The secrets that sign now, the newest first."""
        kept = self._kept(endpoint_id)
        if kept is None:
            raise Unreachable("secrets", f"the secret of webhook endpoint {endpoint_id} is gone: rotate it")
        former = kept.get("former")
        until = kept.get("formerUntil")
        counts = former and until and self.files.clock() < datetime.fromisoformat(until)
        return (kept["secret"], former) if counts and former else (kept["secret"],)

    def _renew(self, endpoint_id: str, kept: Mapping[str, str] | None) -> str:
        secret = "whsec_" + base64.b64encode(randomness.token_bytes(_SECRET_BYTES)).decode()
        value = {"secret": secret}
        if kept is not None:
            until = self.files.clock() + ROTATION
            value |= {"former": kept["secret"], "formerUntil": until.isoformat()}
        self.secrets.put(_name(endpoint_id), json.dumps(value).encode())
        return secret

    def _kept(self, endpoint_id: str) -> dict[str, str] | None:
        kept = self.secrets.get(_name(endpoint_id))
        return None if kept is None else json.loads(kept)

    def _edit(self, actor: Actor, edit: Edit) -> None:
        self.files.edit(actor, FILE, edit)
        self._read_at = -_REFRESH_SECONDS


def _name(endpoint_id: str) -> str:
    return f"webhooks.{endpoint_id}"
