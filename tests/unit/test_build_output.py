"""What a build prints on its way into the log."""

from hypothesis import given
from hypothesis import strategies as st

from adapters.build_output import HIDDEN, Allowance, Lines, Redactor, Stream
from adapters.events import LOG_LINES_KEPT

SECRETS = st.lists(st.text("ab\n", min_size=4, max_size=9), max_size=4)
TEXT = st.text("abc\n", max_size=60)


def pieces_of(text: str, cuts: list[int]) -> list[str]:
    places = sorted(cut % (len(text) + 1) for cut in cuts)
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


@given(SECRETS, TEXT, st.lists(st.integers(0, 60), max_size=8))
def test_what_is_hidden_does_not_depend_on_where_the_pieces_are_cut(
    secrets: list[str], text: str, cuts: list[int]
) -> None:
    redactor = Redactor(secrets)
    shown = "".join(redactor.feed(piece) for piece in pieces_of(text, cuts)) + redactor.flush()
    assert shown == redactor.hide(text)


@given(SECRETS, TEXT, TEXT)
def test_no_secret_is_shown_whatever_stands_around_it(secrets: list[str], before: str, after: str) -> None:
    redactor = Redactor(secrets)
    for secret in secrets:
        shown = redactor.hide(before + secret + after)
        assert not any(other in shown.replace(HIDDEN, "\0") for other in secrets)


@given(TEXT, st.lists(st.integers(0, 60), max_size=8))
def test_nothing_is_held_back_for_ever(text: str, cuts: list[int]) -> None:
    redactor = Redactor(["abab", "abcabc"])
    shown = "".join(redactor.feed(piece) for piece in pieces_of(text, cuts)) + redactor.flush()
    assert shown.replace(HIDDEN, "") or HIDDEN in shown or not text
    assert redactor.flush() == ""


def test_the_longest_of_secrets_that_begin_together_is_hidden() -> None:
    redactor = Redactor(["pass", "password"])
    assert [redactor.feed("my pass"), redactor.feed("word is"), redactor.flush()] == ["my ", f"{HIDDEN} is", ""]


def test_each_line_of_a_key_is_hidden_by_itself_too() -> None:
    redactor = Redactor(["-----BEGIN-----\nAAAAB3Nza\n-----END-----"])
    assert redactor.hide("found AAAAB3Nza here") == f"found {HIDDEN} here"


def test_what_is_too_short_to_be_a_secret_stays() -> None:
    assert Redactor(["", "a", "abc"]).hide("abc a") == "abc a"


@given(st.text("ab\n", max_size=60), st.lists(st.integers(0, 60), max_size=8))
def test_lines_do_not_depend_on_where_the_pieces_are_cut(text: str, cuts: list[int]) -> None:
    lines = Lines(1000)
    found = [line for piece in pieces_of(text, cuts) for line in lines.feed(piece)] + lines.flush()
    assert found == (text.removesuffix("\n").split("\n") if text else [])


def test_a_line_that_is_too_long_says_how_much_is_left_out() -> None:
    lines = Lines(4)
    assert lines.feed("abcd\nabcde") == ["abcd"]
    assert lines.feed("fg\r\n") == ["abcd … 4 more characters"]
    assert lines.flush() == []


def test_a_log_ends_with_one_line_that_says_so() -> None:
    kept: list[tuple[str, str]] = []
    allowance = Allowance(2048, lambda stream, line: kept.append((stream, line)))
    for number in range(3000):
        allowance.add("stdout", f"line {number}")
    assert allowance.used_up
    assert "cut here, at 2 KiB" in kept[-1][1]
    assert [line for _, line in kept[:-1]] == [f"line {number}" for number in range(len(kept) - 1)]


def test_a_log_has_fewer_lines_than_its_place_so_that_its_beginning_stays() -> None:
    kept: list[str] = []
    allowance = Allowance(10 << 20, lambda _, line: kept.append(line))
    for number in range(LOG_LINES_KEPT):
        allowance.add("stdout", f"{number}")
    assert kept[0] == "0"
    assert "cut here" in kept[-1]
    assert len(kept) < LOG_LINES_KEPT - 1000


def test_a_stream_hides_decodes_and_cuts_and_keeps_its_end_when_the_log_is_full() -> None:
    kept: list[str] = []
    stream = Stream("stderr", ["geheim"], 100, Allowance(60, lambda _, line: kept.append(line)))
    for byte in "schön geheim\n".encode():
        stream.feed(bytes([byte]))
    stream.feed(b"x" * 80 + b"\n" + b"error: geheim\n")
    stream.end()
    assert kept[0] == f"schön {HIDDEN}"
    assert "cut here" in kept[1]
    assert kept[2:] == []
    assert stream.tail.endswith(f"error: {HIDDEN}")
