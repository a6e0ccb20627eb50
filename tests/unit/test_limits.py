"""What one operation may ask for is measured in linear time and told in words."""

from typing import Any

import pytest
from graphql import GraphQLError, OperationDefinitionNode, build_schema, get_introspection_query, parse

from api.transport.documents import Documents, Parameters
from api.transport.errors import RequestRefused
from api.transport.limits import Figures, Limits, measure

SCHEMA = build_schema("""
  type Query { node: Node many(first: Int = 20, after: String): Nodes hello(name: String): String }
  type Node { name: String again: Node children(first: Int): Nodes }
  type Nodes { nodes: [Node] }
  directive @twice repeatable on FIELD
""")


def figures(text: str, variables: dict[str, Any] | None = None) -> Figures:
    document = parse(text)
    operation = document.definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    return measure(SCHEMA, document, operation, variables or {})


def refused(text: str, variables: dict[str, Any] | None = None, limits: Limits | None = None) -> dict[str, Any]:
    with pytest.raises(RequestRefused) as refusal:
        Documents(SCHEMA, limits or Limits()).prepare(Parameters(text, None, variables or {}))
    return dict(refusal.value.errors[0].extensions or {})


def bomb(levels: int) -> str:
    """Fragments that each spread the next one twice: 2^levels fields for whoever follows them all."""
    nested = [
        f"fragment F{level} on Node {{ again {{ ...F{level + 1} }} b: again {{ ...F{level + 1} }} }}"
        for level in range(levels)
    ]
    return "\n".join(["{ node { ...F0 } }", *nested, f"fragment F{levels} on Node {{ name }}"])


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ hello }", 1),
        ("{ node { name } }", 2),
        ("{ many { nodes { name } } }", 1 + 20 * 2),
        ("{ many(first: 3) { nodes { name } } }", 1 + 3 * 2),
        ("{ many(first: 3) { nodes { children(first: 4) { nodes { name } } } } }", 1 + 3 * (1 + 1 + 4 * 2)),
        ("{ many(first: 3) { nodes { children { nodes { name } } } } }", 1 + 3 * (1 + 1 + 20 * 2)),
        ("{ many(first: 5) { ...F } } fragment F on Nodes { nodes { name } }", 1 + 5 * 2),
        ("{ many(first: 1000000) { nodes { name } } }", 1 + 100 * 2),
        ("{ many(first: 0) { nodes { name } } }", 1),
    ],
)
def test_a_field_costs_one_times_the_pages_above_it(text: str, cost: int) -> None:
    assert figures(text).cost == cost


def test_variables_and_their_defaults_feed_the_cost() -> None:
    text = "query ($n: Int = 7) { many(first: $n) { nodes { name } } }"
    assert figures(text).cost == 1 + 7 * 2
    assert figures(text, {"n": 50}).cost == 1 + 50 * 2


def test_aliases_depth_and_directives_count_through_fragments() -> None:
    text = "{ a: node { ...F ...F } } fragment F on Node { b: name @skip(if: false) again { c: name } }"
    assert figures(text) == Figures(aliases=5, depth=3, cost=7, directives=2)


def test_a_fragment_bomb_is_measured_at_once_and_refused() -> None:
    extensions = refused(bomb(60))
    assert extensions["code"] == "LIMIT_EXCEEDED"
    assert extensions["limit"] == "aliases"
    assert figures(bomb(60)).aliases == 2**60 - 1


def test_fragments_in_a_circle_end_and_are_refused_by_validation() -> None:
    extensions = refused("{ node { ...A } } fragment A on Node { ...B } fragment B on Node { ...A }")
    assert extensions.get("code") != "LIMIT_EXCEEDED"


@pytest.mark.parametrize(
    ("text", "limit", "allowed"),
    [
        ("{ " + "hello " * 2100 + "}", "tokens", 2000),
        ("{ " + " ".join(f"a{number}: hello" for number in range(51)) + " }", "aliases", 50),
        ("{ node " + "{ again " * 15 + "{ name }" + " }" * 16, "depth", 15),
        ("{ many(first: 100) { nodes { children(first: 100) { nodes { name } } } } }", "cost", 20_000),
        ("{ hello " + "@twice " * 51 + "}", "directives", 50),
    ],
)
def test_each_refusal_names_limit_allowed_and_actual(text: str, limit: str, allowed: int) -> None:
    extensions = refused(text)
    assert (extensions["code"], extensions["limit"], extensions["allowed"]) == ("LIMIT_EXCEEDED", limit, allowed)
    assert extensions["actual"] > allowed


def test_fragments_nested_beyond_the_interpreters_stack_are_refused() -> None:
    chain = [f"fragment F{level} on Node {{ again {{ ...F{level + 1} }} }}" for level in range(900)]
    text = "\n".join(["{ node { ...F0 } }", *chain, "fragment F900 on Node { name }"])
    assert refused(text, limits=Limits(tokens=100_000))["limit"] == "depth"


def test_graphiqls_introspection_passes_and_a_deeper_one_does_not() -> None:
    introspection = get_introspection_query(input_value_deprecation=True, specified_by_url=True)
    Documents(SCHEMA, Limits()).prepare(Parameters(introspection))
    deep = "{ __schema { types " + "{ ofType " * 20 + "{ name }" + " }" * 22
    assert refused(deep)["limit"] == "introspection_depth"


def test_a_document_is_read_once_and_its_cost_is_asked_every_time() -> None:
    documents = Documents(SCHEMA, Limits(cost=100))
    text = "query ($n: Int) { many(first: $n) { nodes { name } } }"
    first = documents.prepare(Parameters(text, None, {"n": 1}))
    assert documents.prepare(Parameters(text, None, {"n": 2})).document is first.document
    with pytest.raises(RequestRefused):
        documents.prepare(Parameters(text, None, {"n": 100}))


def test_a_limit_that_holds_exactly_passes() -> None:
    Limits(depth=3).check(Figures(depth=3))
    with pytest.raises(GraphQLError):
        Limits(depth=3).check(Figures(depth=4))
