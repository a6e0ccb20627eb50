"""Who Lucity is on Soft-serve: `platform` administers, `writer` pushes, `argocd` reads. Their keys and tokens are made
on the first start and kept in the Secrets port, so that all processes share them.
"""

import threading
import time
from pathlib import Path

import httpx
import structlog
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.durable import replace
from adapters.folder_lock import locked
from adapters.ports import Secrets, Unreachable
from adapters.softserve_ssh import KNOWN_HOSTS, Declined, Ssh, Unfit, parse_access, parse_token, parse_user
from adapters.trust import SYSTEM, Trust

PLATFORM = "platform"
WRITER = "writer"
READER = "argocd"
_NO_ACCESS = "no-access"
_TOKEN_NAME = "lucity"  # noqa: S105 - the name of one
_LOCK_SECONDS = 120.0
_REPLACE_SECONDS = 600.0
_log = structlog.get_logger()


class Accounts:
    """The three users. `folder` holds what the ssh program reads: keys and known hosts; it can be deleted."""

    def __init__(
        self, ssh: Ssh, http_url: str, admin_key: Path, folder: Path, secrets: Secrets, trust: Trust = SYSTEM
    ) -> None:
        self._ssh = ssh
        self._http_url = http_url
        self._admin_key = admin_key
        self._folder = folder
        self._secrets = secrets
        self.trust = trust
        self._guard = threading.RLock()
        self._replaced: dict[str, float] = {}

    def prepare(self) -> None:
        """Make or mend what Lucity needs on the host, and switch anonymous access off. Raises Unfit when a person has
        to act first, else Unreachable.
        """
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self._guard, locked(self._folder / "lock", _LOCK_SECONDS):
                self._meet()
                for name in (PLATFORM, WRITER, READER):
                    self._ensure(name)
                self._close_to_strangers()
        except TimeoutError as error:
            raise Unreachable("git", str(error)) from error

    def administer(self, *arguments: str) -> str:
        """Run a command as `platform`. Raises Declined, Unfit and Unreachable."""
        return self.run(PLATFORM, *arguments)

    def run(self, name: str, *arguments: str) -> str:
        """Run a command as one of the users. Raises Declined, Unfit and Unreachable."""
        return self._ssh.run(self._key(name), *arguments)

    def token(self, name: str) -> str:
        """The access token of a user, made when there is none."""
        kept = self._secrets.get(_token_secret(name))
        if kept is None:
            self.prepare()
            kept = self._secrets.get(_token_secret(name))
        if kept is None:
            raise Unfit(f"the token of Soft-serve's user {name} could not be kept")
        return kept.decode()

    def renew(self, name: str) -> str:
        """A new access token for a user, in place of one that the host does not take."""
        token = parse_token(self.run(name, "token", "create", _TOKEN_NAME))
        self._secrets.put(_token_secret(name), token.encode())
        return token

    def replace(self, name: str) -> None:
        """A new access token for a user whose token the host does not take any more, but seldom: a token that is
        refused as soon as it is made is not the trouble. Raises Unreachable.
        """
        with self._guard:
            now = time.monotonic()
            if now - self._replaced.get(name, -_REPLACE_SECONDS) < _REPLACE_SECONDS:
                return
            self._replaced[name] = now
            try:
                self.renew(name)
            except Declined as declined:
                raise Unreachable("git", f"Soft-serve gives {name} no token: {declined}") from None
        _log.warning("a token was made, for Soft-serve refused the former one", user=name)

    def _meet(self) -> None:
        """Pin the host's key, and see that our key is an administrator's."""
        first_use = self._secrets.get(KNOWN_HOSTS) is None
        if not first_use:
            self._write_known_hosts()
        try:
            name, admin = parse_user(self._ssh.run(self._admin_key, "info", first_use=first_use))
        except Declined as declined:
            raise Unfit(f"LUCITY_SOFTSERVE_ADMIN_KEY_FILE belongs to nobody on Soft-serve: {declined}") from None
        if not admin:
            raise Unfit(f"LUCITY_SOFTSERVE_ADMIN_KEY_FILE belongs to {name}, who does not administer Soft-serve")
        if first_use:
            self._secrets.put(KNOWN_HOSTS, self._ssh.known_hosts.read_bytes())

    def _ensure(self, name: str) -> None:
        private = self._secrets.get(_key_secret(name))
        if private is None:
            private = _new_key()
            self._secrets.put(_key_secret(name), private)
        if self._who_is(name)[0] != name:
            self._introduce(name, private)
        if name == PLATFORM:
            if not self._who_is(name)[1]:
                self._ssh.run(self._admin_key, "user", "set-admin", name, "true")
        elif self._secrets.get(_token_secret(name)) is None or not self._has_token(name):
            self.renew(name)

    def _who_is(self, name: str) -> tuple[str, bool]:
        """Whom the host takes the key of `name` for; '' for nobody."""
        try:
            return parse_user(self.run(name, "info"))
        except Declined:
            return "", False

    def _introduce(self, name: str, private: bytes) -> None:
        if name not in self._ssh.run(self._admin_key, "user", "list").splitlines():
            self._ssh.run(self._admin_key, "user", "create", name)
        self._ssh.run(self._admin_key, "user", "add-pubkey", name, *_public(private).split())

    def _has_token(self, name: str) -> bool:
        # The host never shows a token again; a host that was set up anew has none of that name.
        cells = [cell.strip() for cell in self.run(name, "token", "list").split("│")]
        return _TOKEN_NAME in cells

    def _close_to_strangers(self) -> None:
        level = before = parse_access(self.administer("settings", "anon-access"))
        if level == _NO_ACCESS:
            return
        try:
            self.administer("settings", "anon-access", _NO_ACCESS)
            level = parse_access(self.administer("settings", "anon-access"))
        except Declined as declined:
            raise Unfit(f"Soft-serve lets strangers in ({level}) and that cannot be changed: {declined}") from None
        if level != _NO_ACCESS:
            raise Unfit(f"Soft-serve lets strangers in ({level}), and stays so: ssh … settings anon-access no-access")
        _log.warning("Soft-serve let strangers in until now; Lucity closed it to them", access=before)

    def takes(self, name: str, token: str, repository: str) -> bool:
        """Whether a user's token opens a repository that the user may read. Raises Unreachable."""
        url = f"{self._http_url}/{repository}.git/info/refs?service=git-upload-pack"
        try:
            answer = httpx.get(url, auth=(name, token), timeout=10, verify=self.trust.context)
        except httpx.HTTPError as error:
            raise Unreachable("git", f"Soft-serve at {self._http_url} does not answer: {error}") from None
        return answer.status_code not in {401, 403}

    def _key(self, name: str) -> Path:
        """The file of a user's private key; its secret counts, the file follows."""
        private = self._secrets.get(_key_secret(name))
        if private is None:
            self.prepare()
            private = self._secrets.get(_key_secret(name))
        if private is None:
            raise Unfit(f"the key of Soft-serve's user {name} could not be kept")
        with self._guard:
            self._write_known_hosts()
            return self._written(name, private)

    def _write_known_hosts(self) -> None:
        kept = self._secrets.get(KNOWN_HOSTS)
        if kept is not None:
            self._written(self._ssh.known_hosts.name, kept)

    def _written(self, name: str, content: bytes) -> Path:
        path = self._folder / name
        if not path.exists() or path.read_bytes() != content:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            replace(path, content, 0o600)
        return path


def _key_secret(name: str) -> str:
    return f"softserve-{name}-key"


def _token_secret(name: str) -> str:
    return f"softserve-{name}-token"


def _new_key() -> bytes:
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def _public(private: bytes) -> str:
    key = serialization.load_ssh_private_key(private, None)
    raw = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return raw.decode()
