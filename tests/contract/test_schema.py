"""The exported schema equals the code and contains the contract of the API, as far as it is due."""

import re
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
MARK = re.compile(r"\([BCDP](?::[^)]*)?\)")
LATER_MEMBERS = re.compile(r"(\| GateClosed \| PlanStale)(?=\s+#.*\(C\))")
LANDED = re.compile(
    r"Mutation\.(rollback|revert|hold|releaseHold)\b|Environment\.holds\b|(Hold|Gate|GateClosed)\b|JobResult\|GateClosed"
    r"|Query\.(promotionPlan|rollbackPlan)\b|(PlanResult|PromotionPlan|PlanItem|PlanStale)\b|JobResult\|PlanStale"
    r"|Query\.compare\b|PointInput\b|Environment\.(at|blame)\b"
    r"|Mutation\.(extendEnvironment|updateProject|setProjectSecret)\b|(SecretResult)\b"
    r"|Mutation\.build\b"
    r"|Subscription\.(serviceLog|resourceTree)\b|(ServiceLogLine|ResourceTreeEvent)\b|Environment\.resourceTree\b"
)
"""What is marked in the contract and there already; whole names, with all that belongs to them."""
Shapes = dict[str, str]


def test_the_exported_schema_is_the_one_that_runs() -> None:
    assert EXPORTED.read_text() == schema.render(), "run `make schema`"


def test_the_exported_schema_contains_the_contract() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract lies beside the repository only where it is developed")
    text = CONTRACT.read_text()
    whole, found = shapes(text), shapes(EXPORTED.read_text())
    landed = {name for name in whole if LANDED.match(name)}
    wanted = {name: shape for name, shape in whole.items() if name in shapes(due(text)).keys() | landed}
    differing = {
        name: f"{shape} but there is {found.get(name)}" for name, shape in wanted.items() if found.get(name) != shape
    }
    assert differing == {}


def test_what_is_marked_is_absent_or_has_landed() -> None:
    if not CONTRACT.exists():
        pytest.skip("the contract lies beside the repository only where it is developed")
    text = CONTRACT.read_text()
    marked = set(shapes(text)) - set(shapes(due(text)))
    early = {name for name in marked & set(shapes(EXPORTED.read_text())) if not LANDED.match(name)}
    assert early == set()


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        ("holds: [Hold!]!   # (C)", False),
        ("serviceLog: Line!   # (B) all pods", False),
        ("type Gate { name: String! }   # (C: holds; P: the rest)", False),
        ("supersededBy: Job   # superseded: builds only (D)", True),
        ("kind: ActorKind!   # a kind", True),
    ],
)
def test_a_mark_at_the_start_of_a_comment_leaves_the_line_out(line: str, kept: bool) -> None:  # noqa: FBT001
    assert is_due(line) is kept


def is_due(line: str) -> bool:
    """Whether a line's comment does not begin with a mark."""
    _, _, comment = line.partition("#")
    return MARK.match(comment.strip()) is None


def due(text: str) -> str:
    """The contract without what is marked: lines, whole definitions, and the section that a mark alone heads."""
    kept: list[str] = []
    leaving: str | None = None
    for line in LATER_MEMBERS.sub("", text).split("\n"):
        ended = {"section": not line.strip(), "definition": line.startswith("}")}
        if leaving is not None:
            leaving = None if ended[leaving] else leaving
        elif not is_due(line):
            opens = "{" in line.partition("#")[0] and "}" not in line
            leaving = "section" if line.startswith("#") and not is_prose(line) else "definition" if opens else None
        else:
            kept.append(line)
    return re.sub(r"\w+ \w+ \{\s*\}", "", "\n".join(kept))


def is_prose(line: str) -> bool:
    """Whether a line that is all comment says more than a mark."""
    return MARK.fullmatch(line.strip("# ")) is None


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
