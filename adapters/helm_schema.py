"""When a render may spare itself the chart's schema, which costs as much as the templates.

Image tags and digests change with every deploy, and the schema judges each by a pattern alone. Values that it accepted
it accepts again with other ones of the same grammar, and nothing but those is ever taken as given.
"""

import hashlib
from functools import cache
from pathlib import PurePosixPath
from typing import Final

from adapters.charts import carried_charts
from gitops import layout
from gitops.caching import SizedCache
from gitops.names import Digest, Tag
from gitops.tree import Tree
from gitops.yamlnodes import Map, Node, Scalar
from gitops.yamltext import Document

SCHEMA: Final = "values.schema.json"
_ARCHIVE: Final = ".tgz"
_GRAMMARS: Final = {"tag": Tag.PATTERN, "digest": Digest.PATTERN}
_KEPT_BASES = 256
_KEPT_SHAPES = 4096


class AcceptedValues:
    """What the schema has accepted, as far as it is remembered. Safe for threads."""

    def __init__(self) -> None:
        self._known: SizedCache[bool] = SizedCache(_KEPT_BASES)
        self._shapes: SizedCache[bool] = SizedCache(_KEPT_SHAPES)

    def has(self, base: str, shape: str) -> bool:
        """Whether the schema in this base is sure to accept all values of this shape."""
        return self._shapes.get((base, shape)) is not None

    def add(self, tree: Tree, base: str, shape: str) -> None:
        """Remember that values of this shape were accepted; not where a schema may tell one tag from another."""
        known = self._known.get(base)
        if known is None:
            known = self._known.put(base, _has_our_schema_only(tree), 1)
        if known:
            self._shapes.put((base, shape), value=True, size_bytes=1)


def shape_of(values: Document) -> str:
    """A digest of the file's text without its image tags and digests, as far as those are valid texts."""
    pieces, end = [], 0
    for name, scalar in sorted(_image_texts(values.root), key=lambda found: found[1].start):
        # No YAML file holds the character NUL, so nothing written there passes for a replaced text.
        pieces += [values.text[end : scalar.start], f"\0{name}"]
        end = scalar.end
    text = "".join([*pieces, values.text[end:]])
    return hashlib.sha256(text.encode()).hexdigest()


def without_schemas(path: str) -> bool:
    """Whether a chart without its schemas has this file."""
    return PurePosixPath(path).name != SCHEMA


def _image_texts(root: Node | None) -> list[tuple[str, Scalar]]:
    services = _entries(_entries(_entries(root).get(layout.CHART)).get("services"))
    images = [_entries(_entries(service).get("image")) for service in services.values()]
    return [
        (name, scalar)
        for image in images
        for name, pattern in _GRAMMARS.items()
        if isinstance(scalar := image.get(name), Scalar)
        and scalar.style in (None, "'", '"')
        and isinstance(scalar.value, str)
        and pattern.fullmatch(scalar.value)
    ]


def _entries(node: Node | None) -> dict[str, Node]:
    return {key: entry.node for key, entry in node.entries.items()} if isinstance(node, Map) else {}


def _has_our_schema_only(tree: Tree) -> bool:
    """Someone's own schema may allow some tags only, and one in an archive cannot be seen."""
    paths = list(tree.files(layout.BASE))
    if any(path.endswith(_ARCHIVE) for path in paths):
        return False
    ours = f"{layout.CHART_FOLDER}/{SCHEMA}"
    return [path for path in paths if not without_schemas(path)] == [ours] and tree.read(ours) in _carried_schemas()


@cache
def _carried_schemas() -> frozenset[bytes]:
    return frozenset(chart[SCHEMA] for chart in carried_charts().values() if SCHEMA in chart)
