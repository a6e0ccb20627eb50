"""From Git to the cluster: what renders, delivers, keeps namespaces and secrets."""

from collections.abc import AsyncGenerator, Iterator, Sequence
from typing import Protocol

from adapters.records import Application, Gone, Manifests
from adapters.resource_nodes import ResourceNode
from gitops.rollouts import Observation
from gitops.tree import Tree


class Renderer(Protocol):
    """Helm."""

    def render(self, tree: Tree, project: str, environment: str) -> Manifests:
        """As `helm template base -f environments/<environment>/values.yaml` in the environment's namespace. Raises
        Refused(RenderFailed) with the chart's words; a render over its time or memory is one too.
        """
        ...

    def check(self, tree: Tree, project: str, environment: str) -> None:
        """Raise Refused where `render` would. What is sure to render need not be rendered for that."""
        ...

    def close(self) -> None:
        """End what was started for rendering."""
        ...


class Delivery(Protocol):
    """What brings Git to the cluster. Raises Unreachable('delivery')."""

    def applications(self, project: str) -> Sequence[Application]:
        """Those of a project that exist now, ours only."""
        ...

    def apply(self, application: Application) -> None:
        """Create or update it; nothing happens when it already is so. Raises Refused: AlreadyExists for what is not
        ours, Conflict BEING_DELETED while an earlier one is going.
        """
        ...

    def delete(self, application: Application) -> bool:
        """Ask for its end with all its resources; True once it is gone. Only if its identity matches."""
        ...

    def end(self, project: str) -> None:
        """Remove what was kept for a project as such, once its applications are gone; again is no error."""
        ...

    def refresh(self, project: str, environments: Sequence[str], head: str) -> None:
        """Look at Git again for exactly these environments; may return before it has. A hint that may be lost."""
        ...

    def sync(self, project: str, environments: Sequence[str], head: str) -> None:
        """Apply Git again to exactly these environments, when what runs there has ended; it has begun on return."""
        ...

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        """Everything it knows now, of one project or of all."""
        ...

    def watch(self) -> Iterator[Observation | Gone | None]:
        """Everything it knows, then what changes; None when there was nothing for a moment. Ends (or raises
        Unreachable) when the stream breaks: watch again.
        """
        ...


class ResourceTrees(Protocol):
    """What the delivery shows of an environment's objects. Raises Unreachable('delivery')."""

    def tree(self, project: str, environment: str) -> Sequence[ResourceNode] | None:
        """Its objects now, in the order of resource_nodes.in_order; None when the delivery has no such application."""
        ...

    def rings(self, project: str, environment: str) -> AsyncGenerator[None, None]:
        """An item whenever its tree may have changed: read it again. A hint, natively asynchronous, that may come late
        or be lost; ends when it cannot tell any more. Only after a `tree` that answered.
        """
        ...


class Cluster(Protocol):
    """The namespaces of environments. What Lucity did not make is never changed. Raises Unreachable('cluster')."""

    def check(self) -> None:
        """Find out whether it answers."""
        ...

    def namespaces(self, project: str) -> Sequence[Application]:
        """Those that Lucity made for a project and that exist now, the ones that are going too."""
        ...

    def is_foreign(self, namespace: str) -> bool:
        """Whether there is such a namespace and Lucity did not make it."""
        ...

    def ensure_namespace(self, application: Application) -> None:
        """Make it, with labels and all that settings put into it, or bring it up to date. Raises Refused: AlreadyExists
        for one that is not this environment's, Conflict BEING_DELETED while an earlier one is there.
        """
        ...

    def delete_namespace(self, application: Application) -> str | None:
        """Ask for its end; what it still waits for, None once it is gone. Only if its identity matches."""
        ...


class Secrets(Protocol):
    """Small secrets by name."""

    def get(self, name: str) -> bytes | None:
        """The secret, None when there is none."""
        ...

    def put(self, name: str, value: bytes) -> None:
        """Keep it, readable by Lucity only."""
        ...

    def delete(self, name: str) -> None:
        """Forget it; nothing happens when there is none."""
        ...
