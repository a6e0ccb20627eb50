"""Reading and editing YAML files without touching what was not asked for: comments, order, quoting, line ends stay.

What an edit added, `unset` takes away byte for byte. Refuses files that gitops/yamlnodes.py refuses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gitops.caching import SizedCache
from gitops.problems import Refused
from gitops.yamlnodes import MAX_BYTES, Entry, Map, Node, Scalar, Seq, broken, compose, plain, same
from gitops.yamlpatches import patch

Key = tuple[str, ...]
_BOM: Final = "\ufeff"


@dataclass(frozen=True)
class Document:
    """One YAML file, read. `root` is None when the file holds no value (comments only)."""

    text: str
    """Without a byte order mark."""
    bom: bool
    root: Map | None

    @property
    def data(self) -> dict[str, object]:
        """The values as Helm reads them, as new dictionaries and lists at every access."""
        values = plain(self.root)
        return values if isinstance(values, dict) else {}

    def line_of(self, key: Key) -> int:
        """The line (from 1) of a key, or of the nearest parent that there is."""
        at = 0
        node: Node | None = self.root
        for segment in key:
            entry = node.entries.get(segment) if isinstance(node, Map) else None
            if entry is None:
                break
            at, node = entry.start, entry.node
        return self.text.count("\n", 0, at) + 1

    def lines_of(self, key: Key) -> range | None:
        """The lines (from 1) of a key and all below it; None when there is no such key."""
        node: Node | None = self.root
        entry: Entry | None = None
        for segment in key:
            entry = node.entries.get(segment) if isinstance(node, Map) else None
            if entry is None:
                return None
            node = entry.node
        if entry is None:
            return None
        end = len(self.text[: max(entry.end, _end(entry.node))].rstrip())
        return range(self.text.count("\n", 0, entry.start) + 1, self.text.count("\n", 0, end) + 2)


def _end(node: Node) -> int:
    """Where the last value of a node ends; of what is written in blocks the parser also counts what follows."""
    match node:
        case Map(flow=False, entries=entries) if entries:
            return max(max(entry.end, _end(entry.node)) for entry in entries.values())
        case Seq(flow=False, items=items) if items:
            return max(_end(item) for item in items)
    return node.end


def parse(data: bytes, path: str, *, keep: bool = True) -> Document:
    """The file's document; the same bytes are read once, unless they are not to be kept because nobody will ask again.
    Raises Refused(InvalidRepository) with path, line, column.
    """
    kept = _PARSED.get(data)
    if kept is not None or not keep:
        return kept or _read(data, path)
    return _PARSED.put(data, _read(data, path), len(data) + 1024)


def edit(data: bytes, path: str, set: Sequence[tuple[Key, object]] = (), unset: Sequence[Key] = ()) -> bytes:  # noqa: A002
    """The file with some keys set and then some removed; equal bytes when nothing changes.

    Missing parents are made. A block mapping whose last key is removed goes with it; `{}` stays.
    Raises Refused(InvalidRepository) when the file cannot be read, a parent is no mapping, or no safe edit is found.
    """
    document = parse(data, path)
    target = document.data
    for key, value in set:
        _put(target, key, value, path)
    for key in unset:
        _remove(target, key, document.root)
    text = patch(document.text, document.root, target)
    edited = ((_BOM if document.bom else "") + text).encode()
    if len(edited) > MAX_BYTES:
        raise broken(path, f"the file would become larger than {MAX_BYTES // 1024} KiB")
    if edited != data and not _holds(edited, path, target):
        raise broken(path, "its layout cannot be edited safely; simplify it by hand and try again")
    return edited


def _holds(data: bytes, path: str, target: dict[str, object]) -> bool:
    try:
        return same(parse(data, path).data, target)
    except Refused:
        return False


def _read(data: bytes, path: str) -> Document:
    if len(data) > MAX_BYTES:
        raise broken(path, f"larger than {MAX_BYTES // 1024} KiB", data.count(b"\n", 0, MAX_BYTES) + 1, 1)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        start = data[: error.start]
        column = error.start - (start.rfind(b"\n") + 1) + 1
        raise broken(path, "this is not UTF-8 text", start.count(b"\n") + 1, column) from None
    bom = text.startswith(_BOM)
    text = text.removeprefix(_BOM)
    root = compose(text, path)
    if isinstance(root, Scalar) and root.value is None:
        root = None
    if root is not None and not isinstance(root, Map):
        raise broken(path, "the file must hold a mapping (key: value)", 1, 1)
    return Document(text, bom, root)


def _put(target: dict[str, object], key: Key, value: object, path: str) -> None:
    for depth, segment in enumerate(key[:-1], start=1):
        inner = target.get(segment)
        if inner is None:
            inner = target[segment] = {}
        if not isinstance(inner, dict):
            raise broken(path, f"{'.'.join(key[:depth])} holds a value, so nothing can be set below it")
        target = inner
    target[key[-1]] = value


def _remove(target: dict[str, object], key: Key, node: Node | None) -> None:
    """Remove a key, and every mapping that becomes empty by it, but for the outermost `{…}`: somebody wrote it."""
    inner = target.get(key[0])
    if len(key) == 1:
        target.pop(key[0], None)
        return
    if not isinstance(inner, dict) or not inner:
        return
    entry = node.entries.get(key[0]) if isinstance(node, Map) else None
    below = entry.node if entry else None
    _remove(inner, key[1:], below)
    outermost = isinstance(below, Map) and below.flow and not (isinstance(node, Map) and node.flow)
    if not inner and not outermost:
        del target[key[0]]


_PARSED: Final[SizedCache[Document]] = SizedCache(8 * 1024 * 1024)
