"""Server-sent events arrive whole, whatever the network does to them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.event_stream import EventStream, EventTooLarge
from tests.support.recordings import LIMIT_BYTES, raw


def read(stream: bytes, *cuts: int) -> list[str]:
    """The events of a stream that arrives cut at these places."""
    reader = EventStream(LIMIT_BYTES)
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [event for start, end in pairwise(places) for event in reader.feed(stream[start:end])]


def test_an_event_is_its_data_lines_joined() -> None:
    assert read(b"data: one\ndata:two\ndata:  three\n\n") == ["one\ntwo\n three"]


def test_comments_names_and_numbers_are_no_data() -> None:
    assert read(b": alive\n\nevent: x\nid: 7\nretry: 5\ndata: one\n\n:\n\n") == ["one"]


def test_every_line_ending_of_the_standard_counts() -> None:
    assert read(b"data: one\r\n\r\ndata: two\r\rdata: three\n\n") == ["one", "two", "three"]


def test_a_byte_order_mark_at_the_beginning_is_no_data() -> None:
    assert read(b"\xef\xbb\xbfdata: one\n\n", 1, 2) == ["one"]


def test_an_event_that_was_not_ended_is_never_answered() -> None:
    assert read(b"data: one\n\ndata: tw") == ["one"]


def test_an_event_above_the_bound_is_refused() -> None:
    reader = EventStream(100)
    assert reader.feed(b"data: " + b"x" * 80 + b"\n\n") == ["x" * 80]
    with pytest.raises(EventTooLarge, match="larger than 100 bytes"):
        reader.feed(b"data: " + b"x" * 200)


def test_many_small_lines_of_one_event_count_together() -> None:
    reader = EventStream(100)
    for _ in range(10):
        reader.feed(b"data: 012345678\n")
    with pytest.raises(EventTooLarge):
        reader.feed(b"data: 0123456789\n")


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.lists(st.integers(0, 200), max_size=6),
)
def test_cuts_anywhere_change_nothing(texts: list[str], ending: str, cuts: list[int]) -> None:
    stream = "".join(f"data: {text}{ending}:{ending}{ending}" for text in texts).encode()
    assert read(stream, *cuts) == texts


@given(st.lists(st.integers(0, len(raw("deploy-good.sse"))), max_size=20))
def test_a_recording_cut_anywhere_tells_the_same(cuts: list[int]) -> None:
    recording = raw("deploy-good.sse")
    assert read(recording, *cuts) == read(recording)
