import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.problems import Refused
from gitops.values import ChangeKind, ValueChange, changes, get, merge, parse_key, render_key

names = st.sampled_from(["a", "b", "c.d", "e"])
leaves = st.one_of(st.integers(), st.booleans(), st.text(max_size=3), st.lists(st.integers(), max_size=2))
values = st.recursive(leaves, lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)
tables = st.dictionaries(names, values, max_size=4)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=5))
def test_a_key_reads_back_as_it_was_written(segments: list[str]) -> None:
    assert parse_key(render_key(tuple(segments))) == tuple(segments)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("services.api.resources", ("services", "api", "resources")),
        ('annotations."example.com/a.b"', ("annotations", "example.com/a.b")),
        ('"a\\"b"', ('a"b',)),
        ("a b.c", ("a b", "c")),
    ],
)
def test_a_segment_with_a_dot_is_a_json_string(text: str, key: tuple[str, ...]) -> None:
    assert parse_key(text) == key


@pytest.mark.parametrize(
    "text", ["", ".", "a.", ".a", "a..b", '"a', 'a"b', '"a"b', '"\\x"', "a." * 300, ".".join("a" * 21)]
)
def test_a_malformed_key_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        parse_key(text)


def test_maps_merge_lists_replace_and_null_deletes() -> None:
    base = {"a": {"x": 1, "y": [1, 2], "z": {"k": 1}}, "b": 1, "c": {"q": 1}}
    override = {"a": {"x": None, "y": [3], "z": {"l": 2}}, "b": None, "c": 5, "d": {"n": 1}}
    assert merge(base, override) == {"a": {"y": [3], "z": {"k": 1, "l": 2}}, "c": 5, "d": {"n": 1}}


@given(tables, tables)
def test_merging_leaves_both_sides_as_they_were(base: dict[str, object], override: dict[str, object]) -> None:
    before = json.dumps([base, override])
    merge(base, override)
    assert json.dumps([base, override]) == before


@given(tables)
def test_nothing_changes_between_equal_values(table: dict[str, object]) -> None:
    assert changes(table, json.loads(json.dumps(table))) == ()


@given(tables, tables)
def test_every_change_tells_what_stands_before_and_after(before: dict[str, object], after: dict[str, object]) -> None:
    for change in changes(before, after):
        old, new = get(before, change.key), get(after, change.key)
        assert (change.before, change.after) == (old, new) or change.kind is not ChangeKind.CHANGED
        assert change.kind is not ChangeKind.ADDED or new == change.after
        assert change.kind is not ChangeKind.REMOVED or old == change.before


def test_null_is_told_from_absent_and_text_from_numbers() -> None:
    assert changes({"a": None, "b": 1, "c": True}, {"b": "1", "c": 1, "d": None}) == (
        ValueChange(("a",), ChangeKind.REMOVED, None, None),
        ValueChange(("b",), ChangeKind.CHANGED, 1, "1"),
        ValueChange(key=("c",), kind=ChangeKind.CHANGED, before=True, after=1),
        ValueChange(("d",), ChangeKind.ADDED, None, None),
    )
