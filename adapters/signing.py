"""SSH signatures of commits, made and checked in process: SSHSIG framing around Ed25519.

Format: https://github.com/openssh/openssh-portable/blob/master/PROTOCOL.sshsig; `allowed_signers` as in ssh-keygen(1).
"""

import base64
import binascii
import fcntl
import hashlib
import re
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_ssh_private_key,
)

from adapters.durable import create, replace
from gitops.commits import Signature, SignatureState

NAMESPACE = b"git"
_MAGIC = b"SSHSIG"
_KEY_TYPE = b"ssh-ed25519"
_HASHES = {b"sha512": hashlib.sha512, b"sha256": hashlib.sha256}
_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_COLUMNS = 70
_SIGNER = re.compile(r'^\S+ (?:namespaces="([^"]*)" )?ssh-ed25519 ([A-Za-z0-9+/=]+)(?: .*)?$')
_MALFORMED = (ValueError, struct.error, binascii.Error)


class Signer:
    """Signs with one Ed25519 key."""

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._public = _string(_KEY_TYPE) + _string(raw)

    @classmethod
    def load_or_create(
        cls, path: Path, principal: str = "lucity@localhost", allowed_signers: Path | None = None
    ) -> "Signer":
        """The OpenSSH key at `path` (0600, its `.pub` beside it), made when there is none; processes that start at once
        agree on one. It is added to `allowed_signers` (None: the file beside the key), where former keys stay.
        """
        if not path.exists():
            _create_key(path)
        signer = cls(_load(path))
        public = path.with_name(f"{path.name}.pub")
        if not public.exists():
            with suppress(OSError):  # a mounted secret is read-only
                replace(public, f"{signer.public_key} {principal}\n".encode(), 0o644)
        _allow(allowed_signers or path.with_name("allowed_signers"), principal, signer.public_key)
        return signer

    @property
    def public_key(self) -> str:
        """As OpenSSH writes it: `ssh-ed25519 AAAA…`."""
        return f"{_KEY_TYPE.decode()} {base64.b64encode(self._public).decode()}"

    @property
    def fingerprint(self) -> str:
        """`SHA256:…`, as ssh-keygen prints it."""
        return _fingerprint(self._public)

    def sign(self, payload: bytes) -> str:
        """An armored signature of `payload` for git."""
        signed = _signed_data(payload, NAMESPACE, b"", b"sha512")
        signature = _string(_KEY_TYPE) + _string(self._key.sign(signed))
        fields = (self._public, NAMESPACE, b"", b"sha512", signature)
        blob = _MAGIC + struct.pack(">I", 1) + b"".join(map(_string, fields))
        text = base64.b64encode(blob).decode()
        lines = (text[start : start + _COLUMNS] for start in range(0, len(text), _COLUMNS))
        return "\n".join((_BEGIN, *lines, _END))


class Signatures:
    """Checks signatures against the keys of an allowed_signers file, which it reads again when it changes."""

    def __init__(self, allowed_signers: Path) -> None:
        self._path = allowed_signers
        self._stamp: tuple[int, int, int] | None = None
        self._keys = _Keys({})

    def verify(self, payload: bytes, armored: str) -> Signature:
        """What the signature of `payload` is worth: VALID and INVALID are about Lucity's keys; whatever cannot be read
        is INVALID, and any other kind of signature is by an unknown key.
        """
        text = armored.strip()
        if not text:
            return Signature(SignatureState.NONE)
        if not text.startswith("-----BEGIN SSH"):
            return Signature(SignatureState.UNKNOWN_KEY if text.startswith("-----BEGIN ") else SignatureState.INVALID)
        try:
            parsed = _parse(text)
        except _MALFORMED:
            return Signature(SignatureState.INVALID)
        return self._judge(payload, parsed)

    def trust(self) -> str:
        """A name for the set of keys that count now: another set has another name."""
        return self._known().name

    def _judge(self, payload: bytes, parsed: "_Parsed") -> Signature:
        fingerprint = _fingerprint(parsed.public)
        key = self._known().by_blob.get(parsed.public)
        if key is None:
            return Signature(SignatureState.UNKNOWN_KEY, fingerprint)
        holds = parsed.namespace == NAMESPACE and _holds(key, payload, parsed)
        return Signature(SignatureState.VALID if holds else SignatureState.INVALID, fingerprint)

    def _known(self) -> "_Keys":
        try:
            found = self._path.stat()
            stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp != self._stamp:
                self._keys = _Keys(_parse_allowed_signers(self._path.read_text()))
                self._stamp = stamp
        except FileNotFoundError:
            return _Keys({})
        return self._keys


@dataclass(frozen=True)
class _Keys:
    """Keys by the bytes that SSH writes them as."""

    by_blob: Mapping[bytes, Ed25519PublicKey]

    @cached_property
    def name(self) -> str:
        """The same for the same keys."""
        return hashlib.sha256(b"".join(map(_string, sorted(self.by_blob)))).hexdigest()


@dataclass(frozen=True)
class _Parsed:
    public: bytes
    namespace: bytes
    reserved: bytes
    hash_name: bytes
    signature: bytes


def _parse(text: str) -> _Parsed:
    if not (text.startswith(_BEGIN) and text.endswith(_END)):
        raise ValueError(text[:40])
    blob = base64.b64decode("".join(text[len(_BEGIN) : -len(_END)].split()), validate=True)
    if blob[:6] != _MAGIC or struct.unpack(">I", blob[6:10]) != (1,):
        raise ValueError("no SSHSIG of version 1")
    public, namespace, reserved, hash_name, signature = _strings(blob[10:], 5)
    return _Parsed(public, namespace, reserved, hash_name, signature)


def _holds(key: Ed25519PublicKey, payload: bytes, parsed: _Parsed) -> bool:
    try:
        key_type, raw = _strings(parsed.signature, 2)
        signed = _signed_data(payload, parsed.namespace, parsed.reserved, parsed.hash_name)
        key.verify(raw, signed)
    except (InvalidSignature, *_MALFORMED):
        return False
    return key_type == _KEY_TYPE


def _signed_data(payload: bytes, namespace: bytes, reserved: bytes, hash_name: bytes) -> bytes:
    if hash_name not in _HASHES:
        raise ValueError(hash_name)
    digest = _HASHES[hash_name](payload).digest()
    return _MAGIC + b"".join(map(_string, (namespace, reserved, hash_name, digest)))


def _string(data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + data


def _strings(data: bytes, count: int) -> list[bytes]:
    found: list[bytes] = []
    while len(found) < count:
        (size,) = struct.unpack(">I", data[:4])
        if len(data) < 4 + size:
            raise ValueError("a string is longer than its frame")
        found.append(data[4 : 4 + size])
        data = data[4 + size :]
    if data:
        raise ValueError("something follows the frame")
    return found


def _fingerprint(public: bytes) -> str:
    return "SHA256:" + base64.b64encode(hashlib.sha256(public).digest()).decode().rstrip("=")


def _parse_allowed_signers(text: str) -> dict[bytes, Ed25519PublicKey]:
    keys: dict[bytes, Ed25519PublicKey] = {}
    for match in filter(None, map(_SIGNER.match, text.splitlines())):
        if match[1] is not None and NAMESPACE.decode() not in match[1].split(","):
            continue
        with suppress(*_MALFORMED):
            public = base64.b64decode(match[2], validate=True)
            _, raw = _strings(public, 2)
            keys[public] = Ed25519PublicKey.from_public_bytes(raw)
    return keys


def _load(path: Path) -> Ed25519PrivateKey:
    key = load_ssh_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        message = f"the signing key {path} is no Ed25519 key: make one with `ssh-keygen -t ed25519 -N ''`"
        raise ValueError(message)  # noqa: TRY004 - the file is wrong, not the caller
    return key


def _create_key(path: Path) -> None:
    content = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    create(path, content, 0o600)


def _allow(path: Path, principal: str, public_key: str) -> None:
    line = f'{principal} namespaces="{NAMESPACE.decode()}" {public_key}'
    if path.exists() and line in path.read_text().splitlines():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.with_name(f".{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        present = path.read_text().splitlines() if path.exists() else []
        if line not in present:
            replace(path, "".join(f"{entry}\n" for entry in (*present, line)).encode(), 0o644)
