"""A project's first commit and its last."""

from dataclasses import dataclass
from typing import ClassVar, Final

from gitops.births import environment_files, project_files
from gitops.changes import Context, Draft, JobKind, Ref
from gitops.layout import PROJECT
from gitops.operations.checks import Checks
from gitops.problems import AlreadyExists, Conflict, ConflictCode, NotFound, Refused
from gitops.repository import read_settings
from gitops.subjects import Action, Subject, render_subject
from gitops.tree import Tree
from gitops.yamltext import edit

MAX_ENVIRONMENTS: Final = 50


@dataclass(frozen=True)
class CreateProject:
    """A repository with README, base chart, vendored lucity-app and environments, in the order of the pipeline."""

    KIND: ClassVar[JobKind] = JobKind.PROJECT_CREATE
    project: str
    environments: tuple[str, ...] = ("development", "staging", "production")

    services: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = ()

    @property
    def creates(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("project", self.project), *(Ref("environment", name) for name in self.environments))

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project, "name")
        many = len(self.environments) > MAX_ENVIRONMENTS
        checks.require(not many, f"at most {MAX_ENVIRONMENTS} environments can be created at once", "environments")
        for index, name in enumerate(self.environments[:MAX_ENVIRONMENTS]):
            checks.environment(name, "environments", str(index))
            checks.require(name not in self.environments[:index], f"{name} is named twice", "environments", str(index))
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.PROJECT_CREATE, value=self.project))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        if read_settings(tree)[0].deleting:
            raise Refused(Conflict(f"the project {self.project} is still being deleted", ConflictCode.BEING_DELETED))
        if tree.folder(""):
            message = f"the project {self.project} exists: choose another name"
            raise Refused(AlreadyExists(message, "project", self.project))
        files = project_files(self.project, self.environments, context.charts)
        for name in self.environments:
            files |= environment_files(name)
        return Draft(self.summary(), files)


@dataclass(frozen=True)
class DeleteProject:
    """Mark the project as being deleted; all the rest follows from that mark."""

    KIND: ClassVar[JobKind] = JobKind.PROJECT_DELETE
    project: str
    confirm: str

    environments: ClassVar[tuple[str, ...]] = ()
    services: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[Ref, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (PROJECT,)

    @property
    def deletes(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("project", self.project),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project, "name")
        checks.require(self.confirm == self.project, "repeat the project's name here to delete it", "confirm")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.PROJECT_DELETE, value=self.project))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change. A project.yaml that cannot be read does not stop a deletion: it is replaced."""
        self.validate()
        if not tree.folder(""):
            raise Refused(NotFound(f"the project {self.project} does not exist", "project", self.project))
        settings, problems = read_settings(tree)
        if settings.deleting:
            return Draft(self.summary(), {})
        present = b"" if problems else tree.read(PROJECT) or b""
        return Draft(self.summary(), {PROJECT: edit(present, PROJECT, [(("deleting",), True)])})
