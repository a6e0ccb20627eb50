"""/git/gitops/<project>.git: clone and push by smart HTTP, with a Lucity token as the password."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

import anyio
import structlog
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from adapters import smart_http
from adapters.ports import Unreachable
from adapters.smart_http import BodyTooLarge, ServedRepository, Service
from api.authentication import Authenticator, password_of, token_of
from api.threads import call
from api.transport.errors import RequestRefused, internal
from gitops.access import CHANGE, CLONE, READ, authorize
from gitops.names import ProjectName
from gitops.problems import PermissionDenied, Refused

CHALLENGE = {"WWW-Authenticate": 'Basic realm="lucity", charset="UTF-8"'}

_VERBS = {Service.UPLOAD_PACK: CLONE, Service.RECEIVE_PACK: CHANGE}

Answer = Callable[[ServedRepository, str], Awaitable[Response]]
"""Answers for a repository and its project."""


class GitEndpoint:
    """`find` answers a project's repository, for fetching or for pushing; `notice` is told of each push that ended."""

    def __init__(
        self,
        authenticator: Authenticator,
        find: Callable[[str, Service], ServedRepository],
        notice: Callable[[str], object],
    ) -> None:
        self._authenticator = authenticator
        self._find = find
        self._notice = notice

    async def advertise(self, request: Request) -> Response:
        """GET info/refs?service=…: where everything begins."""
        asked = request.query_params.get("service", "")
        if asked not in set(Service):
            return _text("Git's smart HTTP protocol only: upgrade git", 403)

        async def serve(repository: ServedRepository, _project: str) -> Response:
            chunks = repository.advertise(Service(asked), request.headers.get("git-protocol"))
            return await _streamed(chunks, smart_http.advertisement_type(asked))

        return await self._answer(request, Service(asked), _VERBS[Service(asked)], serve)

    async def upload_pack(self, request: Request) -> Response:
        """POST git-upload-pack: fetch."""
        return await self._serve(request, Service.UPLOAD_PACK)

    async def receive_pack(self, request: Request) -> Response:
        """POST git-receive-pack: push."""
        return await self._serve(request, Service.RECEIVE_PACK)

    async def pushed(self, request: Request) -> Response:
        """POST pushed: a hook of the Git host says that the repository has moved."""

        async def look(_repository: ServedRepository, project: str) -> Response:
            await call(self._notice, project)
            return Response(status_code=204)

        return await self._answer(request, Service.UPLOAD_PACK, READ, look)

    async def _serve(self, request: Request, service: Service) -> Response:
        if request.headers.get("content-type") != smart_http.request_type(service):
            return _text(f"Send Content-Type: {smart_http.request_type(service)}", 415)

        async def serve(repository: ServedRepository, project: str) -> Response:
            gzip = request.headers.get("content-encoding", "") == "gzip"
            protocol = request.headers.get("git-protocol")
            chunks = repository.serve(service, request.stream(), gzip=gzip, protocol=protocol)
            noticed = self._noticed(chunks, project) if service is Service.RECEIVE_PACK else chunks
            return await _streamed(noticed, smart_http.result_type(service))

        return await self._answer(request, service, _VERBS[service], serve)

    async def _answer(self, request: Request, service: Service, verb: str, serve: Answer) -> Response:
        """Authenticate, authorize, find the repository; then serve. Whatever stops that is a line for git to show."""
        try:
            token = password_of(request) or token_of(request)
            caller = await self._authenticator.caller(token, cloning=True)
            project = ProjectName.parse(request.path_params["project"])
            authorize(caller.actor, verb, project)
            return await serve(await call(self._find, project, service), project)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets a line of it and no more
            return _failed(error)

    async def _noticed(self, chunks: AsyncGenerator[bytes, None], project: str) -> AsyncGenerator[bytes, None]:
        """Pass a push through; once it ended, however it did, have its outcome noticed before git hears the end."""
        try:
            async with aclosing(chunks):
                async for chunk in chunks:
                    yield chunk
        finally:
            with anyio.CancelScope(shield=True):
                await self._have_noticed(project)

    async def _have_noticed(self, project: str) -> None:
        try:
            await call(self._notice, project)
        except (Unreachable, Refused) as error:
            structlog.get_logger().warning("push not noticed yet", project=project, reason=str(error))


async def _streamed(chunks: AsyncGenerator[bytes, None], media: str) -> Response:
    """Answer a stream once its first chunk is there: what fails before it can still be a status."""
    first = await anext(chunks, b"")

    async def body() -> AsyncGenerator[bytes, None]:
        async with aclosing(chunks):
            yield first
            async for chunk in chunks:
                yield chunk

    return StreamingResponse(body(), headers={"Cache-Control": "no-cache, max-age=0"}, media_type=media)


def _text(message: str, status: int, **headers: str) -> Response:
    return PlainTextResponse(f"{message}\n", status, headers=headers)


def _failed(error: Exception) -> Response:
    match error:
        case RequestRefused():
            return _text(str(error), 401, **CHALLENGE)
        case Refused():
            return _text(str(error), 403 if isinstance(error.problem, PermissionDenied) else 404)
        case BodyTooLarge():
            return _text(str(error), 413)
        case ValueError():
            return _text(str(error), 400)
        case Unreachable():
            return _text(str(error), 503)
        case _:
            return _text(internal(error)[0], 500)
