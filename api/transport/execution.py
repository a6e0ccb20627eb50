"""Executes prepared operations; subscribers who ask the same of one event share one execution and one text."""

import asyncio
import json
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, cast

from graphql import ASTValidationRule, ExecutionResult, FieldNode, GraphQLError, GraphQLSchema, OperationType
from graphql.execution import Executor, create_source_event_stream
from graphql.execution.incremental import IncrementalExecutor

from api.transport.documents import Documents, Parameters, Prepared
from api.transport.errors import DocumentRefused, formatted
from api.transport.limits import Limits
from gitops.changes import Actor

SHARED = 512
"""Results of events kept for subscribers that come to them a little later."""


@dataclass(frozen=True)
class Item:
    """One result of a subscription as JSON text; `cursor` is the one that its payload carried."""

    text: str
    cursor: str | None


class Engine:
    """A schema that can be asked. `context` makes a fresh context for each execution on behalf of an actor."""

    def __init__(
        self,
        schema: GraphQLSchema,
        context: Callable[[Actor], object],
        limits: Limits,
        rules: Collection[type[ASTValidationRule]] = (),
        executor: type[Executor[Any]] = IncrementalExecutor,
    ) -> None:
        self._schema = schema
        self._context = context
        self._documents = Documents(schema, limits, rules)
        self._executor = executor
        self._shared: OrderedDict[object, asyncio.Future[str]] = OrderedDict()

    def prepare(self, parameters: Parameters) -> Prepared:
        """Parse, measure and validate. Raises DocumentRefused."""
        return self._documents.prepare(parameters)

    async def execute(self, prepared: Prepared, actor: Actor) -> str:
        """Answer a query or mutation as JSON text. Raises DocumentRefused when execution cannot begin."""
        return text_of(await _run(self._build(prepared, actor)))

    async def items(self, prepared: Prepared, actor: Actor) -> AsyncGenerator[Item, None]:
        """Answer any operation as a stream; queries and mutations have one item. Raises as they do."""
        if prepared.kind is not OperationType.SUBSCRIPTION:
            yield Item(await self.execute(prepared, actor), None)
            return
        async with aclosing(self.stream(prepared, actor)) as items:
            async for item in items:
                yield item

    async def stream(self, prepared: Prepared, actor: Actor) -> AsyncGenerator[Item, None]:
        """Answer a subscription, item by item, until its source ends.

        Raises DocumentRefused when it cannot begin, or when its source fails: then the errors say why.
        """
        executor = self._build(prepared, actor)
        source = create_source_event_stream(executor)
        if executor.is_awaitable(source):
            source = await source
        if isinstance(source, ExecutionResult):
            raise DocumentRefused(source.errors or [])
        async with aclosing(cast("AsyncGenerator[object, None]", source)) as payloads:
            same = _sameness(prepared, actor)
            async for payload in _located(payloads, prepared):
                text = await self._event(executor, same, actor, payload)
                yield Item(text, getattr(payload, "cursor", None))

    def _build(self, prepared: Prepared, actor: Actor) -> Executor[Any]:
        """Build an executor: this coerces the variables. Raises DocumentRefused."""
        executor = self._executor.build(
            self._schema,
            prepared.document,
            context_value=self._context(actor),
            raw_variable_values=dict(prepared.parameters.variables),
            operation_name=prepared.parameters.operation_name or None,
        )
        if isinstance(executor, list):
            raise DocumentRefused(executor)
        return executor

    async def _event(self, executor: Executor[Any], same: object, actor: Actor, payload: object) -> str:
        """Execute one event, once for all who ask the same of it."""
        identity = getattr(payload, "identity", None)
        if identity is None:
            return await self._text(executor, actor, payload)
        key = (same, identity)
        future = self._shared.get(key)
        if future is None:
            future = self._shared[key] = asyncio.ensure_future(self._text(executor, actor, payload))
            if len(self._shared) > SHARED:
                self._shared.popitem(last=False)
        return future.result() if future.done() else await asyncio.shield(future)

    async def _text(self, executor: Executor[Any], actor: Actor, payload: object) -> str:
        event = executor.build_per_event_executor(payload)
        event.context_value = self._context(actor)
        return text_of(await _run(event))


def text_of(result: ExecutionResult) -> str:
    """Serialise a result with its errors masked."""
    answer: dict[str, Any] = {"data": result.data}
    if result.errors:
        answer = {"errors": [formatted(error) for error in result.errors], **answer}
    return json_text(answer)


def json_text(answer: object) -> str:
    """Serialise for the wire; what Git holds may not be Unicode, what is sent must be."""
    text = json.dumps(answer, ensure_ascii=False, separators=(",", ":"))
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


async def _run(executor: Executor[Any]) -> ExecutionResult:
    result = executor.execute_operation()
    return cast("ExecutionResult", await result if executor.is_awaitable(result) else result)


def _sameness(prepared: Prepared, actor: Actor) -> tuple[object, ...]:
    """Answer what two subscriptions have in common that get the same results."""
    parameters = prepared.parameters
    variables = json.dumps(parameters.variables, sort_keys=True, separators=(",", ":"))
    return (prepared.digest, parameters.operation_name, variables, actor.id)


async def _located(payloads: AsyncIterable[object], prepared: Prepared) -> AsyncGenerator[object, None]:
    """Turn what the source raises into a refusal, as an error of the subscribed field."""
    try:
        async for payload in payloads:
            yield payload
    except GraphQLError as error:
        raise DocumentRefused([error]) from error
    except Exception as error:
        raise DocumentRefused([_failure(error, prepared)]) from error


def _failure(error: Exception, prepared: Prepared) -> GraphQLError:
    """Make the error of a subscribed field."""
    node = prepared.operation.selection_set.selections[0]
    name = (node.alias or node.name).value if isinstance(node, FieldNode) else prepared.kind.value
    return GraphQLError(str(error), node, path=[name], original_error=error)
