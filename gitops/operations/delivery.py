"""Asking the delivery to look again; makes no commit."""

from dataclasses import dataclass
from typing import ClassVar

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.layout import environment_folder
from gitops.operations.checks import Checks, open_environment, open_project
from gitops.tree import Tree


@dataclass(frozen=True)
class SyncEnvironment:
    """Bring an environment to what Git says, once more, e.g. after a failed sync."""

    KIND: ClassVar[JobKind] = JobKind.SYNC
    project: str
    environment: str

    services: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return f"sync {self.environment}"

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change. Nothing is written."""
        self.validate()
        open_project(tree, self.project)
        open_environment(tree, self.environment)
        return Draft(self.summary(), {})
