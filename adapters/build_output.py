"""What a stranger's program prints, made fit for a log: secrets hidden, cut into lines, bounded. Pure."""

import codecs
import re
from collections.abc import Callable, Iterable

HIDDEN = "***"
SHORTEST_SECRET = 4
"""Shorter ones are not hidden: they would be found everywhere."""
LINES = 40_000
"""Of one build's output, kept in its log."""
_TAIL_BYTES = 1 << 16


class Redactor:
    """Hides secrets in a text that comes in pieces, wherever the pieces are cut. Of secrets that overlap, the one that
    begins first is hidden, and of those the longest. A secret of several lines is hidden line by line too.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        given = {part for secret in secrets for part in (secret, *secret.splitlines())}
        self._secrets = sorted((part for part in given if len(part) >= SHORTEST_SECRET), key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, self._secrets)))
        self._kept = ""

    def feed(self, piece: str) -> str:
        """What can be shown by now."""
        text, shown, position = self._kept + piece, "", 0
        if not self._secrets:
            return text
        while True:
            match = self._pattern.search(text, position)
            open_from = self._open_from(text, position)
            if match is None or open_from <= match.start():
                self._kept = text[open_from:]
                return shown + text[position:open_from]
            shown += text[position : match.start()] + HIDDEN
            position = match.end()

    def flush(self) -> str:
        """The rest, when nothing more comes."""
        kept, self._kept = self._kept, ""
        return self._pattern.sub(HIDDEN, kept) if self._secrets else kept

    def hide(self, text: str) -> str:
        """The whole of a text."""
        return self._pattern.sub(HIDDEN, text) if self._secrets else text

    def _open_from(self, text: str, position: int) -> int:
        """Where a secret may begin whose end has not come yet."""
        longest = len(self._secrets[0])
        for start in range(max(position, len(text) - longest + 1), len(text)):
            if any(
                len(secret) > len(text) - start and text.endswith(secret[: len(text) - start])
                for secret in self._secrets
            ):
                return start
        return len(text)


class Lines:
    """Cuts text into lines of at most `bound` characters, with a marker where something was left out."""

    def __init__(self, bound: int) -> None:
        self._bound = bound
        self._line = ""
        self._left_out = 0

    def feed(self, text: str) -> list[str]:
        """The lines that ended."""
        *ended, rest = text.split("\n")
        lines = []
        for part in ended:
            self._extend(part)
            lines.append(self._take())
        self._extend(rest)
        return lines

    def flush(self) -> list[str]:
        """The last line, if it has no end of its own."""
        return [self._take()] if self._line or self._left_out else []

    def _extend(self, part: str) -> None:
        room = self._bound - len(self._line)
        self._line += part[:room]
        self._left_out += max(0, len(part) - room)

    def _take(self) -> str:
        line, left_out = self._line, self._left_out
        self._line, self._left_out = "", 0
        return f"{line} … {left_out} more characters" if left_out else line.removesuffix("\r")


class Allowance:
    """How much of a log is kept, whichever stream it comes from: then one line says so, and no more. Fewer lines than a
    job's log holds, so that its beginning is never pushed out.
    """

    def __init__(self, allowed_bytes: int, log: Callable[[str, str], None], allowed_lines: int = LINES) -> None:
        self._bounds = f"{allowed_bytes // 1024} KiB or {allowed_lines} lines"
        self._left = allowed_bytes
        self._lines_left = allowed_lines
        self._log = log

    @property
    def used_up(self) -> bool:
        """Whether nothing more is kept."""
        return self._left < 0 or self._lines_left < 0

    def add(self, stream: str, line: str) -> None:
        """Log a line, the marker in its place, or nothing."""
        if self.used_up:
            return
        self._left -= len(line.encode(errors="replace")) + 1
        self._lines_left -= 1
        if self.used_up:
            line = f"… the log is cut here, at {self._bounds}; the build goes on"
        self._log(stream, line)


class Stream:
    """One stream of bytes on its way into the log."""

    def __init__(self, name: str, secrets: Iterable[str], line_bound: int, allowance: Allowance) -> None:
        self._name = name
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._redactor = Redactor(secrets)
        self._lines = Lines(line_bound)
        self._allowance = allowance
        self._tail = b""

    @property
    def tail(self) -> str:
        """The end of all that came."""
        return self._redactor.hide(self._tail.decode(errors="replace")).rstrip()

    def feed(self, data: bytes) -> None:
        """Log the lines that ended."""
        self._tail = (self._tail + data)[-_TAIL_BYTES:]
        if not self._allowance.used_up:
            self._add(self._lines.feed(self._redactor.feed(self._decoder.decode(data))))

    def end(self) -> None:
        """Log the rest."""
        text = self._redactor.feed(self._decoder.decode(b"", final=True)) + self._redactor.flush()
        self._add([*self._lines.feed(text), *self._lines.flush()])

    def _add(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._allowance.add(self._name, line)
