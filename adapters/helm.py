"""ports.Renderer with Helm: what `helm template base -f environments/<name>/values.yaml` says, or why it cannot."""

import errno
import hashlib
import tempfile
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, runtime_checkable

from adapters.helm_pipe import Ended, Exceeded, HelmPipe
from adapters.helm_schema import Accepted, has_our_chart_only, has_our_schema_only, shape_of, without_schemas
from adapters.ports import Unreachable
from adapters.records import Manifests
from gitops import layout, yamltext
from gitops.problems import InvalidRepository, NotFound, Refused, RenderFailed
from gitops.tree import Tree

_KEPT_RENDERS = 64
_KEPT_CHARACTERS = 1024 * 1024
_MESSAGE_CHARACTERS = 8000
_SHOWN_CHARACTERS = 80


@runtime_checkable
class Identified(Protocol):
    """A tree that knows its folders' Git object ids, which spares reading base/ to recognise it."""

    def oid(self, path: str) -> str | None:
        """Tell the object id of a file or folder as it is in this tree; None when that cannot be told."""
        ...


class HelmRenderer:
    """Renders in one process of its own, started when first needed and again when it ended. Safe for threads."""

    def __init__(self, scratch: Path, timeout_seconds: float = 10, memory_mib: int = 512) -> None:
        self._scratch = scratch.absolute()
        self._timeout_seconds = timeout_seconds
        self._memory_mib = memory_mib
        self._lock = threading.Lock()
        self._pipe: HelmPipe | None = None
        self._renders = _Renders()
        self._accepted = Accepted(has_our_schema_only)
        self._rendered = Accepted(has_our_chart_only)

    def render(self, tree: Tree, project: str, environment: str) -> Manifests:
        """See ports.Renderer.

        Also raises Refused(NotFound) without a values file, Refused(InvalidRepository) for one that is no YAML, and
        Unreachable('helm') when Helm cannot be started.
        """
        values = _values(tree, environment)
        base = _identity(tree)
        release = _release(project, environment)
        key = (base, hashlib.sha256(values.text.encode()).hexdigest(), release)
        rendered = self._renders.get(key)
        if rendered is None:
            chart, shape = _Chart(tree, base), shape_of(values)
            if self._accepted.has(base, shape):
                chart = _Chart(tree, f"{base} without schemas", without_schemas)
            request = {"base": chart.name, "folder": None, "values": values.text, "name": release, "namespace": release}
            rendered = _manifests(self._answer(chart, request, environment), environment)
            self._accepted.add(tree, base, shape)
            self._rendered.add(tree, base, shape, release)
            self._renders.put(key, rendered)
        return rendered

    def check(self, tree: Tree, project: str, environment: str) -> None:
        """See ports.Renderer. Raises what `render` does."""
        shape = shape_of(_values(tree, environment))
        if not self._rendered.has(_identity(tree), shape, _release(project, environment)):
            self.render(tree, project, environment)

    @property
    def pid(self) -> int | None:
        """The process' id; None while there is none."""
        return self._pipe.pid if self._pipe is not None else None

    def close(self) -> None:
        """End the process; a later render starts another."""
        with self._lock:
            if self._pipe is not None:
                self._pipe.close()
                self._pipe = None

    def _answer(self, chart: "_Chart", request: Mapping[str, Any], environment: str) -> dict[str, Any]:
        with self._lock:
            try:
                return self._ask_twice(chart, request)
            except (Ended, Exceeded) as error:
                raise Refused(RenderFailed(str(error), environment)) from error

    def _ask_twice(self, chart: "_Chart", request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(chart, request)
        except Ended:
            # Whoever ended it need not have meant this render; a chart that does so does it again.
            return self._ask(chart, request)

    def _ask(self, chart: "_Chart", request: Mapping[str, Any]) -> dict[str, Any]:
        pipe = self._running()
        answer = pipe.ask(dict(request))
        if "unknown" not in answer:
            return answer
        with tempfile.TemporaryDirectory(dir=self._scratch) as folder:
            _materialise(chart, Path(folder))
            answer = pipe.ask({**request, "folder": f"{folder}/{layout.BASE}"})
            if "error" in answer:
                answer["error"] = answer["error"].replace(f"{folder}/", "")
            return answer

    def _running(self) -> HelmPipe:
        if self._pipe is None or not self._pipe.usable:
            if self._pipe is not None:
                self._pipe.close()
            self._pipe = None
            self._scratch.mkdir(parents=True, exist_ok=True)
            try:
                self._pipe = HelmPipe(self._scratch, self._timeout_seconds, self._memory_mib)
            except (Ended, OSError) as error:
                raise Unreachable("helm", f"Helm cannot be started: {error}") from error
        return self._pipe


@dataclass(frozen=True)
class _Chart:
    """The tree's base/, or those files of it that `has` tells, by the name that Helm's process shall know it by."""

    tree: Tree
    name: str
    has: Callable[[str], bool] | None = None


class _Renders:
    """The last renders by what they were made of; an API process asks for the same ones again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, ...], Manifests] = OrderedDict()

    def get(self, key: tuple[str, ...]) -> Manifests | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def put(self, key: tuple[str, ...], rendered: Manifests) -> None:
        if sum(map(len, rendered.files.values())) > _KEPT_CHARACTERS:
            return
        with self._lock:
            self._kept[key] = rendered
            if len(self._kept) > _KEPT_RENDERS:
                self._kept.popitem(last=False)


def _values(tree: Tree, environment: str) -> yamltext.Document:
    path = layout.environment_values(environment)
    data = tree.read(path)
    if data is None:
        raise Refused(NotFound(f"Environment {environment} has no {path}", "environment", environment))
    return yamltext.parse(data, path)


def _release(project: str, environment: str) -> str:
    return f"{project}-{environment}"


def _identity(tree: Tree) -> str:
    oid = tree.oid(layout.BASE) if isinstance(tree, Identified) else None
    if oid is not None:
        return oid
    digest = hashlib.sha256()
    for path in tree.files(layout.BASE):
        data = tree.read(path) or b""
        digest.update(f"{len(path)} {path} {len(data)} ".encode() + data)
    return digest.hexdigest()


def _materialise(chart: _Chart, folder: Path) -> None:
    tree = chart.tree
    values = tree.read(layout.BASE_VALUES)
    if values is not None:
        yamltext.parse(values, layout.BASE_VALUES)
    for path in filter(chart.has, tree.files(layout.BASE)):
        if ".." in PurePosixPath(path).parts or path.startswith("/"):
            raise Refused(InvalidRepository("A path leaves its folder", path))
        _write(folder / path, tree.read(path) or b"", path)


def _write(target: Path, data: bytes, path: str) -> None:
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # Git takes names that no disk does
            message = f"{path[:_SHOWN_CHARACTERS]}… is too long a name for a file"
            raise Refused(InvalidRepository(message, path)) from None
        raise Unreachable("helm", f"the chart cannot be written to disk: {error.strerror}") from error


def _manifests(answer: Mapping[str, Any], environment: str) -> Manifests:
    if "error" not in answer:
        files = {path: text for path, text in answer["files"].items() if _is_manifest(path, text)}
        return Manifests(dict(sorted(files.items())))
    message = answer["error"].strip()[:_MESSAGE_CHARACTERS]
    if answer["values"]:
        raise Refused(InvalidRepository(message, layout.environment_values(environment)))
    raise Refused(RenderFailed(message, environment))


def _is_manifest(path: str, text: str) -> bool:
    return bool(text.strip()) and not path.endswith("/NOTES.txt")
