"""A web server that does nothing but smart_http.py: `python -m tests.support.git_server SOCKET_FD REPOSITORIES`."""

import socket
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from adapters import smart_http


def application(root: Path) -> Starlette:
    """Every repository below `root`, for everybody."""

    async def refs(request: Request) -> Response:
        service = request.query_params["service"]
        chunks = smart_http.advertise(repository(request), service, request.headers.get("git-protocol"))
        return await streamed(chunks, smart_http.advertisement_type(service))

    async def rpc(request: Request) -> Response:
        service = request.path_params["service"]
        zipped = request.headers.get("content-encoding") == "gzip"
        protocol = request.headers.get("git-protocol")
        chunks = smart_http.serve(repository(request), service, request.stream(), gzip=zipped, protocol=protocol)
        return await streamed(chunks, smart_http.result_type(service))

    async def streamed(chunks: AsyncGenerator[bytes, None], media: str) -> Response:
        first = await anext(chunks, b"")

        async def answer() -> AsyncGenerator[bytes, None]:
            async with aclosing(chunks):
                yield first
                async for chunk in chunks:
                    yield chunk

        return StreamingResponse(answer(), media_type=media)

    def repository(request: Request) -> Path:
        return root / f"{request.path_params['project']}.git"

    return Starlette(
        routes=[
            Route("/{project}.git/info/refs", refs),
            Route("/{project}.git/{service}", rpc, methods=["POST"]),
        ]
    )


def main(arguments: list[str]) -> None:
    """Serve until a signal comes."""
    listening = socket.socket(fileno=int(arguments[0]))
    config = uvicorn.Config(application(Path(arguments[1])), log_level="warning", timeout_graceful_shutdown=5)
    uvicorn.Server(config).run(sockets=[listening])


if __name__ == "__main__":
    main(sys.argv[1:])
