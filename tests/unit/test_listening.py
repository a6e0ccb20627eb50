"""Hearing a delivery, whatever becomes of the line."""

import threading
from collections.abc import Iterator

from adapters.ports import StaleLead, Unreachable
from adapters.records import Gone
from jobs.listening import Said, listen

FIRST, SECOND = Gone("shop", "development"), Gone("shop", "staging")


class Line:
    """Breaks after each of its words, in every way there is."""

    def __init__(self) -> None:
        self.breaks = iter([Unreachable("delivery", "cut"), ValueError("a mistake of ours"), None])

    def watch(self) -> Iterator[Said | None]:
        yield None
        yield FIRST
        if broken := next(self.breaks):
            raise broken
        yield SECOND


def test_a_line_that_breaks_is_opened_again() -> None:
    heard: list[Said] = []
    over = threading.Event()

    def hear(said: Said) -> None:
        heard.append(said)
        if said == SECOND:
            over.set()

    listen(Line().watch, hear, over)
    assert heard == [FIRST, FIRST, FIRST, SECOND]


def test_it_is_over_once_somebody_else_leads() -> None:
    over = threading.Event()

    def hear(_: Said) -> None:
        raise StaleLead

    listen(Line().watch, hear, over)
    assert over.is_set()
