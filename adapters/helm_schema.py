"""When a render may spare itself the chart's schema, which costs as much as the templates, and a check the render.

Image tags and digests change with every deploy. The schema judges each by a pattern alone, and our templates write them
as text: values that were accepted, or rendered, are so again with other ones of the same grammar. Nothing but those is
ever taken as given, and nothing where base/ holds a schema, or a template, that is not ours.
"""

import hashlib
from collections.abc import Callable
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


class Accepted:
    """Shapes of values that have passed with a base, as far as they are remembered: only where `is_sure` of the tree
    that all of one shape pass when one has. Safe for threads.
    """

    def __init__(self, is_sure: Callable[[Tree], bool]) -> None:
        self._is_sure = is_sure
        self._known: SizedCache[bool] = SizedCache(_KEPT_BASES)
        self._shapes: SizedCache[bool] = SizedCache(_KEPT_SHAPES)

    def has(self, base: str, *shape: str) -> bool:
        """Whether all values of this shape are sure to pass."""
        return self._shapes.get((base, *shape)) is not None

    def add(self, tree: Tree, base: str, *shape: str) -> None:
        """Remember that values of this shape have passed."""
        known = self._known.get(base)
        if known is None:
            known = self._known.put(base, self._is_sure(tree), 1)
        if known:
            self._shapes.put((base, *shape), value=True, size_bytes=1)


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


def has_our_schema_only(tree: Tree) -> bool:
    """Whether no schema but ours judges values: someone's own may allow some tags only, and one in an archive cannot be
    seen.
    """
    paths = list(tree.files(layout.BASE))
    if any(path.endswith(_ARCHIVE) for path in paths):
        return False
    ours = f"{layout.CHART_FOLDER}/{SCHEMA}"
    return [path for path in paths if not without_schemas(path)] == [ours] and tree.read(ours) in _carried_schemas()


def has_our_chart_only(tree: Tree) -> bool:
    """Whether base/ renders nothing but our chart, as we carry it: someone's own template may stop at some tags."""
    paths = set(tree.files(layout.BASE)) - {layout.BASE_CHART, layout.BASE_VALUES}
    return any(
        paths == {f"{layout.CHART_FOLDER}/{name}" for name in chart}
        and all(tree.read(f"{layout.CHART_FOLDER}/{name}") == data for name, data in chart.items())
        for chart in carried_charts().values()
    )


@cache
def _carried_schemas() -> frozenset[bytes]:
    return frozenset(chart[SCHEMA] for chart in carried_charts().values() if SCHEMA in chart)
