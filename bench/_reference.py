"""The plainest server: routes that make one Redis round trip, and a WebSocket that repeats what a stream says.

`python -m bench._reference URL FD`, or `running(product)` for one over a product's own Valkey.
"""

import asyncio
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn
from redis.asyncio import Redis
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from tests.support.product import Product

STREAM = "bench:stream"


@contextmanager
def running(product: Product) -> Iterator[str]:
    """A reference in a process of its own; its address."""
    folder = product.up.data / "valkey"
    redis = f"redis://:{(folder / 'password').read_text().strip()}@127.0.0.1:{(folder / 'port').read_text().strip()}/9"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        command = [sys.executable, "-m", "bench._reference", redis, str(listener.fileno())]
        process = subprocess.Popen(command, pass_fds=[listener.fileno()])
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait()


def create_app(url: str) -> Starlette:
    """Everything that it serves."""
    redis, sockets = Redis.from_url(url), set[WebSocket]()

    async def read(request: Request) -> Response:
        await request.body()
        await redis.get("bench:reference")
        return JSONResponse({})

    async def write(request: Request) -> Response:
        await request.body()
        await redis.set("bench:reference", "x" * 200)
        return JSONResponse({})

    async def listen(websocket: WebSocket) -> None:
        await websocket.accept("graphql-transport-ws")
        await websocket.send_text('"next"')
        sockets.add(websocket)
        while (await websocket.receive())["type"] != "websocket.disconnect":
            continue
        sockets.discard(websocket)

    @asynccontextmanager
    async def repeating(_app: Starlette) -> AsyncIterator[None]:
        task = asyncio.ensure_future(repeat(redis, sockets))
        yield
        task.cancel()

    routes = [Route("/read", read, methods=["POST"]), Route("/write", write, methods=["POST"])]
    return Starlette(routes=[*routes, WebSocketRoute("/listen", listen)], lifespan=repeating)


async def repeat(redis: Redis, sockets: set[WebSocket]) -> None:
    """Send every entry of the stream to everybody."""
    last = "$"
    while True:
        answer: Any = await redis.xread({STREAM: last}, block=1000)
        for number, entry in answer[0][1] if answer else ():
            for websocket in tuple(sockets):
                await websocket.send_text(entry[b"text"].decode())
            last = number


if __name__ == "__main__":
    config = uvicorn.Config(
        create_app(sys.argv[1]), log_config=None, access_log=False, server_header=False, ws_per_message_deflate=False
    )
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
