"""The schema over a lab's ports, asked as the transport asks it, so that errors read as clients read them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from adapters.event_tail import EventTail
from api.events import Hub
from api.graphql.context import Contexts
from api.graphql.schema import executable
from api.health import checks_by
from api.transport.documents import Parameters
from api.transport.errors import DocumentRefused, formatted
from api.transport.execution import Engine
from api.transport.limits import Limits
from gitops.changes import Actor
from tests.support.lab import ANN, Lab

LIMITS = Limits(tokens=4000, aliases=100, depth=20, cost=1_000_000)
DEADLINE_SECONDS = 30
T = TypeVar("T")


@dataclass
class Api:
    """A client of the API."""

    lab: Lab
    engine: Engine
    hub: Hub

    async def ask(self, document: str, actor: Actor = ANN, **variables: object) -> dict[str, Any]:
        """The whole answer, errors included."""
        try:
            prepared = self.engine.prepare(Parameters(document, variables=variables))
            answer: dict[str, Any] = json.loads(await self.engine.execute(prepared, actor))
        except DocumentRefused as refused:
            return {"errors": [formatted(error) for error in refused.errors]}
        return answer

    async def data(self, document: str, actor: Actor = ANN, **variables: object) -> dict[str, Any]:
        """The data of an answer without errors."""
        answer = await self.ask(document, actor, **variables)
        assert "errors" not in answer, answer
        data: dict[str, Any] = answer["data"]
        return data

    async def code(self, document: str, actor: Actor = ANN, **variables: object) -> str:
        """extensions.code of the one error of an answer."""
        answer = await self.ask(document, actor, **variables)
        (error,) = answer["errors"]
        return str(error["extensions"]["code"])

    async def change(self, document: str, actor: Actor = ANN, **given: object) -> dict[str, Any]:
        """What a mutation without input variables answers: `{ field(input: …) { … } }` by its only field."""
        (answer,) = (await self.data(document, actor, **given)).values()
        found: dict[str, Any] = answer
        return found

    @asynccontextmanager
    async def stream(self, document: str, actor: Actor = ANN, **variables: object) -> AsyncIterator["Stream"]:
        """A subscription while the block runs."""
        prepared = self.engine.prepare(Parameters(document, variables=variables))
        async with aclosing(self.engine.stream(prepared, actor)) as items:
            yield Stream(items)


@dataclass
class Stream:
    """What a subscriber sees."""

    items: AsyncIterator[Any]

    async def next(self) -> dict[str, Any]:
        """The next payload of the only field, without errors."""
        item = json.loads((await asyncio.wait_for(anext(self.items), DEADLINE_SECONDS)).text)
        assert "errors" not in item, item
        (payload,) = item["data"].values()
        found: dict[str, Any] = payload
        return found

    async def rest(self) -> list[dict[str, Any]]:
        """All payloads until the stream completes."""
        found = []
        while True:
            try:
                found.append(await self.next())
            except StopAsyncIteration:
                return found

    async def failure(self) -> str:
        """extensions.code of the error that ends the stream, whatever comes before."""
        try:
            await self.rest()
        except DocumentRefused as refused:
            return str(formatted(refused.errors[0])["extensions"]["code"])
        raise AssertionError("the stream completed without an error")


def with_api(lab: Lab, story: Callable[[Api], Awaitable[T]]) -> T:
    """Tell a story with a running API."""

    async def run() -> T:
        settings = lab.ports.settings
        hub = Hub(EventTail(settings.redis, settings), lab.ports.events)
        contexts = Contexts(lab.ports, hub, checks_by({}))
        engine = Engine(executable(), contexts.fresh, LIMITS, (), StrawberryGraphQLCoreExecutionContext)
        following = asyncio.ensure_future(hub.run())
        try:
            return await asyncio.wait_for(story(Api(lab, engine, hub)), DEADLINE_SECONDS * 2)
        finally:
            while not following.done():  # redis-py loses a cancellation now and then
                following.cancel()
                await asyncio.wait([following], timeout=1)

    return asyncio.run(run())
