"""GET /eject/<project>: the whole project to take away, as it runs without Lucity."""

from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from adapters.ports import MissingCommit, Unreachable
from api.authentication import Authenticator, token_of
from api.reading.ejections import Ejection
from api.threads import call
from api.transport.errors import RequestRefused, internal
from gitops.access import READ, authorize
from gitops.names import ProjectName, SourceUrl
from gitops.problems import NotFound, PermissionDenied, Refused

_CHUNK_BYTES = 256 * 1024
Eject = Callable[[str, str | None], Ejection]
"""Packs a project, for a repository at this address."""


class EjectEndpoint:
    """`?repoUrl=` says where the repository will be; without it the Applications have a gap to fill."""

    def __init__(self, authenticator: Authenticator, eject: Eject) -> None:
        self._authenticator = authenticator
        self._eject = eject

    async def answer(self, request: Request) -> Response:
        """Authenticate, authorize, pack, stream."""
        try:
            caller = await self._authenticator.caller(token_of(request))
            project = ProjectName.parse(request.path_params["project"])
            authorize(caller.actor, READ, project)
            given = request.query_params.get("repoUrl")
            packed = await call(self._eject, project, SourceUrl.parse(given) if given else None)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets a line of it and no more
            return _failed(error)
        headers = {
            "Content-Disposition": f'attachment; filename="{packed.name}"',
            "Content-Length": str(packed.size),
            "Cache-Control": "no-store",
        }
        return StreamingResponse(_chunks(packed), headers=headers, media_type="application/gzip")


async def _chunks(packed: Ejection) -> AsyncIterator[bytes]:
    with packed.content as content:
        while chunk := await call(content.read, _CHUNK_BYTES):
            yield chunk


def _failed(error: Exception) -> Response:
    match error:
        case RequestRefused():
            return PlainTextResponse(f"{error}\n", error.status, headers=error.headers)
        case Refused(problem=NotFound()):
            return PlainTextResponse(f"{error}\n", 404)
        case Refused(problem=PermissionDenied()):
            return PlainTextResponse(f"{error}\n", 403)
        case Refused():
            return PlainTextResponse(f"{error}\n", 400)
        case Unreachable() | MissingCommit():
            return PlainTextResponse("The repository cannot be read now; try again\n", 503)
        case _:
            return PlainTextResponse(f"{internal(error)[0]}\n", 500)
