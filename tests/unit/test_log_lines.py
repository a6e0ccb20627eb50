"""Lines of a log read again and again: what comes out is what was written, whatever the network does."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.log_lines import LONGEST, REMEMBERED, Progress, Splitter, StampedLine, moment_of, stamp_of

BEGIN = datetime(2026, 1, 23, 12, tzinfo=UTC)


def lines(*raw: bytes) -> list[StampedLine]:
    return list(Splitter().feed(b"".join(one + b"\n" for one in raw)))


def written(offsets: Sequence[int]) -> list[bytes]:
    """Lines so many nanoseconds after the beginning; some say the same at the same time."""
    return [
        f"{moment_of(stamp_of(BEGIN) + offset):%Y-%m-%dT%H:%M:%S}.{offset % 10**9:09}Z said {offset % 3}\n".encode()
        for offset in offsets
    ]


def answered(log: Sequence[bytes], asked: dict[str, str]) -> bytes:
    """The log as a kubelet answers it."""
    since = asked.get("sinceTime", "").removesuffix("Z").encode()
    kept = [line for line in log if line[:19] >= since]
    return b"".join(kept[len(kept) - int(asked["tailLines"]) :] if "tailLines" in asked else kept)


@given(
    st.lists(st.integers(0, 5 * 10**9), max_size=60).map(sorted).map(written),
    st.lists(st.integers(0, 3000), max_size=6),
    st.integers(1, 200),
)
def test_a_log_cut_anywhere_is_read_without_gap_or_double(log: list[bytes], cuts: list[int], size: int) -> None:
    progress = Progress(None, None)
    read: list[str] = []
    for cut in [*cuts, 10**9]:
        answer = answered(log, progress.begin())[:cut]
        for start in range(0, len(answer), size):
            read += [line.text for line in progress.feed(answer[start : start + size])]
    assert read == [line.partition(b" ")[2].decode().rstrip() for line in log]


def test_more_lines_of_one_second_than_are_remembered_are_neither_doubled_nor_lost() -> None:
    log = written(range(5 * REMEMBERED))
    progress = Progress(None, None)
    first = list(progress.feed(answered(log[: 4 * REMEMBERED], progress.begin())))
    again = list(progress.feed(answered(log, progress.begin())))
    assert (len(first), len(again)) == (4 * REMEMBERED, REMEMBERED)


def test_the_last_lines_are_asked_for_until_some_were_read() -> None:
    progress = Progress(None, 3)
    assert progress.begin() == progress.begin() == {"tailLines": "3"}
    assert len(list(progress.feed(answered(written(range(9)), progress.begin())))) == 3
    assert progress.begin() == {"sinceTime": "2026-01-23T12:00:00Z"}


def test_what_has_no_log_yet_is_read_from_its_first_line() -> None:
    progress = Progress(stamp_of(BEGIN), 3)
    progress.delayed()
    assert progress.begin() == {"sinceTime": "2026-01-23T12:00:00Z"}


@pytest.mark.parametrize(
    ("prefix", "stamp"),
    [
        (b"2026-01-23T12:00:00Z", stamp_of(BEGIN)),
        (b"2026-01-23T12:00:00.5Z", stamp_of(BEGIN) + 500_000_000),
        (b"2026-01-23T14:00:00.000000001+02:00", stamp_of(BEGIN) + 1),
        (b"2026-01-23T12:00:00", None),
        (b"2026-01-23T12:00:00.Z", None),
        (b"unable", None),
        (b"\xff", None),
        (b"", None),
    ],
)
def test_times_are_read_to_the_nanosecond(prefix: bytes, stamp: int | None) -> None:
    (line,) = lines(prefix + b" to say")
    assert line.stamp == stamp
    assert line.text == ("to say" if stamp is not None else (prefix + b" to say").decode("utf-8", "replace"))


def test_a_line_takes_no_more_memory_than_its_bound() -> None:
    splitter = Splitter()
    for _ in range(100):
        assert list(splitter.feed(b"x" * LONGEST)) == []
    (line,) = splitter.feed(b"\n")
    assert line.text == "x" * LONGEST + f" … [{99 * LONGEST} more bytes]"
