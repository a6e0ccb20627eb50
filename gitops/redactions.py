"""Texts made fit to be shown: values of variables in manifests, and whatever looks secret, give way to numbers.

The same value has the same number, so that a difference can be seen and the value cannot.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import yaml

from gitops.problems import Refused
from gitops.yamlnodes import Map, Node, Scalar, Seq
from gitops.yamltext import parse

_KEYS: Final = r"(?:api|private|access|signing|encryption|session|master|licen[cs]e)[-_.]?key"
_NAMES: Final = (
    r"passw|passphrase|pass(?![a-z])|pwd|checksum|secret|token|credential|jwt|(?<![a-z])salt(?![a-z])|[-_.]auth(?![a-z])"
    rf"|{_KEYS}|\.dockerconfigjson"
)
_SECRET: Final = re.compile(rf"(?i){_NAMES}")
_ABOUT: Final = re.compile(r"(?i)(name|ref|path|seconds|mode)$")
_STORES: Final = ("Secret", "ConfigMap")
_CONTENTS: Final = ("data", "stringData", "binaryData")
_ISSUED: Final = (
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\beyJ[\w-]{8,1000}\.eyJ[\w-]|\bgh[opsur]_\w{20}|\bgithub_pat_\w{20}"
    r"|\bglpat-[\w-]{16}|\b[rs]k_(?:live|test)_\w{8}|\bxox[a-z]-\w{8}|\bA(?:K|S)IA[A-Z0-9]{16}\b"
)
"""Private keys and tokens as those who issue them write them."""
_REST: Final = r"[\w.-]{0,100}"
"""Bounded, as all that repeats here: the time for a text must not grow with the square of its length."""
_TELLING: Final = re.compile(rf"://[^/\s@]+@|(?i:{_NAMES}){_REST}[=:]\s*\S|{_ISSUED}")
"""A text that holds something secret: a user of a URL, `--password=…`, a token of a known form."""
_FLAG: Final = re.compile(rf"(?i)--?{_REST}({_NAMES}){_REST}")
"""An argument after which something secret follows."""
_REFERENCE: Final = frozenset({"secret", "key"})
"""The keys of a variable that is read from a Secret."""
_UNREADABLE: Final = "# this cannot be read as YAML, so it is not shown\n"


@dataclass
class Redaction:
    """Redacts texts that are to be compared with each other."""

    numbers: dict[str, int] = field(default_factory=dict)

    def manifests(self, text: str) -> str:
        """The documents of rendered manifests in one form; nothing of a text that cannot be read."""
        try:
            documents = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document is not None]
        except (yaml.YAMLError, ValueError, RecursionError):
            return _UNREADABLE
        shown = [self._document(document) for document in documents]
        return yaml.dump_all(shown, Dumper=yaml.CSafeDumper, allow_unicode=True, width=4096) if shown else ""

    def values(self, data: bytes, path: str) -> str:
        """A YAML file of ours as it stands, but for what looks secret; nothing of one that cannot be read."""
        try:
            document = parse(data, path)
        except Refused:
            return _UNREADABLE
        parts, done = [], 0
        for start, end, value in _secrets(document.root):
            line_end = "\n" if document.text[start:end].endswith("\n") else ""  # of what is written in a block
            parts += [document.text[done:start], f'"{self._hidden(value)}"{line_end}']
            done = end
        return "".join((*parts, document.text[done:]))

    def _document(self, document: object) -> object:
        if isinstance(document, Mapping) and document.get("kind") in _STORES:
            shown = self._mapping(document)
            return shown | {key: self._all(document[key]) for key in _CONTENTS if key in document}
        return self._shown(document)

    def _shown(self, value: object) -> object:
        match value:
            case Mapping():
                return self._mapping(value)
            case list():
                pairs = zip((None, *value), value, strict=False)
                return [self._all(item) if _is_flag(before) else self._shown(item) for before, item in pairs]
            case str() if _TELLING.search(value):
                return self._hidden(value)
        return value

    def _mapping(self, value: Mapping[object, object]) -> dict[object, object]:
        variable = "name" in value and "value" in value
        return {
            key: self._all(inner) if (variable and key == "value") or _is_secret(key, inner) else self._shown(inner)
            for key, inner in value.items()
        }

    def _all(self, value: object) -> object:
        match value:
            case Mapping():
                return {key: self._all(inner) for key, inner in value.items()}
            case list():
                return [self._all(item) for item in value]
        return self._hidden(value)

    def _hidden(self, value: object) -> str:
        return f"(redacted {self.numbers.setdefault(repr(value), len(self.numbers) + 1)})"


def _is_secret(key: object, value: object) -> bool:
    return isinstance(value, (str, list)) and _names_secret(str(key))


def _names_secret(key: str) -> bool:
    return bool(_SECRET.search(key)) and not _ABOUT.search(key)


def _is_flag(value: object) -> bool:
    return isinstance(value, str) and _FLAG.fullmatch(value) is not None


def _secrets(node: Node | None, *, hidden: bool = False) -> Iterator[tuple[int, int, object]]:
    """Where scalars that look secret stand, from first to last, and their values; true, false and null are none."""
    match node:
        case Map(entries=entries) if entries.keys() != _REFERENCE:
            for key, entry in entries.items():
                yield from _secrets(entry.node, hidden=hidden or _names_secret(key))
        case Seq(items=items):
            yield from _listed(items, hidden=hidden)
        case Scalar(start=start, end=end, value=value):
            telling = isinstance(value, str) and _TELLING.search(value)
            if (hidden or telling) and value is not None and not isinstance(value, bool):
                yield start, end, value


def _listed(items: Sequence[Node], *, hidden: bool) -> Iterator[tuple[int, int, object]]:
    flagged = False
    for item in items:
        yield from _secrets(item, hidden=hidden or flagged)
        flagged = isinstance(item, Scalar) and _is_flag(item.value)
