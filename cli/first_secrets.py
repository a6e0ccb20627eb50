"""What the servers beside Lucity need before they start, made once: an administrator's key for Soft-serve, and for Argo
CD the key that it signs with and an API key of the account `lucity` (docker-compose.yml).
"""

import base64
import hmac
import json
import secrets
import time
from pathlib import Path
from typing import Any

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from adapters.settings import Settings
from cli.valkey import write_private

FOR_SOFT_SERVE = Path("for/soft-serve/admin.pub")
FOR_KUBERNETES = Path("for/k3s/argocd-secret.yaml")
ACCOUNT = "lucity"
"""Argo CD's account; it needs the capability apiKey."""


def make_first_secrets(settings: Settings) -> None:
    """Make what settings name and what is not there yet; what others read goes below `for/` in the data folder."""
    if settings.softserve_admin_key_file is not None:
        _make_admin_key(settings.softserve_admin_key_file, settings.data / FOR_SOFT_SERVE)
    if settings.argocd_token_file is not None:
        _make_api_key(settings.argocd_token_file, settings.data / FOR_KUBERNETES, settings.argocd_namespace)


def _make_admin_key(private: Path, public: Path) -> None:
    if private.exists() and public.exists():
        return
    key = Ed25519PrivateKey.generate()
    text = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    _write(public, f"{text} lucity\n", 0o644)
    _write(private, key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode(), 0o600)


def _make_api_key(token: Path, manifest: Path, namespace: str) -> None:
    if token.exists() and manifest.exists():
        return
    signing, number, now = secrets.token_urlsafe(32), secrets.token_hex(16), int(time.time())
    claims = {"iss": "argocd", "sub": f"{ACCOUNT}:apiKey", "jti": number, "iat": now, "nbf": now}
    keys = {"server.secretkey": signing, f"accounts.{ACCOUNT}.tokens": json.dumps([{"id": number, "iat": now}])}
    _write(manifest, yaml.safe_dump_all(_manifests(namespace, keys)), 0o600)
    _write(token, sign(claims, signing.encode()), 0o600)


def sign(claims: dict[str, Any], key: bytes) -> str:
    """A JSON Web Token by HMAC-SHA256, https://www.rfc-editor.org/rfc/rfc7519."""
    parts = [json.dumps(part).encode() for part in ({"alg": "HS256", "typ": "JWT"}, claims)]
    said = b".".join(map(_encoded, parts))
    return b".".join((said, _encoded(hmac.digest(key, said, "sha256")))).decode()


def _encoded(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _manifests(namespace: str, keys: dict[str, str]) -> list[dict[str, Any]]:
    labels = {"app.kubernetes.io/name": "argocd-secret", "app.kubernetes.io/part-of": "argocd"}
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}},
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "argocd-secret", "namespace": namespace, "labels": labels},
            "stringData": keys,
        },
    ]


def _write(path: Path, text: str, mode: int) -> None:
    path.parent.mkdir(mode=0o755 if mode & 0o044 else 0o700, parents=True, exist_ok=True)
    write_private(path, text)
    path.chmod(mode)
