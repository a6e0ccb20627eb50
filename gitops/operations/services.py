"""Services of a project: added to, changed in and removed from base/values.yaml."""

from dataclasses import dataclass
from typing import ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref
from gitops.holds import hold_key
from gitops.layout import BASE_VALUES, ENVIRONMENTS, environment_settings, environment_values
from gitops.messages import SERVICE
from gitops.names import BranchName, ImageRepository, SourceUrl
from gitops.operations.checks import Checks, base_services, changed, no_service, open_base, open_project
from gitops.problems import AlreadyExists, Refused
from gitops.repository import SERVICES, environment_names, read_environment
from gitops.services import Source
from gitops.subjects import Action, Subject, render_subject
from gitops.tree import Tree
from gitops.values import Key, table
from gitops.yamltext import edit, parse

MAX_PORT: Final = 65535
MAX_REPLICAS: Final = 1000
MAX_COMMAND: Final = 100
MAX_TEXT: Final = 4096


@dataclass(frozen=True)
class AddService:
    """A new service, for all environments; it runs where it is deployed."""

    KIND: ClassVar[JobKind] = JobKind.SERVICE_ADD
    project: str
    service: str
    image: str
    port: int | None = None
    command: tuple[str, ...] | None = None
    replicas: int = 1
    source: Source | None = None

    environments: ClassVar[tuple[str, ...]] = ()
    needs: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (BASE_VALUES,)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,)

    @property
    def creates(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("service", self.service),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.service(self.service)
        checks.parse(ImageRepository.parse, self.image, "image")
        check_details(checks, self.port, self.command, self.source)
        checks.require(0 <= self.replicas <= MAX_REPLICAS, f"between 0 and {MAX_REPLICAS}", "replicas")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.ADD_SERVICE, images=((self.service, ""),)))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if self.service in base_services(tree):
            message = f"the service {self.service} exists: change it with updateService, or choose another name"
            raise Refused(AlreadyExists(message, "service", self.service))
        values: dict[str, object] = {"image": {"repository": self.image}}
        details = {"port": self.port, "command": self.command and list(self.command), "replicas": self.replicas}
        values |= {key: value for key, value in details.items() if value is not None}
        if self.source:
            values["source"] = source_values(self.source)
        edited = edit(open_base(tree), BASE_VALUES, [((*SERVICES, self.service), values)])
        return Draft(self.summary(), {BASE_VALUES: edited}, trailers=((SERVICE, self.service),))


@dataclass(frozen=True)
class UpdateService:
    """Other details of a service. None leaves one as it is; `removes` may name port, command and source."""

    KIND: ClassVar[JobKind] = JobKind.SERVICE_UPDATE
    REMOVABLE: ClassVar[tuple[str, ...]] = ("port", "command", "source")
    project: str
    service: str
    image: str | None = None
    port: int | None = None
    command: tuple[str, ...] | None = None
    source: Source | None = None
    removes: tuple[str, ...] = ()

    environments: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (BASE_VALUES,)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("service", self.service),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.service(self.service)
        if self.image is not None:
            checks.parse(ImageRepository.parse, self.image, "image")
        check_details(checks, self.port, self.command, self.source)
        for name in self.removes:
            checks.require(name in self.REMOVABLE, "a service cannot be without it", name)
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.UPDATE_SERVICE, images=((self.service, ""),)))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if self.service not in base_services(tree):
            raise no_service(self.service)
        key = (*SERVICES, self.service)
        given: dict[Key, object] = {
            (*key, "image", "repository"): self.image,
            (*key, "port"): self.port,
            (*key, "command"): None if self.command is None else list(self.command),
            (*key, "source"): self.source and source_values(self.source),
        }
        sets = [(place, value) for place, value in given.items() if value is not None]
        edited = edit(open_base(tree), BASE_VALUES, sets, [(*key, name) for name in self.removes])
        return Draft(self.summary(), changed(tree, {BASE_VALUES: edited}), trailers=((SERVICE, self.service),))


@dataclass(frozen=True)
class RemoveService:
    """Take a service away from base and from every environment."""

    KIND: ClassVar[JobKind] = JobKind.SERVICE_REMOVE
    project: str
    service: str

    environments: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (BASE_VALUES, ENVIRONMENTS)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("service", self.service),)

    @property
    def deletes(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("service", self.service),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.service(self.service)
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.REMOVE_SERVICE, images=((self.service, ""),)))

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if self.service not in base_services(tree):
            raise no_service(self.service)
        paths = [BASE_VALUES, *map(environment_values, environment_names(tree))]
        files = {path: data for path in paths if (data := tree.read(path)) is not None}
        writes = {path: self._without(data, path) for path, data in files.items()}
        for name in environment_names(tree):
            if any(hold.service == self.service for hold in read_environment(tree, name).holds):
                path = environment_settings(name)
                writes[path] = edit(tree.read(path) or b"", path, unset=[hold_key(self.service)])
        return Draft(self.summary(), changed(tree, writes), trailers=((SERVICE, self.service),))

    def _without(self, data: bytes, path: str) -> bytes:
        key = (*SERVICES, self.service)
        if self.service not in table(parse(data, path).data, SERVICES):
            return data
        return edit(data, path, unset=[key])


def check_details(checks: Checks, port: int | None, command: tuple[str, ...] | None, source: Source | None) -> None:
    """Check what adding and updating have in common."""
    if port is not None:
        checks.require(1 <= port <= MAX_PORT, f"between 1 and {MAX_PORT}", "port")
    if command is not None:
        checks.require(len(command) <= MAX_COMMAND, f"at most {MAX_COMMAND} parts", "command")
        for index, part in enumerate(command[:MAX_COMMAND]):
            checks.text(part, MAX_TEXT, "command", str(index))
    if source is not None:
        checks.text(source.branch, MAX_TEXT, "source", "branch")
        checks.parse(BranchName.parse, source.branch, "source", "branch")
        fields = {"contextPath": source.context_path, "dockerfile": source.dockerfile}
        for name, text in fields.items():
            checks.text(text, MAX_TEXT, "source", name)
            checks.require(
                bool(text) and not text.startswith("-"), "must be given and not begin with -", "source", name
            )
        checks.text(source.repository_url, MAX_TEXT, "source", "repositoryUrl")
        checks.parse(SourceUrl.parse, source.repository_url, "source", "repositoryUrl")
        for name, text in fields.items():
            inside = not text.startswith("/") and ".." not in text.split("/")
            checks.require(inside, "a path inside the repository, without ..", "source", name)


def source_values(source: Source) -> dict[str, object]:
    """A source as base/values.yaml holds it, below the service; the chart ignores it."""
    return {
        "repositoryUrl": source.repository_url,
        "branch": source.branch,
        "contextPath": source.context_path,
        "dockerfile": source.dockerfile,
    }
