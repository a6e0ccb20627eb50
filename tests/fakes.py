"""In-memory twins of the ports, with state that tests read and set."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from adapters import labels
from adapters.ports import Unreachable
from adapters.records import Application
from gitops.problems import Conflict, ConflictCode, Refused


@dataclass
class FakeNamespace:
    """One namespace; `owner` None: a stranger's. It goes at once unless something `keeps` it."""

    owner: Application | None
    keeps: str | None = None
    going: bool = False


@dataclass
class FakeCluster:
    """ports.Cluster with its namespaces by name. `outage`: what it fails with instead of answering."""

    namespaces_by_name: dict[str, FakeNamespace] = field(default_factory=dict)
    outage: str | None = None

    def namespaces(self, project: str) -> Sequence[Application]:
        self._answer()
        owners = [found.owner for found in self.namespaces_by_name.values()]
        return [owner for owner in owners if owner is not None and owner.project == project]

    def is_foreign(self, namespace: str) -> bool:
        self._answer()
        found = self.namespaces_by_name.get(namespace)
        return found is not None and found.owner is None

    def ensure_namespace(self, application: Application) -> None:
        self._answer()
        found = self.namespaces_by_name.setdefault(application.namespace, FakeNamespace(application))
        if found.owner is None:
            raise Refused(labels.foreign(application.namespace))
        if found.going or found.owner.identity != application.identity:
            message = f"waiting for the earlier namespace {application.namespace} to be gone"
            raise Refused(Conflict(message, ConflictCode.BEING_DELETED))
        found.owner = application

    def delete_namespace(self, application: Application) -> str | None:
        self._answer()
        found = self.namespaces_by_name.get(application.namespace)
        if found is None or found.owner is None or found.owner.identity != application.identity:
            return None
        if not found.going:
            found.going = True
            return f"the namespace {application.namespace} is going"
        if found.keeps:
            return f"the namespace {application.namespace} is going; still in it: {found.keeps}"
        del self.namespaces_by_name[application.namespace]
        return None

    def _answer(self) -> None:
        if self.outage:
            raise Unreachable("cluster", self.outage)
