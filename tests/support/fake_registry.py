"""A registry to talk to: as far as Lucity uses its API over HTTP, with three ways to log in, and failures on demand."""

import base64
import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, parse_qsl, unquote, urlsplit

from tests.support.registry import OCI_MANIFEST, PASSWORD, USERNAME
from tests.support.serving import answering

NO_LIMIT = 1_000_000


class Auth(Enum):
    """What it asks for."""

    OPEN = auto()
    BASIC = auto()
    BEARER = auto()
    """A token for each scope, for USERNAME alone."""
    ANONYMOUS = auto()
    """A token for each scope, for everybody."""


@dataclass(frozen=True)
class Failure:
    """An answer that no healthy registry gives here."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass
class FakeOciRegistry:
    """Its state: manifests by path and digest, tags by path.

    `failures` are answered first, one each; `broken` always. `silent`: it never answers. `largest_page`: tags of one.
    `header`: whether it names digests. `without_head`: it does not know HEAD. `asked`: requests as `METHOD path`.
    """

    auth: Auth = Auth.OPEN
    address: str = ""
    manifests: dict[str, dict[str, bytes]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    """Token → its scope."""
    failures: list[Failure] = field(default_factory=list)
    broken: Failure | None = None
    silent: bool = False
    largest_page: int = NO_LIMIT
    header: bool = True
    without_head: bool = False
    asked: list[str] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    def push(self, path: str, tag: str, content: bytes) -> str:
        """Put an image there; its digest."""
        layer = {"digest": f"sha256:{hashlib.sha256(content).hexdigest()}"}
        manifest = json.dumps({"schemaVersion": 2, "mediaType": OCI_MANIFEST, "layers": [layer]}).encode()
        return self.store(path, tag, manifest)

    def store(self, path: str, tag: str, manifest: bytes) -> str:
        """Put a manifest there; its digest."""
        digest = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        self.manifests.setdefault(path, {})[digest] = manifest
        self.tags.setdefault(path, {})[tag] = digest
        return digest


@contextmanager
def fake_registry(auth: Auth = Auth.OPEN) -> Iterator[FakeOciRegistry]:
    """A fake that listens on loopback while the block runs."""
    fake = FakeOciRegistry(auth)

    class Handler(_Handler):
        registry = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.address = f"127.0.0.1:{server.server_address[1]}"
    with answering(server):
        try:
            yield fake
        finally:
            fake.released.set()


def _refusal(status: int, code: str, *headers: tuple[str, str]) -> Failure:
    body = {"errors": [{"code": code, "message": code.lower().replace("_", " "), "detail": None}]}
    return Failure(status, json.dumps(body).encode(), headers=headers)


class _Handler(BaseHTTPRequestHandler):
    registry: FakeOciRegistry
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        self.registry.asked.append(f"{self.command} {unquote(parts.path)}")
        if self.registry.silent:
            self.registry.released.wait()
            self.close_connection = True
        elif self.registry.failures:
            self._send(self.registry.failures.pop(0))
        elif self.registry.broken is not None:
            self._send(self.registry.broken)
        elif parts.path == "/token":
            self._send(self._token(dict(parse_qsl(parts.query))))
        else:
            self._send(self._locked(parts.path) or self._answer(unquote(parts.path), parts.query, content))

    do_HEAD = do_PUT = do_GET  # noqa: N815 - names of http.server

    def _send(self, answer: Failure) -> None:
        self.send_response(answer.status)
        for name, value in (("content-type", answer.content_type), *answer.headers):
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def _knows(self) -> bool:
        expected = base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        return self.headers.get("authorization") == f"Basic {expected}"

    def _locked(self, path: str) -> Failure | None:
        """The refusal of who has not logged in for this."""
        if self.registry.auth is Auth.OPEN or (self.registry.auth is Auth.BASIC and self._knows()):
            return None
        if self.registry.auth is Auth.BASIC:
            return _refusal(401, "UNAUTHORIZED", ("www-authenticate", 'Basic realm="a \\"realm\\", of sorts"'))
        scope = self._scope(path)
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if self.registry.tokens.get(token) == scope:
            return None
        named = f',scope="{scope}"' if scope else ""
        realm = f'Bearer realm="http://{self.registry.address}/token",service="fake"{named}'
        return _refusal(401, "UNAUTHORIZED", ("www-authenticate", realm))

    def _scope(self, path: str) -> str:
        if path == "/v2/":
            return ""
        image = path.removeprefix("/v2/").partition("/manifests/")[0].partition("/tags/")[0]
        return f"repository:{image}:{'pull,push' if self.command == 'PUT' else 'pull'}"

    def _token(self, query: dict[str, str]) -> Failure:
        if query.get("service") != "fake" or (self.registry.auth is Auth.BEARER and not self._knows()):
            return _refusal(401, "UNAUTHORIZED")
        token = f"token-{len(self.registry.tokens)}"
        self.registry.tokens[token] = query.get("scope", "")
        return Failure(200, json.dumps({"token": token, "expires_in": 300}).encode())

    def _answer(self, path: str, query: str, content: bytes) -> Failure:
        if path == "/v2/":
            return Failure(200, b"{}")
        image, found, reference = path.removeprefix("/v2/").partition("/manifests/")
        if not found:
            return self._tags(path, query)
        if self.command == "PUT":
            digest = self.registry.store(image, reference, content)
            return Failure(201, headers=(("docker-content-digest", digest),))
        if self.command == "HEAD" and self.registry.without_head:
            return _refusal(405, "UNSUPPORTED")
        return self._manifest(image, reference)

    def _manifest(self, image: str, reference: str) -> Failure:
        digest = self.registry.tags.get(image, {}).get(reference, reference)
        manifest = self.registry.manifests.get(image, {}).get(digest)
        if manifest is None or OCI_MANIFEST not in (self.headers.get("accept") or ""):
            return _refusal(404, "MANIFEST_UNKNOWN")
        named = (("docker-content-digest", digest),) if self.registry.header else ()
        return Failure(200, manifest, OCI_MANIFEST, named)

    def _tags(self, path: str, query: str) -> Failure:
        image = path.removeprefix("/v2/").removesuffix("/tags/list")
        if image not in self.registry.tags:
            return _refusal(404, "NAME_UNKNOWN")
        given = parse_qs(query)
        size = min(int(given.get("n", [str(NO_LIMIT)])[0]), self.registry.largest_page)
        after = given.get("last", [""])[0]
        left = sorted(tag for tag in self.registry.tags[image] if tag > after)
        page = left[:size]
        # Registries behind a proxy often name a host that only the proxy knows.
        more = (("link", f'<http://registry.internal{path}?last={page[-1]}&n={size}>; rel="next"'),)
        body = json.dumps({"name": image, "tags": page or None}).encode()
        return Failure(200, body, headers=more if len(left) > size else ())
