"""Lines of a container's log as the Kubernetes API gives them with `timestamps=true`, and which of them were read
before. Pure.
"""

import codecs
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

LONGEST: Final = 16 * 1024
"""Bytes of a line that are kept, its time included."""
REMEMBERED: Final = 256
"""Lines of each container that are known again."""
_SECOND: Final = 1_000_000_000


@dataclass(frozen=True)
class StampedLine:
    """One line; `stamp` in nanoseconds since 1970, None when it carries no time: then the kubelet itself speaks."""

    stamp: int | None
    text: str
    digest: int

    @property
    def at(self) -> datetime:
        """When it was written, else now."""
        return moment_of(time.time_ns() if self.stamp is None else self.stamp)


class Splitter:
    """Makes lines of bytes as they come; what exceeds `longest` is counted instead of kept."""

    def __init__(self, longest: int = LONGEST) -> None:
        self._longest = longest
        self._kept = bytearray()
        self._cut = 0

    def feed(self, chunk: bytes) -> Iterator[StampedLine]:
        """Every line that ends in it."""
        *ended, begun = chunk.split(b"\n")
        for part in ended:
            self._add(part)
            yield self._take()
        self._add(begun)

    def rest(self) -> StampedLine | None:
        """What was begun and never ended."""
        return self._take() if self._kept else None

    def _add(self, part: bytes) -> None:
        room = self._longest - len(self._kept)
        self._kept += part[:room]
        self._cut += max(0, len(part) - room)

    def _take(self) -> StampedLine:
        raw, cut = bytes(self._kept), self._cut
        self._kept.clear()
        self._cut = 0
        return _parse(raw, cut)


class Progress:
    """How far one container's log was read, so that reading it again neither repeats nor leaves out a line.

    The API knows times to the second, so a later read begins at the second of the oldest remembered line: what was seen
    of it comes again, in whatever order the streams of the container were written, and is left out here.
    """

    def __init__(self, since: int | None, tail: int | None) -> None:
        self._since = since
        self._tail = tail
        self._recent: deque[tuple[int, int]] = deque(maxlen=REMEMBERED)
        self._repeated: Counter[int] = Counter()
        self._oldest: int | None = None
        self._splitter = Splitter()

    def begin(self) -> dict[str, str]:
        """A read begins: what to ask for."""
        self._splitter = Splitter()
        self._repeated = Counter(digest for _, digest in self._recent)
        self._oldest = min((stamp for stamp, _ in self._recent), default=self._since)
        asked = {} if self._oldest is None else {"sinceTime": _rendered(self._oldest)}
        return asked if self._tail is None or self._recent else {**asked, "tailLines": str(self._tail)}

    def opened(self, now: datetime) -> None:
        """The log could be read: of what is written from now on nothing may be missed, even if nothing is yet."""
        if self._tail == 0:
            self._since, self._tail = max(self._since or 0, stamp_of(now)), None

    def delayed(self) -> None:
        """There is no log yet: all that it will have is new."""
        self._tail = None

    def feed(self, chunk: bytes) -> Iterator[StampedLine]:
        """The lines that end in a chunk and were not read before."""
        return (line for line in self._splitter.feed(chunk) if self._is_new(line))

    def rest(self) -> StampedLine | None:
        """What a log that has ended says without the end of a line."""
        line = self._splitter.rest()
        return line if line is not None and self._is_new(line) else None

    def _is_new(self, line: StampedLine) -> bool:
        if line.stamp is None:
            return True
        if self._repeated[line.digest] > 0:
            self._repeated[line.digest] -= 1
            return False
        if self._oldest is not None and line.stamp < self._oldest:
            return False
        self._recent.append((line.stamp, line.digest))
        return True


def stamp_of(moment: datetime) -> int:
    """Nanoseconds since 1970."""
    return int(moment.replace(microsecond=0).timestamp()) * _SECOND + moment.microsecond * 1000


def moment_of(stamp: int) -> datetime:
    """The same, to the microsecond."""
    seconds, nanoseconds = divmod(stamp, _SECOND)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=nanoseconds // 1000)


def _rendered(stamp: int) -> str:
    return moment_of(stamp).strftime("%Y-%m-%dT%H:%M:%SZ")


def _parse(raw: bytes, cut: int) -> StampedLine:
    prefix, _, rest = raw.partition(b" ")
    stamp = _stamp(prefix)
    text = codecs.getincrementaldecoder("utf-8")("replace").decode(raw if stamp is None else rest, final=not cut)
    told = f"{text} … [{cut} more bytes]" if cut else text.removesuffix("\r")
    return StampedLine(stamp, told, hash((raw, cut)))


def _stamp(prefix: bytes) -> int | None:
    """RFC 3339 with up to nine digits of a second, in UTC or with an offset."""
    whole, dot, rest = prefix.decode("ascii", "replace").partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    try:
        moment = datetime.fromisoformat(whole + rest[len(digits) :])
    except ValueError:
        return None
    if moment.tzinfo is None or bool(dot) != bool(digits):
        return None
    return int(moment.timestamp()) * _SECOND + int(digits[:9].ljust(9, "0"))
