"""Every root field asks `authorize` before its resolver runs."""

import ast
from pathlib import Path

import pytest

from api.graphql import schema
from api.graphql.guards import GUARDED

GRAPHQL = Path(schema.__file__).parent


@pytest.mark.parametrize("root", ["Query", "Mutation", "Subscription"])
def test_every_root_field_is_guarded(root: str) -> None:
    definition = schema.build().get_type_by_name(root)
    assert definition is not None
    fields = definition.fields  # type: ignore[union-attr]
    assert len(fields) > 3
    assert [field.python_name for field in fields if field.metadata != GUARDED] == []


def test_resolvers_catch_nothing() -> None:
    files = [path for path in GRAPHQL.rglob("*.py") if path.name not in {"guards.py", "nodes.py", "scalars.py"}]
    catching = [path.name for path in files for node in ast.walk(ast.parse(path.read_text())) if catches(node)]
    assert len(files) > 20
    assert catching == []


def catches(node: ast.AST) -> bool:
    return isinstance(node, ast.Try) and bool(node.handlers)
