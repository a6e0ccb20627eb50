"""GraphQL over HTTP, and over server-sent events in distinct connections mode.

Specifications: https://graphql.github.io/graphql-over-http/draft and
https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import anyio
from graphql import OperationType
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.authentication import Authenticator, Caller, token_of
from api.background import end
from api.transport.bodies import parse_json, query_parameters, read_body, require_json
from api.transport.documents import Parameters, Prepared
from api.transport.errors import Code, DocumentRefused, RequestRefused, errors_of, refusal, unauthenticated
from api.transport.execution import Engine, Item, json_text
from api.transport.media import EVENTS, JSON, Accepted, negotiate, status_of

KEEP_ALIVE_SECONDS = 12.0
_NEXT = "event: next\ndata: "
_COMPLETE = "event: complete\ndata:\n\n"


class HttpEndpoint:
    """POST and GET on /graphql."""

    def __init__(self, engine: Engine, authenticator: Authenticator, body_bytes: int) -> None:
        self._engine = engine
        self._authenticator = authenticator
        self._body_bytes = body_bytes

    async def answer(self, request: Request) -> Response:
        """Answer one request; nothing it raises leaves here."""
        accepted = Accepted(JSON, events=False)
        try:
            accepted = negotiate(request.headers.get("accept", ""))
            caller = await self._authenticator.caller(token_of(request))
            return await self._answer(request, accepted, caller)
        except RequestRefused as refused:
            return _refused(refused, accepted)
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an id of it and no more
            return _response({"errors": errors_of(error)}, accepted.answer, 500)

    async def _answer(self, request: Request, accepted: Accepted, caller: Caller) -> Response:
        prepared = self._engine.prepare(Parameters.parse(await self._content(request)))
        if request.method != "POST" and prepared.kind is OperationType.MUTATION:
            raise refusal(Code.BAD_USER_INPUT, "Mutations are sent by POST", 405, Allow="POST")
        if prepared.kind is OperationType.SUBSCRIPTION and not accepted.events:
            message = f"Subscriptions need a WebSocket (graphql-transport-ws), or Accept: {EVENTS}"
            raise DocumentRefused(refusal(Code.BAD_USER_INPUT, message).errors)
        if prepared.kind is OperationType.SUBSCRIPTION or accepted.answer is None:
            return _stream(self._events(prepared, caller))
        return _response(await self._engine.execute(prepared, caller.actor), accepted.answer)

    async def _content(self, request: Request) -> object:
        if request.method != "POST":
            return query_parameters(request.query_params)
        require_json(request)
        return parse_json(await read_body(request, self._body_bytes))

    async def _events(self, prepared: Prepared, caller: Caller) -> AsyncGenerator[str, None]:
        """Answer the lines of a stream; it ends with its source, with the token, and with its reader."""
        ended = asyncio.Event()
        ending = asyncio.ensure_future(ended.wait())
        items = self._engine.items(prepared, caller.actor)
        coming: asyncio.Future[Item] | None = None
        try:
            with self._authenticator.watched(caller, ended.set):
                while not ended.is_set():
                    coming = coming or asyncio.ensure_future(anext(items))
                    waiting: set[asyncio.Future[Any]] = {coming, ending}
                    await asyncio.wait(waiting, timeout=KEEP_ALIVE_SECONDS, return_when="FIRST_COMPLETED")
                    if coming.done():
                        item, coming = coming.result(), None
                        yield f"{_NEXT}{item.text}\n\n"
                    else:
                        yield ":\n\n"
            yield _event_of(unauthenticated("The token of this stream has ended"))
        except StopAsyncIteration:
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, the client gets an id of it and no more
            yield _event_of(error)
        finally:
            # Shielded: the reader's going cancels this task again at every step, and all must be closed.
            with anyio.CancelScope(shield=True):
                ending.cancel()
                if coming is not None:
                    await end(coming)
                await items.aclose()
        yield _COMPLETE


def _event_of(error: Exception) -> str:
    return f"{_NEXT}{json_text({'errors': errors_of(error)})}\n\n"


def _stream(lines: AsyncGenerator[str, None]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(lines, media_type=EVENTS, headers=headers)


def _refused(refused: RequestRefused, accepted: Accepted) -> Response:
    if accepted.answer is None and isinstance(refused, DocumentRefused):
        return _stream(_only(refused))
    body = {"errors": errors_of(refused)}
    return _response(body, accepted.answer, status_of(refused, accepted.answer), refused.headers)


async def _only(refused: RequestRefused) -> AsyncGenerator[str, None]:
    yield _event_of(refused)
    yield _COMPLETE


def _response(body: object, media: str | None, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    text = body if isinstance(body, str) else json_text(body)
    kind = f"{media or JSON}; charset=utf-8"
    return Response(text, status, headers={"Cache-Control": "no-store", **(headers or {})}, media_type=kind)
