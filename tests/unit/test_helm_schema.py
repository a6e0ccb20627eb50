"""When a render may spare itself the schema: nothing that the schema could judge differently is taken as given."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.charts import carried_charts
from adapters.helm_schema import Accepted, has_our_chart_only, has_our_schema_only, shape_of
from gitops.names import Digest, Tag
from gitops.tree import Files
from gitops.yamltext import parse
from tests.support.rendering import DIGEST, TINY, repository

SCHEMAS = [json.loads(chart["values.schema.json"]) for chart in carried_charts().values()]
OURS = "base/charts/lucity-app/values.schema.json"
TEMPLATE = "base/charts/lucity-app/templates/services.yaml"
KNOWN = repository({}, {})
COMPARING = {"if", "not", "const", "allOf", "anyOf", "oneOf", "contains", "uniqueItems", "dependencies"}
"""Words by which a schema could judge a tag by more than its own rule."""


def shape(image: str, rest: str = "") -> str:
    return shape_of(parse(f"lucity-app:\n  services:\n    api:\n      image: {image}\n{rest}".encode(), "values.yaml"))


def keywords(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        for key, inner in schema.items():
            yield key
            yield from keywords(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from keywords(inner)


def image_rules(schema: Any) -> dict[str, dict[str, Any]]:
    rules: dict[str, dict[str, Any]] = schema["definitions"]["service"]["properties"]["image"]["properties"]
    return rules


@pytest.mark.parametrize("schema", SCHEMAS)
def test_the_schema_judges_a_tag_and_a_digest_each_by_its_text_alone(schema: object) -> None:
    for name in ("tag", "digest"):
        assert image_rules(schema)[name].keys() <= {"type", "pattern", "maxLength"}
    assert not COMPARING & set(keywords(schema))


@pytest.mark.parametrize("schema", SCHEMAS)
@given(tag=st.from_regex(Tag.PATTERN, fullmatch=True), digest=st.from_regex(Digest.PATTERN, fullmatch=True))
def test_the_schema_accepts_every_tag_and_digest_that_we_do(schema: object, tag: str, digest: str) -> None:
    for name, text in (("tag", tag), ("digest", digest)):
        rule = image_rules(schema)[name]
        assert "string" in rule["type"]
        assert re.search(rule["pattern"], text)
        assert len(text) <= rule.get("maxLength", len(text))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{tag: a1b2c3d}", "{tag: v2}"),
        ("{tag: a1b2c3d}", '{tag: "0x1F"}'),
        (f"{{digest: {DIGEST}}}", f"{{digest: 'sha256:{'b' * 64}'}}"),
        (f"{{digest: {DIGEST}, tag: a}}", f"{{digest: {DIGEST}, tag: b}}"),
    ],
)
def test_valid_tags_and_digests_are_alike(one: str, other: str) -> None:
    assert shape(one) == shape(other)


@pytest.mark.parametrize(
    "image",
    [
        "{tag: null}",
        "{tag: }",
        "{tag: 12}",
        "{tag: true}",
        "{tag: 0x1F}",
        "{tag: [v2]}",
        "{tag: {tag: v2}}",
        '{tag: ""}',
        '{tag: "-v2"}',
        '{tag: "v2\\n"}',
        f'{{tag: "{"a" * 129}"}}',
        "{digest: v2}",
        "{tags: v2}",
        "{repository: v2}",
        "{tag: v2, pullPolicy: Always}",
        "[tag, v2]",
        "{}",
    ],
)
def test_everything_else_makes_a_difference(image: str) -> None:
    assert shape(image) != shape("{tag: v2}")


def test_a_tag_anywhere_else_makes_a_difference() -> None:
    for place in ("      variables: {{tag: {}}}\n", "      source: {{image: {{tag: {}}}}}\n", "other: {{tag: {}}}\n"):
        assert shape("{tag: v2}", place.format("a")) != shape("{tag: v2}", place.format("b"))


def test_a_digest_is_no_tag() -> None:
    assert shape("{tag: v2}") != shape(f"{{digest: {DIGEST}}}")


def remembered(tree: Files) -> bool:
    accepted = Accepted(has_our_schema_only)
    accepted.add(tree, "base", "shape")
    return accepted.has("base", "shape")


def test_what_our_schema_accepted_is_remembered_for_that_base_and_shape() -> None:
    accepted = Accepted(has_our_schema_only)
    accepted.add(KNOWN, "base", "shape")
    assert accepted.has("base", "shape")
    assert not accepted.has("another base", "shape")
    assert not accepted.has("base", "another shape")


@pytest.mark.parametrize(
    "writes",
    [
        {"base/values.schema.json": b"{}"},
        {"base/charts/other/values.schema.json": b"{}"},
        {"base/charts/other.tgz": b""},
        {OURS: (KNOWN.read(OURS) or b"") + b"\n"},
        {OURS: None},
    ],
)
def test_nothing_is_remembered_where_another_schema_may_judge(writes: dict[str, bytes | None]) -> None:
    assert remembered(KNOWN)
    assert not remembered(KNOWN.with_writes(writes))


def test_nothing_is_remembered_without_our_chart() -> None:
    assert not remembered(TINY)


def test_a_base_with_our_chart_and_its_own_values_renders_nothing_else() -> None:
    assert has_our_chart_only(KNOWN)
    assert has_our_chart_only(KNOWN.with_writes({"base/values.yaml": b"lucity-app: {project: other}\n"}))


@pytest.mark.parametrize(
    "writes",
    [
        {"base/templates/one.yaml": b"a: 1\n"},
        {"base/values.schema.json": b"{}"},
        {"base/charts/other/Chart.yaml": b"name: other\n"},
        {"base/charts/other.tgz": b""},
        {"base/.helmignore": b"charts\n"},
        {TEMPLATE: (KNOWN.read(TEMPLATE) or b"") + b"\n"},
        {TEMPLATE: None},
        {OURS: None},
    ],
)
def test_anything_else_in_base_is_not_our_chart(writes: dict[str, bytes | None]) -> None:
    assert not has_our_chart_only(KNOWN.with_writes(writes))
