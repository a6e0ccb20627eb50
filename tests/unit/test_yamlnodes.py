"""Files are read as Helm reads them, or refused with the place of what is wrong."""

import pytest

from gitops.problems import InvalidRepository, Refused
from gitops.yamlnodes import resolve
from gitops.yamltext import parse


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        (b"a: 1\na: 2\n", 2, 1, "duplicate key"),
        (b"a: &x 1\n", 1, 4, "anchors"),
        (b"a: *x\n", 1, 4, "aliases"),
        (b"a: [1, *x]\n", 1, 8, "aliases"),
        (b"<<: {a: 1}\n", 1, 1, "merge keys"),
        (b"a: !ruby/object 1\n", 1, 4, "tag"),
        (b"a: !!binary aGk=\n", 1, 4, "tag"),
        (b"a: 1\n---\nb: 2\n", 2, 1, "second"),
        (b"a: 1\n b: 2\n", 2, 3, "mapping values"),
        (b"a:\n\t- 1\n", 2, 1, "token"),
        (b"a: 1\nb: \xff\n", 2, 4, "UTF-8"),
        (b"- 1\n", 1, 1, "mapping"),
        (b"? [a]\n: 1\n", 1, 3, "key"),
        (b"a: " + b"[" * 41 + b"]" * 41, 1, 43, "deeper"),
        (b"a: \x07\n", 1, 4, "control"),
        ("ü: 1\nb: 'üü\x07'\n".encode(), 2, 7, "control"),
        (b"x: " + b"a" * 262144, 1, 1, "256 KiB"),
        (b"x: 1\ny: " + b"a" * 262144, 2, 1, "256 KiB"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(
    text: bytes, line: int | None, column: int | None, words: str
) -> None:
    with pytest.raises(Refused) as refused:
        parse(text, "base/values.yaml")
    problem = refused.value.problem
    assert isinstance(problem, InvalidRepository)
    assert (problem.path, problem.line, problem.column) == ("base/values.yaml", line, column)
    assert words in problem.message


def test_a_million_brackets_are_refused_at_once() -> None:
    with pytest.raises(Refused, match="deeper"):
        parse(b"a: " + b"[" * 200_000, "v.yaml")


def test_values_read_are_nobody_elses() -> None:
    parse(b"a: {b: 1}\n", "v.yaml").data["a"] = None
    assert parse(b"a: {b: 1}\n", "v.yaml").data == {"a": {"b": 1}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", False), ("y", True), ("On", True), ("0x1F", 31), ("0o17", 15), ("017", 15), ("08", 8.0), ("0b11", 3),
        ("1_000", 1000), ("0x_1F", 31), ("+0x1F", 31), ("1e3", 1000.0), ("12e4567", "12e4567"), (".5", 0.5),
        ("1.", 1.0),
        ("2026-11-23", "2026-11-23"), ("1:30", "1:30"), ("~", None), ("Null", None), ("nUll", "nUll"), ("tRue", "tRue"),
        ("_1", "_1"), ("-_1", -1), ("1_", 1), ("0b2", "0b2"), ("0x", "0x"), ("1e", "1e"), ("=", "="), ("-", "-"),
        ("18446744073709551615", 2**64 - 1), ("99999999999999999999", 1e20), ("-0x1", -1), ("00", 0),
        ("9" * 5000, "9" * 5000),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_helm_reads(text: str, value: object) -> None:
    """Recorded from Helm 4.2.3; tests/contract asks the real one."""
    meaning = resolve(text)
    assert meaning == value
    assert type(meaning) is type(value)


def test_keys_are_text_as_in_json() -> None:
    assert parse(b"no: 1\n1: b\n0x10: c\n1.5: d\n2026-11-23: e\n", "v.yaml").data == {
        "false": 1,
        "1": "b",
        "16": "c",
        "1.5": "d",
        "2026-11-23": "e",
    }
