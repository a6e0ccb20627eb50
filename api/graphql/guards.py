"""The way in for every root field: `query`, `mutation` and `stream` authorise before a resolver runs and mark the field
as guarded; mutations answer what stops them as members of their union. A test finds root fields made otherwise.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from functools import wraps
from typing import Any, TypeVar, cast

import strawberry

from adapters.ports import Unreachable
from api.graphql.context import Info
from api.graphql.given import or_none
from gitops.access import authorize
from gitops.problems import Problem, Refused, Unavailable
from jobs.admission import derived_id

GUARDED = {"guarded": True}
EVERYTHING = ""
T = TypeVar("T")


def query(
    description: str, *, verb: str = "read", scope: str | None = None, told: bool = False
) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """A root query; `scope` names the argument that holds the project (None: all of the server). `told`: what
    stops it is a member of its union, as with mutations.
    """

    def decorate(resolver: Callable[..., Awaitable[Any]]) -> Any:
        @wraps(resolver)
        async def guarded(self: object, info: Info, **arguments: Any) -> Any:
            authorize(info.context.actor, verb, _scope(scope, arguments))
            return await resolver(self, info, **arguments)

        way_in = _telling(guarded) if told else guarded
        return strawberry.field(way_in, description=description, metadata=GUARDED)

    return decorate


def mutation(
    description: str, *, verb: str = "change", scope: str | None = "project"
) -> Callable[[Callable[..., Awaitable[Any]]], Any]:
    """A mutation; `scope` names the field of its input that holds the project."""

    def decorate(resolver: Callable[..., Awaitable[Any]]) -> Any:
        @wraps(resolver)
        async def guarded(self: object, info: Info, **arguments: Any) -> Any:
            authorize(info.context.actor, verb, _scope(scope, arguments))
            return await resolver(self, info, **arguments)

        return strawberry.mutation(_telling(guarded), description=description, metadata=GUARDED)

    return decorate


def stream(description: str, *, scope: str | None = None) -> Callable[[Callable[..., AsyncIterator[Any]]], Any]:
    """A subscription; `scope` as in `query`."""

    def decorate(resolver: Callable[..., AsyncIterator[Any]]) -> Any:
        @wraps(resolver)
        async def guarded(self: object, info: Info, **arguments: Any) -> AsyncIterator[Any]:
            authorize(info.context.actor, "read", _scope(scope, arguments))
            # Closed with its reader, not whenever the collector finds it: it may hold connections.
            async with aclosing(cast("AsyncGenerator[Any, None]", resolver(self, info, **arguments))) as items:
                async for item in items:
                    yield item

        return strawberry.subscription(guarded, description=description, metadata=GUARDED)

    return decorate


def _telling(resolver: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The resolver, with what stops it as a member of its union."""

    @wraps(resolver)
    async def telling(self: object, info: Info, **arguments: Any) -> Any:
        try:
            return await resolver(self, info, **arguments)
        except Refused as refusal:
            return _answer(refusal.problem)
        except Unreachable as error:
            return _answer(_unavailable(info, error, arguments))

    return telling


def _scope(scope: str | None, arguments: Mapping[str, Any]) -> str:
    if scope is None:
        return EVERYTHING
    return str(arguments[scope] if scope in arguments else getattr(arguments["input"], scope))


def _answer(problem: Problem) -> object:
    from api.graphql import problems  # noqa: PLC0415 - problems know jobs, whose root fields are made here

    return problems.of(problem)


def _unavailable(info: Info, error: Unreachable, arguments: Mapping[str, Any]) -> Unavailable:
    """With an idempotency key the change may have been accepted, and its id is known all the same."""
    key = or_none(getattr(arguments.get("input"), "idempotency_key", None))
    job_id = derived_id(info.context.actor, key) if key is not None else None
    again = "ask again with the same idempotency key" if key is not None else "try again"
    return Unavailable(f"{error}: {again}.", error.component, job_id)
