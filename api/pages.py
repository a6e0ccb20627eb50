"""The pages in api/static: the start page for who is logged in, and its assets, compressed once and cached for ever."""

import gzip
import mimetypes
from functools import partial
from pathlib import Path

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.authentication import Authenticator, token_of
from api.threads import call
from api.transport.errors import RequestRefused

STATIC = Path(__file__).parent / "static"
FOR_EVER = "public, max-age=31536000, immutable"
_COMPRESSED = (".js", ".css", ".html", ".svg", ".json", ".ttf", ".md")
_SECURITY = {
    "Content-Security-Policy": "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "font-src 'self' data:; worker-src 'self' blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Pages:
    """GET / and the files beside it. Names below assets/ carry a hash of what they hold."""

    def __init__(self, folder: Path, authenticator: Authenticator) -> None:
        self._files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
        self._authenticator = authenticator
        self._kept: dict[tuple[str, bool], bytes] = {}

    async def start(self, request: Request) -> Response:
        """GET /: the start page, or the way to it."""
        try:
            await self._authenticator.caller(token_of(request))
        except RequestRefused:
            return RedirectResponse("/login", 303, headers={"Cache-Control": "no-store"})
        return await self._file(request, "index.html", "no-cache")

    async def file(self, request: Request) -> Response:
        """GET any other file."""
        name = request.path_params["path"]
        return await self._file(request, name, FOR_EVER if name.startswith("assets/") else "public, max-age=3600")

    async def _file(self, request: Request, name: str, caching: str) -> Response:
        if (path := self._files.get(name)) is None:
            return PlainTextResponse("Not found\n", 404)
        takes_gzip = "gzip" in request.headers.get("accept-encoding", "") and path.suffix in _COMPRESSED
        if (name, takes_gzip) not in self._kept:
            self._kept[name, takes_gzip] = await call(partial(_read, path, compressed=takes_gzip))
        headers = {"Cache-Control": caching, "Vary": "Accept-Encoding"}
        if takes_gzip:
            headers["Content-Encoding"] = "gzip"
        media = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return Response(self._kept[name, takes_gzip], headers=headers, media_type=media)


class SecurityHeaders:
    """ASGI middleware: what browsers may do with our answers."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on; its answer gets the headers."""

        async def send_secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_SECURITY)
            await send(message)

        await self._app(scope, receive, send_secured)


def _read(path: Path, *, compressed: bool) -> bytes:
    content = path.read_bytes()
    return gzip.compress(content, mtime=0) if compressed else content
