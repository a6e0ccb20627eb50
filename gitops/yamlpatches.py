"""The smallest replacements in a YAML text that turn its values into wanted ones.

Only gitops/yamltext.py calls this, and it checks the outcome.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from gitops.yamlnodes import Entry, Map, Node, Scalar, Seq, plain, same
from gitops.yamlscalars import block_entry, block_value, flow, key_text

_HEADER = re.compile(r"[|>][-+0-9]*")


class Patch(NamedTuple):
    """Characters [start, end) become `text`."""

    start: int
    end: int
    text: str


def patch(text: str, root: Map | None, target: dict[str, object]) -> str:
    """The text with exactly the values of `target`."""
    patches = sorted(_Patches(text).document(root, target), key=lambda each: (each.start, each.end))
    for each in reversed(patches):
        text = text[: each.start] + each.text + text[each.end :]
    return text


class _Patches:
    """Finds the patches of one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.newline = "\r\n" if "\r\n" in text[: text.find("\n") + 1] else "\n"

    def document(self, root: Map | None, target: dict[str, object]) -> Iterator[Patch]:
        """Patches of the whole text."""
        if root is not None:
            yield from self.mapping(root, target)
        elif target:
            lines = [line for key, value in target.items() for line in block_entry(key, value, "")]
            yield self.lines_at(len(self.text), lines)

    def mapping(self, node: Map, target: Mapping[str, object]) -> Iterator[Patch]:
        """Patches inside a mapping that stays one."""
        removed = [key for key in node.entries if key not in target]
        added = {key: value for key, value in target.items() if key not in node.entries}
        if node.flow:
            yield from self.flow_mapping(node, target, removed, added)
            return
        for key in removed:
            yield self.removal(node.entries[key])
        for key, entry in node.entries.items():
            if key in target:
                yield from self.value(entry, target[key])
        if added:
            yield self.addition(node, added, removed=list(node.entries)[-1] in removed)

    def value(self, entry: Entry, target: object) -> Iterator[Patch]:
        """Patches of the value of a key in a block mapping."""
        node = entry.node
        if isinstance(node, Map) and isinstance(target, dict) and (node.flow or node.entries.keys() & target.keys()):
            yield from self.mapping(node, target)
        elif same(plain(node), target):
            return
        elif isinstance(node, Seq) and isinstance(target, list) and _alike(node, target):
            for item, wanted in zip(node.items, target, strict=True):
                if isinstance(item, Map):
                    yield from self.mapping(item, wanted)
        else:
            yield from self.replacement(entry, target)

    def replacement(self, entry: Entry, target: object) -> Iterator[Patch]:
        """A value's characters for those of another; a comment on the key's line stays."""
        node = entry.node
        indent = " " * entry.column
        lines = block_value(target, indent)
        start, end, body = self.inline(entry)
        yield Patch(start, end, "" if lines else f" {flow(target)}")
        if body:
            yield Patch(*body, "")
        if lines:
            at = body[1] if body else self.line_end(max(end, node.start))
            yield self.lines_at(at, lines)

    def inline(self, entry: Entry) -> tuple[int, int, tuple[int, int] | None]:
        """What a value takes on its key's line, and the lines below that are its own."""
        node = entry.node
        colon = self.text.index(":", entry.end) + 1
        if isinstance(node, Scalar) and node.style in ("|", ">"):
            header = _HEADER.match(self.text, node.start)
            return colon, header.end() if header else node.start, (self.line_end(node.start), self.content_end(node))
        if not isinstance(node, Scalar) and not node.flow:
            return colon, colon, (self.line_start(node.start), self.line_end(self.content_end(node)))
        return colon, max(colon, node.end), None

    def removal(self, entry: Entry) -> Patch:
        """All lines of a key in a block mapping, with their line ends."""
        start, end = self.line_start(entry.start), self.line_end(self.content_end(entry.node, entry))
        if end == len(self.text) and not self.text.endswith("\n") and start:
            start -= len(self.newline) if self.text.endswith(self.newline, 0, start) else 1
        return Patch(start, end, "")

    def addition(self, node: Map, added: Mapping[str, object], *, removed: bool) -> Patch:
        """New keys below the last one of a block mapping, which may be going away itself."""
        last = list(node.entries.values())[-1]
        indent = " " * last.column
        lines = [line for key, value in added.items() for line in block_entry(key, value, indent)]
        end = self.content_end(last.node, last)
        if self.open_block_scalar(last.node) and not removed:
            start = self.line_start(last.start)
            return Patch(start, start, "".join(line + self.newline for line in lines))
        return self.lines_at(self.line_end(end), lines)

    def flow_mapping(
        self, node: Map, target: Mapping[str, object], removed: list[str], added: Mapping[str, object]
    ) -> Iterator[Patch]:
        """Patches inside `{…}`; rewritten as a whole where its parts cannot be told apart."""
        entries = list(node.entries.items())
        changed = [key for key, entry in entries if key in target and not same(plain(entry.node), target[key])]
        unclear = [*changed, *(key for key, _ in entries[-2:] if removed == [entries[-1][0]])]
        if any(_implied(node.entries[key].node) for key in unclear) or len(removed) + bool(changed or added) > 1:
            if removed or added or changed:
                yield Patch(node.start, node.end, flow(dict(target)))
            return
        for key in changed:
            yield from self.flow_value(node.entries[key].node, target[key])
        if removed:
            yield self.flow_removal(list(node.entries.values()), list(node.entries).index(removed[0]))
        if added:
            yield self.flow_addition(node, added)

    def flow_value(self, node: Node, target: object) -> Iterator[Patch]:
        """Patches of a value inside `{…}`."""
        if isinstance(node, Map) and isinstance(target, dict):
            yield from self.mapping(node, target)
        else:
            yield Patch(node.start, node.end, flow(target))

    def flow_addition(self, node: Map, added: Mapping[str, object]) -> Patch:
        """New keys behind the others; before them when the last one has no value whose end could be seen."""
        entries = list(node.entries.values())
        text = ", ".join(f"{key_text(key)}: {flow(value)}" for key, value in added.items())
        if not entries:
            return Patch(node.start + 1, node.start + 1, text)
        if _implied(entries[-1].node):
            return Patch(entries[0].start, entries[0].start, f"{text}, ")
        return Patch(entries[-1].node.end, entries[-1].node.end, f", {text}")

    def flow_removal(self, entries: list[Entry], place: int) -> Patch:
        """One key of `{…}` with the comma that goes with it."""
        if place + 1 < len(entries):
            return Patch(entries[place].start, entries[place + 1].start, "")
        start = entries[place - 1].node.end if place else entries[place].start
        return Patch(start, entries[place].node.end, "")

    def lines_at(self, at: int, lines: list[str]) -> Patch:
        """New lines at the beginning of a line, or after a last line that has no end."""
        if at and at == len(self.text) and not self.text.endswith("\n"):
            return Patch(at, at, "".join(self.newline + line for line in lines))
        return Patch(at, at, "".join(line + self.newline for line in lines))

    def content_end(self, node: Node, entry: Entry | None = None) -> int:
        """Where the last character of a value stands: trailing comments and blank lines are not the value's."""
        if isinstance(node, Scalar):
            if node.style in ("|", ">"):
                return self.block_scalar_end(node)
            return max(node.end, self.text.index(":", entry.end) + 1) if entry and node.start == node.end else node.end
        if node.flow:
            return node.end
        if isinstance(node, Seq):
            last = node.items[-1]
            return max(self.content_end(last), node.start + 1)
        last_entry = list(node.entries.values())[-1]
        return self.content_end(last_entry.node, last_entry)

    def block_scalar_end(self, node: Scalar) -> int:
        """After the last line with text, or after the kept blank lines of `|+`."""
        header = _HEADER.match(self.text, node.start)
        if header and "+" in header[0]:
            return node.end
        text = self.text[node.start : node.end].rstrip(" \t\r\n")
        return min(node.end, self.line_end(node.start + len(text)))

    def open_block_scalar(self, node: Node) -> bool:
        """Whether a value ends in a block scalar that runs to the end of a text without a last line end."""
        while not isinstance(node, Scalar):
            if node.flow:
                return False
            node = node.items[-1] if isinstance(node, Seq) else list(node.entries.values())[-1].node
        return (
            node.style in ("|", ">") and not self.text.endswith("\n") and self.block_scalar_end(node) == len(self.text)
        )

    def line_start(self, at: int) -> int:
        """The beginning of the line of a character."""
        return self.text.rfind("\n", 0, at) + 1

    def line_end(self, at: int) -> int:
        """After the line end of a character's line; `at` itself where a line has just ended."""
        if at and self.text[at - 1] == "\n":
            return at
        end = self.text.find("\n", at)
        return len(self.text) if end < 0 else end + 1


def _alike(node: Seq, target: list[object]) -> bool:
    """Whether two lists differ only in values inside their mappings, which then can be changed one by one."""
    return len(node.items) == len(target) and all(
        isinstance(wanted, dict) and item.entries.keys() == wanted.keys()
        if isinstance(item, Map)
        else same(plain(item), wanted)
        for item, wanted in zip(node.items, target, strict=True)
    )


def _implied(node: Node) -> bool:
    """Whether a value is null because nothing stands there."""
    return isinstance(node, Scalar) and node.start == node.end
