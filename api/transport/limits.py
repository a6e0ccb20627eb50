"""How much one GraphQL operation may ask for, measured over the parsed document before it is validated.

Fragments are measured once each, so that the time is linear in the document, whatever they spread.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    InlineFragmentNode,
    IntValueNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    VariableNode,
    get_named_type,
)

from api.transport.errors import exceeded

PAGE = 20
"""What a connection costs where its field has no default for `first`."""
LONGEST_PAGE = 100
"""No connection answers more; more is refused by its field."""
INTROSPECTION = frozenset({"__schema", "__type"})


@dataclass(frozen=True)
class Figures:
    """What a selection comes to; everything adds up along fields, depth is the deepest."""

    aliases: int = 0
    depth: int = 0
    introspection_depth: int = 0
    cost: int = 0
    directives: int = 0

    def beside(self, other: "Figures") -> "Figures":
        """Add a neighbour."""
        return Figures(
            self.aliases + other.aliases,
            max(self.depth, other.depth),
            max(self.introspection_depth, other.introspection_depth),
            self.cost + other.cost,
            self.directives + other.directives,
        )


@dataclass(frozen=True)
class Limits:
    """The most that an operation may come to. Introspection has a depth of its own: GraphiQL asks 15 levels deep."""

    tokens: int = 2000
    aliases: int = 50
    depth: int = 15
    introspection_depth: int = 20
    cost: int = 20_000
    directives: int = 50

    def check(self, figures: Figures) -> None:
        """Raise GraphQLError LIMIT_EXCEEDED for the first limit that does not hold."""
        for figure in fields(figures):
            allowed, actual = getattr(self, figure.name), getattr(figures, figure.name)
            if actual > allowed:
                raise exceeded(figure.name, allowed, actual)


def measure(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode, variables: Mapping[str, Any]
) -> Figures:
    """Measure one operation of the document. Raises GraphQLError LIMIT_EXCEEDED for one nested out of all bounds."""
    try:
        return _Measure(schema, document, operation, variables).figures()
    except RecursionError:
        raise exceeded("depth", Limits().depth, len(document.definitions)) from None


class _Measure:
    def __init__(
        self,
        schema: GraphQLSchema,
        document: DocumentNode,
        operation: OperationDefinitionNode,
        variables: Mapping[str, Any],
    ) -> None:
        self._schema = schema
        self._operation = operation
        self._variables = {**dict(_defaults(operation)), **variables}
        self._fragments = {
            node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)
        }
        self._known: dict[str, Figures] = {}

    def figures(self) -> Figures:
        root = self._schema.get_root_type(self._operation.operation)
        own = Figures(directives=len(self._operation.directives or ()))
        return own.beside(self._selections(self._operation.selection_set, root))

    def _selections(self, selections: SelectionSetNode | None, parent: GraphQLNamedType | None) -> Figures:
        total = Figures()
        for node in selections.selections if selections else ():
            total = total.beside(Figures(directives=len(node.directives or ())))
            if isinstance(node, FieldNode):
                total = total.beside(self._field(node, parent))
            elif isinstance(node, InlineFragmentNode):
                inner = self._schema.get_type(node.type_condition.name.value) if node.type_condition else parent
                total = total.beside(self._selections(node.selection_set, inner))
            elif isinstance(node, FragmentSpreadNode):
                total = total.beside(self._fragment(node.name.value))
        return total

    def _fragment(self, name: str) -> Figures:
        """Answer a fragment's figures; one that is not there, or contains itself, is refused by validation later."""
        if name not in self._known and (node := self._fragments.get(name)) is not None:
            self._known[name] = Figures()
            parent = self._schema.get_type(node.type_condition.name.value)
            own = Figures(directives=len(node.directives or ()))
            self._known[name] = own.beside(self._selections(node.selection_set, parent))
        return self._known.get(name, Figures())

    def _field(self, node: FieldNode, parent: GraphQLNamedType | None) -> Figures:
        field = _definition(parent, node.name.value)
        below = self._selections(node.selection_set, get_named_type(field.type) if field else None)
        depth, introspection = 1 + below.depth, below.introspection_depth
        if node.name.value in INTROSPECTION:
            depth, introspection = 1, depth
        cost = 1 + self._times(node, field) * below.cost
        return Figures(below.aliases + (node.alias is not None), depth, introspection, cost, below.directives)

    def _times(self, node: FieldNode, field: GraphQLField | None) -> int:
        """How often the selection below a field is answered, as far as the request tells."""
        if field is None or "first" not in field.args:
            return 1
        asked: object = field.args["first"].default_value
        for argument in node.arguments or ():
            if argument.name.value == "first":
                asked = _number(argument.value, self._variables)
        return min(asked, LONGEST_PAGE) if isinstance(asked, int) and asked >= 0 else PAGE


def _definition(parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
    return parent.fields.get(name) if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType) else None


def _number(value: Node, variables: Mapping[str, Any]) -> object:
    if isinstance(value, VariableNode):
        return variables.get(value.name.value)
    return int(value.value) if isinstance(value, IntValueNode) and len(value.value) < 12 else LONGEST_PAGE  # noqa: PLR2004


def _defaults(operation: OperationDefinitionNode) -> Iterator[tuple[str, Any]]:
    for definition in operation.variable_definitions or ():
        if definition.default_value is not None:
            yield definition.variable.name.value, _number(definition.default_value, {})
