"""Documents, parsed, measured and validated once and kept; and the parameters of a request."""

import hashlib
from collections import OrderedDict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    parse,
    validate,
)
from graphql.validation import specified_rules

from api.transport.errors import Code, DocumentRefused, exceeded, refusal
from api.transport.limits import Limits, measure

KEPT = 200
KEPT_LENGTH = 20_000
"""A longer document is not kept: nobody repeats it, and it would take memory."""


@dataclass(frozen=True)
class Parameters:
    """What a client sends, of the right shapes: GraphQL over HTTP, section 5.1."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def parse(cls, content: object) -> "Parameters":
        """Raise RequestRefused when it is no request; null is the same as absent."""
        if isinstance(content, list):
            raise refusal(Code.BAD_USER_INPUT, "Batches are not supported: send one request at a time")
        if not isinstance(content, dict):
            raise refusal(Code.BAD_USER_INPUT, "A request is a JSON object with `query`")
        for name, kind in (("query", str), ("operationName", str), ("variables", dict), ("extensions", dict)):
            if content.get(name) is not None and not isinstance(content[name], kind):
                raise refusal(Code.BAD_USER_INPUT, f"`{name}` must be {'a string' if kind is str else 'an object'}")
        if content.get("query") is None:
            raise refusal(Code.BAD_USER_INPUT, "`query` is missing")
        return cls(content["query"], content.get("operationName"), content.get("variables") or {})


@dataclass(frozen=True)
class Prepared:
    """An operation that may be executed. `digest` is that of the document's text."""

    document: DocumentNode
    digest: bytes
    operation: OperationDefinitionNode
    parameters: Parameters

    @property
    def kind(self) -> OperationType:
        """Query, mutation or subscription."""
        return self.operation.operation


class Documents:
    """Reads documents against one schema within limits."""

    def __init__(self, schema: GraphQLSchema, limits: Limits, rules: Collection[type[ASTValidationRule]] = ()) -> None:
        self._schema = schema
        self._limits = limits
        self._rules = [*specified_rules, *rules]
        self._kept: OrderedDict[bytes, DocumentNode] = OrderedDict()

    def prepare(self, parameters: Parameters) -> Prepared:
        """Answer the operation asked for. Raises DocumentRefused with every error there is."""
        digest = hashlib.sha256(parameters.query.encode(errors="surrogatepass")).digest()
        document = self._kept.get(digest)
        if document is None:
            document = self._parse(parameters.query)
        operation = _operation(document, parameters.operation_name)
        try:
            self._limits.check(measure(self._schema, document, operation, parameters.variables))
        except GraphQLError as error:
            raise DocumentRefused([error]) from error
        if digest not in self._kept:
            self._validate(document)
        self._keep(digest, document, len(parameters.query))
        return Prepared(document, digest, operation, parameters)

    def _parse(self, text: str) -> DocumentNode:
        allowed = self._limits.tokens
        try:
            return parse(text, max_lexical_tokens=allowed, max_comments=allowed)
        except GraphQLError as error:
            if error.message.endswith("Parsing aborted."):
                raise DocumentRefused([exceeded("tokens", allowed, allowed + 1)]) from error
            raise DocumentRefused([error]) from error

    def _validate(self, document: DocumentNode) -> None:
        errors = validate(self._schema, document, self._rules, max_errors=20)
        if errors:
            raise DocumentRefused(errors)

    def _keep(self, digest: bytes, document: DocumentNode, length: int) -> None:
        if length <= KEPT_LENGTH:
            self._kept[digest] = document
            self._kept.move_to_end(digest)
            if len(self._kept) > KEPT:
                self._kept.popitem(last=False)


def _operation(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """Answer the operation of this name, or the only one."""
    operations = [node for node in document.definitions if isinstance(node, OperationDefinitionNode)]
    if not operations:
        raise DocumentRefused([GraphQLError("Must provide an operation.")])
    if not name:
        if len(operations) > 1:
            message = "Must provide operation name if query contains multiple operations."
            raise DocumentRefused([GraphQLError(message)])
        return operations[0]
    for operation in operations:
        if operation.name is not None and operation.name.value == name:
            return operation
    raise DocumentRefused([GraphQLError(f"Unknown operation named '{name}'.")])
