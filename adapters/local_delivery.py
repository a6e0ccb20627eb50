"""Delivery without a cluster: renders environments with Helm, keeps the manifests, and reports exactly what it knows.

One folder per environment below the root: `application.json`, `status.json`, `tree.json` (see local_tree.py) and
`manifests/`. It never claims a health that it did not observe: nothing here runs containers.
"""

import hashlib
import shutil
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import yaml

from adapters.codec import dumps, loads
from adapters.durable import replace
from adapters.local_tree import HEALTH_UNKNOWN, identity, images, is_object, keep_tree, modified
from adapters.ports import Renderer, Repositories
from adapters.records import Application, Manifests
from gitops.problems import InvalidRepository, Problem, Refused, RenderFailed
from gitops.rollouts import Condition, HealthStatus, Observation, ResourceStatus, SyncStatus
from gitops.verdicts import RENDER_ERROR

_WATCH_SECONDS = 0.1
_LONGEST_NAME = 255
T = TypeVar("T")


class LocalDelivery:
    """ports.Delivery on a folder, for one machine. Any process may refresh; `watch` sees it in all."""

    def __init__(self, root: Path, repositories: Repositories, renderer: Renderer) -> None:
        self._root = root
        self._repositories = repositories
        self._renderer = renderer

    def applications(self, project: str) -> Sequence[Application]:
        """See ports.Delivery."""
        return _read_all(Application, sorted((self._root / project).glob("*/application.json")))

    def apply(self, application: Application) -> None:
        """See ports.Delivery."""
        folder = self._folder(application.project, application.environment)
        folder.mkdir(parents=True, exist_ok=True)
        text = dumps(application)
        kept = folder / "application.json"
        if not kept.exists() or kept.read_text() != text:
            replace(kept, text.encode(), 0o600)

    def delete(self, application: Application) -> bool:
        """See ports.Delivery."""
        folder = self._folder(application.project, application.environment)
        kept = folder / "application.json"
        if kept.exists() and loads(Application, kept.read_text()).identity == application.identity:
            kept.unlink()
            shutil.rmtree(folder, ignore_errors=True)
        return True

    def end(self, project: str) -> None:
        """See ports.Delivery."""
        shutil.rmtree(self._root / project, ignore_errors=True)

    def refresh(self, project: str, environments: Sequence[str], head: str) -> None:
        """See ports.Delivery. Renders now; what is rendered belongs to `head`."""
        for environment in environments:
            kept = self._folder(project, environment) / "application.json"
            if kept.exists():
                self._render(loads(Application, kept.read_text()), head)

    def sync(self, project: str, environments: Sequence[str], head: str) -> None:
        """See ports.Delivery. Nothing runs here, so to apply again is to render again."""
        self.refresh(project, environments, head)

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        """See ports.Delivery."""
        return _read_all(Observation, sorted(self._root.glob(f"{project or '*'}/*/status.json")))

    def watch(self) -> Iterator[Observation | None]:
        """See ports.Delivery. Never ends by itself."""
        seen: dict[Path, int] = {}
        looked_at = -1
        while True:
            changed = modified(self._root / "changed")
            if changed != looked_at:
                before, seen, looked_at = seen, self._times(), changed
                yield from _read_all(Observation, [path for path, at in seen.items() if before.get(path) != at])
            yield None
            time.sleep(_WATCH_SECONDS)

    def _times(self) -> dict[Path, int]:
        return {path: modified(path) for path in self._root.glob("*/*/status.json")}

    def _folder(self, project: str, environment: str) -> Path:
        return self._root / project / environment

    def _render(self, application: Application, head: str) -> None:
        tree = self._repositories.snapshot(application.project, head)
        try:
            manifests = self._renderer.render(tree, application.project, application.environment)
            documents = list(_documents(manifests, application.environment))
        except Refused as refusal:
            self._keep(application, _broken(application, head, _told(refusal.problem)))
        else:
            self._keep_manifests(application, manifests)
            keep_tree(self._folder(application.project, application.environment), application, documents)
            self._keep(application, _synced(application, head, documents))

    def _keep(self, application: Application, observation: Observation) -> None:
        folder = self._folder(application.project, application.environment)
        replace(folder / "status.json", dumps(observation).encode(), 0o600)
        (self._root / "changed").touch()

    def _keep_manifests(self, application: Application, manifests: Manifests) -> None:
        folder = self._folder(application.project, application.environment)
        fresh = folder / "manifests.new"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        for name, text in manifests.files.items():
            (fresh / _file_name(name)).write_text(text)
        shutil.rmtree(folder / "manifests", ignore_errors=True)
        fresh.rename(folder / "manifests")


def _file_name(template: str) -> str:
    """One file for each template, however deep and long its path is."""
    flat = template.replace("/", "_")
    return flat if len(flat.encode()) <= _LONGEST_NAME else hashlib.sha256(template.encode()).hexdigest()


def _read_all(kind: type[T], paths: Iterable[Path]) -> list[T]:
    """What these files hold; one that another process has just removed holds nothing."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append(loads(kind, path.read_text()))
    return found


class _Loader(yaml.CSafeLoader):
    """Reads dates as text, as Helm does: one that is in no calendar is nobody's fault."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - its base says what it is
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
    }


def _documents(manifests: Manifests, environment: str) -> Iterator[dict[str, Any]]:
    """The objects, lists of them taken apart. Raises Refused(RenderFailed) for what is none: a project's own templates
    may render anything.
    """
    for template, text in manifests.files.items():
        try:
            found = [document for document in yaml.load_all(text, _Loader) if document]
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise Refused(RenderFailed(f"{template} renders no YAML: {error}", environment)) from error
        for document in found:
            items = document.get("items") if isinstance(document, dict) and document.get("kind") == "List" else None
            for one in items if isinstance(items, list) else [document]:
                if not is_object(one):
                    message = f"{template} renders what is no object with apiVersion, kind and metadata.name"
                    raise Refused(RenderFailed(message, environment))
                yield one


def _synced(application: Application, head: str, documents: Sequence[dict[str, Any]]) -> Observation:
    resources = tuple(_resource(application, document) for document in documents)
    named = tuple(sorted({image for document in documents for image in images(document)}))
    return _observation(application, head, SyncStatus.SYNCED, HEALTH_UNKNOWN, resources=resources, images=named)


def _told(problem: Problem) -> str:
    if isinstance(problem, InvalidRepository) and not problem.message.startswith(problem.path):
        return f"{problem.path}: {problem.message}"
    return problem.message


def _broken(application: Application, head: str, message: str) -> Observation:
    condition = Condition("ComparisonError", f"{RENDER_ERROR}: {message}", datetime.now(UTC))
    return _observation(application, head, SyncStatus.UNKNOWN, message, conditions=(condition,))


def _observation(
    application: Application,
    head: str,
    sync: SyncStatus,
    message: str,
    *,
    resources: tuple[ResourceStatus, ...] = (),
    conditions: tuple[Condition, ...] = (),
    images: tuple[str, ...] = (),
) -> Observation:
    return Observation(
        project=application.project,
        environment=application.environment,
        identity=application.identity,
        sync=sync,
        health=HealthStatus.UNKNOWN,
        revision=head,
        message=message,
        observed_at=datetime.now(UTC),
        resources=resources,
        conditions=conditions,
        images=images,
        health_observable=False,
    )


def _resource(application: Application, document: dict[str, Any]) -> ResourceStatus:
    group, version, kind, name = identity(document)
    return ResourceStatus(
        group=group,
        version=version,
        kind=kind,
        namespace=application.namespace,
        name=name,
        service=_service(document["metadata"].get("labels")),
        sync=SyncStatus.SYNCED,
        health=HealthStatus.UNKNOWN,
    )


def _service(labels: object) -> str | None:
    named = labels.get("lucity.dev/service") if isinstance(labels, dict) else None
    return named if isinstance(named, str) else None
