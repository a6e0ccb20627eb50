"""Edits keep every byte that they were not asked to change."""

import copy
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.problems import Refused
from gitops.yamlnodes import resolve
from gitops.yamltext import Key, edit, parse

NASTY_TAGS = [
    "1234567",
    "12e4567",
    "0x1F",
    "no",
    "1_000",
    "2026-11-23",
    "0o17",
    "null",
    "~",
    "1:30",
    "y",
    ".5",
    "=",
    "<<",
]
NASTY_TEXTS = [
    'say "hi"',
    "it's",
    "two\nlines\n",
    "{{ .Values.x }}",
    "$HOME $(HOME) ${HOME}",
    "ünïcode 😀 \u2028 \x85 \ufeff",
    "# no comment",
    "a: b",
    " spaces ",
    "",
    "\t",
    "x" * 65536,
    "\\n \\",
    "\x00\x1b\x7f",
]

names = st.sampled_from(
    ["api", "web", "no", "1", "a.b", "x y", "tag", "ümlaut", "true", "~", "image", "-", "a: b", "<<"]
)
leaves = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(NASTY_TAGS + NASTY_TEXTS[:-3]),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
values = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=6,
)
filled = st.dictionaries(names, values, min_size=1, max_size=3)


def as_key(name: str) -> str:
    return '"' + name + '"' if not name.isalnum() or resolve(name) != name else name


@st.composite
def blocks(draw: st.DrawFn, indent: int = 0, depth: int = 0) -> list[str]:
    """Lines of a block mapping as people write them: comments, blank lines, every style of value."""
    lines: list[str] = []
    step = draw(st.sampled_from([2, 3, 4]))
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        lines += draw(st.lists(st.sampled_from(["", "# note", "    # far"]), max_size=1))
        comment = draw(st.sampled_from(["", "", "  # why", " #"]))
        start = " " * indent + as_key(name) + ":"
        kind = draw(st.sampled_from(["plain", "plain", "quoted", "flow", "list", "text", "nested", "nested"]))
        if kind == "nested" and depth < 3:
            lines += [start + comment, *draw(blocks(indent + step, depth + 1))]
        elif kind == "list":
            at = " " * (indent + draw(st.sampled_from([0, step])))
            lines += [start + comment, f"{at}- one", f"{at}# between", f"{at}- k: 1", f"{at}  l: [2]"]
        elif kind == "text":
            style = draw(st.sampled_from(["|", ">", "|-", "|+", ">-", "|2"]))
            at = " " * (indent + (2 if style == "|2" else step))
            lines += [f"{start} {style}{comment}", f"{at}first", "", f"{at} second"]
        else:
            flow = ["{}", "[]", "{a: 1}", "{ a: 1, b: {c: x}, }", '{"a": [1, {b: 2}]}', "{ }", "{a: , b}"]
            texts = ["word", "12", "no", "2026-11-23", "two words", "http://x:1/y", "0x1F", "", "~", "é😀"]
            options = {"quoted": ["'it''s'", '"a\\tb"', '""', "'a # b'"], "flow": flow}.get(kind, texts)
            lines.append(f"{start} {draw(st.sampled_from(options))}{comment}")
    return lines


@st.composite
def documents(draw: st.DrawFn) -> bytes:
    lines = draw(
        st.one_of(blocks(), st.just([]), st.just(["# only a comment"]), st.just(["{}"]), st.just(["---", "a: 1"]))
    )
    newline = draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = newline.join(lines + draw(st.lists(st.sampled_from(["", "# end"]), max_size=2)))
    text += draw(st.sampled_from(["", newline])) if text else ""
    return (draw(st.sampled_from(["", "", "\ufeff"])) + text).encode()


def key_paths(data: object, at: Key = ()) -> list[Key]:
    if not isinstance(data, dict):
        return []
    return [path for name, inner in data.items() for path in [(*at, name), *key_paths(inner, (*at, name))]]


def put(data: dict[str, object], key: Key, value: object) -> dict[str, object]:
    result = copy.deepcopy(data)
    inner = result
    for segment in key[:-1]:
        below = inner.get(segment)
        if not isinstance(below, dict):
            below = inner[segment] = {}
        inner = below
    inner[key[-1]] = value
    return result


def set_key(data: bytes, key: Key, value: object) -> bytes:
    return edit(data, "v.yaml", [(key, value)])


def unset_key(data: bytes, key: Key) -> bytes:
    return edit(data, "v.yaml", unset=[key])


def reaches(data: object, key: Key) -> bool:
    """Whether every parent of the key is a mapping or absent."""
    for segment in key[:-1]:
        if not isinstance(data, dict):
            return False
        if segment not in data:
            return True
        data = data[segment]
    return isinstance(data, dict)


@given(documents(), st.data())
def test_setting_any_key_gives_exactly_the_intended_values(text: bytes, draws: st.DataObject) -> None:
    present = parse(text, "v.yaml").data
    old = draws.draw(st.sampled_from([(), *key_paths(present)]))
    key = (*old, *draws.draw(st.lists(names, min_size=0 if old else 1, max_size=2)))
    value = draws.draw(values)
    try:
        edited = set_key(text, key, value)
    except Refused as refused:
        assert not reaches(present, key), refused  # noqa: PT017 - only a value in the way may refuse
        return
    assert parse(edited, "v.yaml").data == put(present, key, value)


@given(documents(), names, values)
def test_what_an_edit_added_its_removal_takes_away_byte_for_byte(text: bytes, name: str, value: object) -> None:
    present = parse(text, "v.yaml").data
    for parent in [(), *key_paths(present)]:
        inner: object = present
        for segment in parent:
            inner = inner[segment] if isinstance(inner, dict) else None
        if isinstance(inner, dict) and name not in inner and (inner or not parent):
            added = set_key(text, (*parent, name, "image", "tag"), value)
            assert unset_key(added, (*parent, name, "image", "tag")) == text
            assert unset_key(added, (*parent, name)) == text


@given(documents(), st.sampled_from(NASTY_TAGS))
def test_replacing_a_scalar_touches_its_line_only(text: bytes, tag: str) -> None:
    present = parse(text, "v.yaml")
    for key in key_paths(present.data):
        lines = text.splitlines(keepends=True)
        at = present.line_of(key) - 1
        once = set_key(text, key, 987654321)
        if len(once.splitlines()) == len(lines):
            edited = set_key(once, key, tag)
            assert edited == once.replace(b"987654321", b'"' + tag.encode() + b'"')
            after = once.splitlines(keepends=True)
            assert [line for place, line in enumerate(after) if place != at] == lines[:at] + lines[at + 1 :]


@given(documents(), filled)
def test_setting_what_is_there_changes_no_byte(text: bytes, more: dict[str, object]) -> None:
    once = edit(text, "v.yaml", [(("new", name), value) for name, value in more.items()])
    present = parse(once, "v.yaml").data
    assert edit(once, "v.yaml", list(pairs(present))) == once


def pairs(data: dict[str, object]) -> Sequence[tuple[Key, object]]:
    return [((name,), value) for name, value in data.items()]


@pytest.mark.parametrize("value", NASTY_TAGS + NASTY_TEXTS)
@pytest.mark.parametrize("text", ["", "image:\n  tag: old # keep\n", "image: {tag: old}\n", "image: {}\n"])
def test_any_text_stays_text(text: str, value: str) -> None:
    edited = set_key(text.encode(), ("image", "tag"), value)
    assert parse(edited, "v.yaml").data == {"image": {"tag": value}}
    assert b'tag: "' in edited


def test_comments_order_and_quoting_stay() -> None:
    text = "# head\na:   # one\n  'tag' : old   # two\n  z: 'x'\n\n# tail\n"
    assert set_key(text.encode(), ("a", "tag"), "no").decode() == text.replace("old", '"no"').replace(" : ", " : ")


def test_new_keys_follow_the_last_one_of_their_mapping() -> None:
    text = b"a:\n    b:\n        c: 1 # see\n\n# about d\nd: 2\n"
    assert set_key(text, ("a", "b", "e"), {"f": ["x"]}) == (
        b'a:\n    b:\n        c: 1 # see\n        e:\n          f: ["x"]\n\n# about d\nd: 2\n'
    )


@pytest.mark.parametrize("text", ["a: {}\r\nb: 1", "{}\n", "a: { }  # none yet\n", "\ufeff{}"])
def test_an_empty_mapping_that_somebody_wrote_stays_when_it_is_empty_again(text: str) -> None:
    added = set_key(text.encode(), ("a", "b", "tag"), "x")
    assert parse(added, "v.yaml").data["a"] == {"b": {"tag": "x"}}
    assert unset_key(added, ("a", "b", "tag")) == text.encode()


def test_a_list_keeps_its_comments_where_only_values_inside_it_change() -> None:
    text = b"a:\n  # first\n  - name: x   # x\n    m: 1 # one\n  - 2\n"
    assert set_key(text, ("a",), [{"name": "x", "m": 7}, 2]) == text.replace(b"m: 1", b"m: 7")


def test_a_block_text_gives_way_without_its_lines() -> None:
    text = b"a: |  # why\n  one\n  two\n\n# next\nb: 1\n"
    assert set_key(text, ("a",), "x") == b'a: "x"  # why\n\n# next\nb: 1\n'


def test_a_value_in_the_way_is_refused_and_named() -> None:
    with pytest.raises(Refused, match=r"v.yaml: a\.b holds a value"):
        set_key(b"a:\n  b: 1\n", ("a", "b", "c"), 1)


def test_a_file_cannot_grow_over_its_bound() -> None:
    with pytest.raises(Refused, match="larger than 256 KiB"):
        set_key(b"a: 1\n", ("b",), "x" * 262144)


LINES = b"""# head
a:
  b: 1 # one
  # about c

  c:
    - x

# about d
d: |
  text
  more

e:
f: {g: 1, h: {i: 2}}
"""


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("a", range(2, 8)),
        ("a.b", range(3, 4)),
        ("a.c", range(6, 8)),
        ("d", range(10, 13)),
        ("e", range(14, 15)),
        ("f.h.i", range(15, 16)),
        ("a.x", None),
        ("a.b.x", None),
    ],
)
def test_a_key_has_its_own_lines_and_none_of_what_follows(key: str, lines: range | None) -> None:
    assert parse(LINES, "v.yaml").lines_of(tuple(key.split("."))) == lines
    assert parse(LINES.replace(b"\n", b"\r\n"), "v.yaml").lines_of(tuple(key.split("."))) == lines
