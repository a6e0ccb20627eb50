"""The plainest server: a Starlette route that makes one Redis round trip. `python -m bench._reference URL FD`."""

import socket
import sys

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


def create_app(url: str) -> Starlette:
    """One route that reads, one that writes."""
    redis = Redis.from_url(url)

    async def read(request: Request) -> Response:
        await request.body()
        await redis.get("bench:reference")
        return JSONResponse({})

    async def write(request: Request) -> Response:
        await request.body()
        await redis.set("bench:reference", "x" * 200)
        return JSONResponse({})

    return Starlette(routes=[Route("/read", read, methods=["POST"]), Route("/write", write, methods=["POST"])])


if __name__ == "__main__":
    config = uvicorn.Config(create_app(sys.argv[1]), log_config=None, access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
