"""Server-sent events, as the HTML standard frames them, from chunks that may end anywhere.

Pure: bytes in, the data of complete events out. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html

EventTooLarge           an event is larger than the bound; the stream must be given up
"""

from collections.abc import Iterator

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):  # noqa: N818 - a state of the stream
    """An event of the stream is larger than we are willing to hold."""


class EventStream:
    """Feed it what arrives; what was not ended by a blank line is never answered."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0
        self._started = False
        self._after_return = False

    def feed(self, chunk: bytes) -> list[str]:
        """The data of every event that this chunk completes. Raises EventTooLarge."""
        found = []
        for line in self._lines(chunk):
            if line:
                self._take(line)
            elif self._data:
                found.append(b"\n".join(self._data).decode("utf-8", "replace"))
                self._data, self._size = [], 0
        if self._size + len(self._rest) > self._limit:
            raise EventTooLarge(f"an event of the stream is larger than {self._limit} bytes")
        return found

    def _take(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(value)

    def _lines(self, chunk: bytes) -> Iterator[bytes]:
        """Whole lines, ended by LF, CR or CRLF; a CRLF may be cut in the middle."""
        if not chunk:
            return
        if self._after_return and chunk[:1] == b"\n":
            chunk = chunk[1:]
        self._after_return = chunk[-1:] == b"\r" if chunk else False
        text = self._rest + chunk
        if not self._started:
            if len(text) < len(_BYTE_ORDER_MARK) and _BYTE_ORDER_MARK.startswith(text):
                self._rest = text
                return
            text, self._started = text.removeprefix(_BYTE_ORDER_MARK), True
        *lines, self._rest = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        yield from lines
