"""Rendered manifests made fit to be shown: values of variables and of what looks secret give way to numbers.

The same value has the same number, so that a difference can be seen and the value cannot.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import yaml

_SECRET: Final = re.compile(
    r"(?i)passw|checksum|secret|token|credential|api[-_.]?key|private[-_.]?key|\.dockerconfigjson"
)
_ABOUT: Final = re.compile(r"(Name|Ref|Path|Seconds|Mode)$")
_STORES: Final = ("Secret", "ConfigMap")
_CONTENTS: Final = ("data", "stringData", "binaryData")
_USER: Final = re.compile(r"://[^/\s@]+@")


@dataclass
class Redaction:
    """Redacts texts that are to be compared with each other."""

    numbers: dict[str, int] = field(default_factory=dict)

    def redact(self, text: str) -> str:
        """The documents of a YAML text in one form; nothing of a text that cannot be read."""
        try:
            documents = [document for document in yaml.load_all(text, yaml.CSafeLoader) if document is not None]
        except yaml.YAMLError:
            return "# this cannot be read as YAML, so it is not shown\n"
        shown = [self._document(document) for document in documents]
        return yaml.dump_all(shown, Dumper=yaml.CSafeDumper, allow_unicode=True, width=4096) if shown else ""

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
                return [self._shown(item) for item in value]
            case str() if _USER.search(value):
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
    name = str(key)
    return isinstance(value, str) and bool(_SECRET.search(name)) and not _ABOUT.search(name)
