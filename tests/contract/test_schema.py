"""The exported schema equals the code and contains the contract of the API."""

from pathlib import Path

import pytest
from graphql import (
    EnumTypeDefinitionNode,
    FieldDefinitionNode,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    ObjectTypeDefinitionNode,
    ScalarTypeDefinitionNode,
    UnionTypeDefinitionNode,
    parse,
    print_ast,
)

from api.graphql import schema

ROOT = Path(__file__).parents[2]
EXPORTED = ROOT / "schema.graphql"
CONTRACT = ROOT / ".." / "shared" / "design" / "api.graphql"
Shapes = dict[str, str]


def test_the_exported_schema_is_the_one_that_runs() -> None:
    assert EXPORTED.read_text() == schema.render(), "run `make schema`"


def test_the_exported_schema_contains_the_contract() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract lies beside the repository only where it is developed")
    found = shapes(EXPORTED.read_text())
    differing = {
        name: f"{shape} but there is {found.get(name)}"
        for name, shape in shapes(CONTRACT.read_text()).items()
        if found.get(name) != shape
    }
    assert differing == {}


def shapes(text: str) -> Shapes:
    """Every name in a schema with its type, as Type, Type.field, Type.field(argument), Union|Member."""
    found: Shapes = {}
    for node in parse(text, no_location=True).definitions:
        match node:
            case ObjectTypeDefinitionNode() | InterfaceTypeDefinitionNode():
                found[node.name.value] = node.kind
                found |= {f"{node.name.value}:{one.name.value}": "implemented" for one in node.interfaces or ()}
                for field in node.fields or ():
                    found |= field_shapes(node.name.value, field)
            case InputObjectTypeDefinitionNode():
                found[node.name.value] = node.kind
                found |= {f"{node.name.value}.{one.name.value}": value_shape(one) for one in node.fields or ()}
            case EnumTypeDefinitionNode():
                found |= {f"{node.name.value}={one.name.value}": "value" for one in node.values or ()}
            case UnionTypeDefinitionNode():
                found |= {f"{node.name.value}|{one.name.value}": "member" for one in node.types or ()}
            case ScalarTypeDefinitionNode():
                found[node.name.value] = node.kind
    return found


def field_shapes(owner: str, field: FieldDefinitionNode) -> Shapes:
    """A field and its arguments."""
    name = f"{owner}.{field.name.value}"
    arguments = {f"{name}({one.name.value})": value_shape(one) for one in field.arguments or ()}
    return {name: print_ast(field.type), **arguments}


def value_shape(node: InputValueDefinitionNode) -> str:
    """Type and default of an argument or input field."""
    default = f" = {print_ast(node.default_value)}" if node.default_value else ""
    return print_ast(node.type) + default
