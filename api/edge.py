"""What every request passes first: an id, a line in the log, and the check that it was meant for this server.

Host and Origin are checked against other sites' pages and against names that were rebound to this address.
"""

import re
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from time import perf_counter
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.settings import Settings
from api.transport.errors import Code

REQUEST_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
FOR_PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked by address: probes and scrapers know no name of ours, and nothing secret is told."""
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}

Served = Callable[[str, str, int, float], None]
"""Told of each HTTP request: method, path, status, seconds."""


@dataclass(frozen=True)
class Origins:
    """Which names and origins are ours."""

    names: frozenset[str]
    origin: str

    @classmethod
    def of(cls, settings: Settings) -> "Origins":
        """Answer those of the public address, and of the one that is listened on."""
        names = {urlsplit(settings.origin).hostname or "", settings.host}
        return cls(frozenset(name.lower() for name in names if name), _canonical(settings.origin))

    def names_us(self, connection: HTTPConnection) -> bool:
        """Whether the Host header is a name of ours."""
        host = _hostname(connection.headers.get("host", ""))
        return host in self.names or _is_loopback(host)

    def is_ours(self, origin: str, connection: HTTPConnection) -> bool:
        """Whether pages of this origin are ours: the public one, or loopback on the port that was asked."""
        try:
            parts = urlsplit(origin)
            port = parts.port or _PORTS.get(parts.scheme)
        except ValueError:
            return False
        ports = {urlsplit(self.origin).port, (connection.scope.get("server") or ("", None))[1]}
        loopback = parts.scheme in {"http", "https"} and _is_loopback(parts.hostname or "") and port in ports
        return loopback or _canonical(origin) == self.origin

    def trusts(self, connection: HTTPConnection) -> bool:
        """Whether a page of ours speaks, and says so."""
        origin = connection.headers.get("origin")
        return origin is not None and self.is_ours(origin, connection)


class Edge:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, origins: Origins, served: Served) -> None:
        self._app = app
        self._origins = origins
        self._served = served

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check, name and log one request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._watched(scope, receive, send, request_id)

    async def _watched(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started, status = perf_counter(), 101 if scope["type"] == "websocket" else 500

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = request_id
            await send(message)

        try:
            await self._checked(scope)(scope, receive, send_named)
        finally:
            seconds = perf_counter() - started
            method, path = scope.get("method", "WEBSOCKET"), scope["path"]
            self._served(method, path, status, seconds)
            log = structlog.get_logger()
            tell = log.debug if path in FOR_PROBES else log.info
            tell("request", method=method, path=path[:200], status=status, seconds=round(seconds, 4))

    def _checked(self, scope: Scope) -> ASGIApp:
        connection = HTTPConnection(scope)
        if scope["path"] in FOR_PROBES:
            return self._app
        if not self._origins.names_us(connection):
            return _forbidden("The Host header does not name this server; set LUCITY_PUBLIC_URL to its public address")
        origin = connection.headers.get("origin")
        if origin is not None and not self._origins.is_ours(origin, connection):
            return _forbidden("Pages of other origins may not ask this server")
        return self._app


def _forbidden(message: str) -> ASGIApp:
    async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 4403, "reason": "Forbidden"})
            return
        error = {"message": message, "extensions": {"code": Code.FORBIDDEN.value}}
        await JSONResponse({"errors": [error]}, 403)(scope, receive, send)

    return refuse


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _is_loopback(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _canonical(origin: str) -> str:
    """Answer scheme, name and port, the port always there; '' for what is no origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.hostname}:{port}".lower() if parts.hostname else ""
