"""GraphQL over WebSocket, subprotocol graphql-transport-ws.

Specification: https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md.

Closed                  the connection is closed with this code
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import dataclass
from typing import Any

from graphql import GraphQLError, OperationType
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.authentication import Authenticator, Caller, token_of
from api.background import end
from api.transport.bodies import parse_json
from api.transport.documents import Parameters
from api.transport.errors import Code, RequestRefused, errors_of, exceeded, unauthenticated
from api.transport.execution import Engine, json_text
from api.transport.outbox import Outbox

SUBPROTOCOL = "graphql-transport-ws"
LONGEST_ID = 256


class Closed(Exception):  # noqa: N818 - an end
    """The connection ends with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code


@dataclass(frozen=True)
class Bounds:
    """What one connection may take."""

    frame_bytes: int = 1024 * 1024
    subscriptions: int = 100
    init_seconds: float = 10.0
    """Until connection_init must have come."""
    patience_seconds: float = 5.0
    """How long an item waits for room in the queue, before its subscriber counts as slow."""


class WebSocketEndpoint:
    """WebSocket on /graphql."""

    def __init__(
        self, engine: Engine, authenticator: Authenticator, bounds: Bounds, trusts: Callable[[WebSocket], bool]
    ) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._bounds = bounds
        self._trusts = trusts

    async def serve(self, websocket: WebSocket) -> None:
        """Serve one connection until it ends. `trusts` says whether a cookie may speak for it: its origin is ours."""
        if SUBPROTOCOL not in websocket.scope["subprotocols"]:
            await websocket.accept()
            await websocket.close(4406, "Subprotocol not acceptable")
            return
        await websocket.accept(SUBPROTOCOL)
        connection = _Connection(websocket, self._engine, self._bounds)
        with suppress(WebSocketDisconnect):
            try:
                caller = await self._caller(websocket)
                await websocket.send_text('{"type":"connection_ack"}')
                await self._serve(connection, caller)
            except Closed as closed:
                await websocket.close(closed.code, str(closed))
            except WebSocketDisconnect:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an id of it and no more
                await websocket.close(4500, errors_of(error)[0]["message"])

    async def _caller(self, websocket: WebSocket) -> Caller:
        """Answer who speaks, by connection_init, header or cookie. Raises Closed."""
        try:
            async with asyncio.timeout(self._bounds.init_seconds):
                message = await _receive(websocket, self._bounds.frame_bytes)
        except TimeoutError:
            raise Closed(4408, "Connection initialisation timeout") from None
        if message["type"] != "connection_init":
            raise Closed(4401, "Unauthorized")
        token = _token_in(message.get("payload")) or self._token_of(websocket)
        try:
            return await self._authenticator.caller(token)
        except RequestRefused as refused:
            raise Closed(4401, str(refused)[:100]) from refused

    def _token_of(self, websocket: WebSocket) -> str | None:
        token = token_of(websocket)
        if token and "authorization" not in websocket.headers and not self._trusts(websocket):
            raise Closed(4403, "Forbidden: a cookie counts only from this server's own pages")
        return token

    async def _serve(self, connection: "_Connection", caller: Caller) -> None:
        """Read and write until one of them ends, or the token does."""
        ended = asyncio.Event()
        async with AsyncExitStack() as stack:
            stack.enter_context(self._authenticator.watched(caller, ended.set))
            tasks = {asyncio.ensure_future(work) for work in (connection.read(caller), connection.write())}
            ending = asyncio.ensure_future(ended.wait())
            stack.push_async_callback(end, *tasks, ending)
            stack.push_async_callback(connection.stop)
            done, _ = await asyncio.wait(tasks | {ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending in done:
                await connection.end_all(unauthenticated("The token of this connection has ended"))
                raise Closed(4401, "Unauthorized: the token has ended")
            for task in done:
                task.result()


class _Connection:
    """The operations of one connection. Ids are the client's."""

    def __init__(self, websocket: WebSocket, engine: Engine, bounds: Bounds) -> None:
        self._websocket = websocket
        self._engine = engine
        self._bounds = bounds
        self._outbox = Outbox(websocket.send_text)
        self._operations: dict[str, asyncio.Task[None]] = {}

    async def read(self, caller: Caller) -> None:
        """Act on every message. Raises Closed and WebSocketDisconnect."""
        while True:
            message = await _receive(self._websocket, self._bounds.frame_bytes)
            match message["type"]:
                case "ping":
                    await self._outbox.put('{"type":"pong"}')
                case "pong":
                    pass
                case "subscribe":
                    await self._subscribe(_id_of(message), message.get("payload"), caller)
                case "complete":
                    await self._complete(_id_of(message))
                case "connection_init":
                    raise Closed(4429, "Too many initialisation requests")
                case unknown:
                    raise Closed(4400, f"Invalid message: type {str(unknown)[:40]!r} is not known")

    async def write(self) -> None:
        """Send what waits."""
        await self._outbox.run()

    async def stop(self) -> None:
        """End every operation without a word."""
        await end(*self._operations.values())

    async def end_all(self, reason: RequestRefused) -> None:
        """End every operation with an error, and send it as far as the client still reads."""
        ids = list(self._operations)
        await self.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                for operation_id in ids:
                    await self._websocket.send_text(_message(operation_id, "error", errors_of(reason)))

    async def _subscribe(self, operation_id: str, payload: object, caller: Caller) -> None:
        if operation_id in self._operations:
            raise Closed(4409, f"Subscriber for {operation_id[:60]} already exists")
        if len(self._operations) >= self._bounds.subscriptions:
            error = exceeded("subscriptions", self._bounds.subscriptions, len(self._operations) + 1)
            await self._outbox.put(_message(operation_id, "error", errors_of(RequestRefused([error]))))
            return
        self._operations[operation_id] = asyncio.ensure_future(self._operate(operation_id, payload, caller))

    async def _complete(self, operation_id: str) -> None:
        if (task := self._operations.pop(operation_id, None)) is not None:
            await end(task)

    async def _operate(self, operation_id: str, payload: object, caller: Caller) -> None:
        """Carry one operation to its end."""
        try:
            await self._send_items(operation_id, payload, caller)
            last = f'{{"id":{json.dumps(operation_id)},"type":"complete"}}'
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an id of it and no more
            last = _message(operation_id, "error", errors_of(error))
        await self._outbox.put(last)
        self._operations.pop(operation_id, None)

    async def _send_items(self, operation_id: str, payload: object, caller: Caller) -> None:
        prepared = self._engine.prepare(Parameters.parse(payload))
        start = f'{{"id":{json.dumps(operation_id)},"type":"next","payload":'
        patience = self._bounds.patience_seconds if prepared.kind is OperationType.SUBSCRIPTION else None
        cursor: str | None = None
        async with aclosing(self._engine.items(prepared, caller.actor)) as items:
            async for item in items:
                try:
                    await self._outbox.put(f"{start}{item.text}}}", patience)
                except TimeoutError:
                    raise _slow(cursor) from None
                cursor = item.cursor


async def _receive(websocket: WebSocket, limit: int) -> dict[str, Any]:
    """Answer the next message. Raises Closed for a malformed one, WebSocketDisconnect at the end."""
    received = await websocket.receive()
    if received["type"] == "websocket.disconnect":
        raise WebSocketDisconnect(received["code"])
    text = received.get("text")
    if text is None:
        raise Closed(4400, "Invalid message: text frames only")
    if len(text) > limit:
        raise Closed(1009, f"Limit exceeded: frame: {limit} bytes allowed")
    try:
        message = parse_json(text)
    except RequestRefused:
        raise Closed(4400, "Invalid message: not JSON") from None
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise Closed(4400, "Invalid message: an object with a type is expected")
    return message


def _id_of(message: Mapping[str, Any]) -> str:
    operation_id = message.get("id")
    if not isinstance(operation_id, str) or not operation_id or len(operation_id) > LONGEST_ID:
        raise Closed(4400, f"Invalid message: {message['type']} needs an id of 1 to {LONGEST_ID} characters")
    return operation_id


def _token_in(payload: object) -> str | None:
    """Answer the token of connection_init: {"Authorization": "Bearer …"} or {"token": …}."""
    if not isinstance(payload, dict):
        return None
    given = {str(name).lower(): value for name, value in payload.items() if isinstance(value, str)}
    scheme, _, token = given.get("authorization", "").partition(" ")
    return (token.strip() if scheme.lower() == "bearer" else "") or given.get("token")


def _slow(cursor: str | None) -> RequestRefused:
    message = "This subscriber does not keep up; subscribe again after the cursor in extensions"
    return RequestRefused([GraphQLError(message, extensions={"code": Code.SLOW_SUBSCRIBER.value, "cursor": cursor})])


def _message(operation_id: str, kind: str, payload: object) -> str:
    return json_text({"id": operation_id, "type": kind, "payload": payload})
