"""Putting images into environments, and starting what runs there anew."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.commits import Image
from gitops.gates import hold_gates
from gitops.layout import BASE_VALUES, environment_folder, environment_values
from gitops.messages import SERVICE, SOURCE_COMMITTED_AT, SOURCE_REVISION
from gitops.names import Digest, Tag
from gitops.operations.checks import (
    Checks,
    base_services,
    changed,
    need_services,
    open_environment,
    open_project,
    repository_of,
)
from gitops.operations.images import image_draft, image_edits, named, news_of, service_values
from gitops.problems import Refused
from gitops.repository import SERVICES, effective_values
from gitops.services import image_of
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.times import exact
from gitops.tree import Tree
from gitops.values import Values, get, table
from gitops.yamltext import edit


@dataclass(frozen=True)
class ServiceImage:
    """Which image of a service: its tag, and its digest where it is known."""

    service: str
    tag: str
    digest: str | None = None
    source: "SourceRevision | None" = None
    """What it was built from, where that is known."""


@dataclass(frozen=True)
class SourceRevision:
    """A commit of a source repository: its full SHA, and its time in RFC 3339."""

    sha: str
    committed_at: str


@dataclass(frozen=True)
class Deploy:
    """Run these images in an environment; one commit for all of them."""

    KIND: ClassVar[JobKind] = JobKind.DEPLOY
    project: str
    environment: str
    images: tuple[ServiceImage, ...]
    override: bool = False

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return tuple(sorted(image.service for image in self.images))

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments, self.services)

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment), BASE_VALUES)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        checks.services([image.service for image in self.images], least=1, inside="service")
        for index, image in enumerate(self.images):
            checks.parse(Tag.parse, image.tag, "services", str(index), "tag")
            if image.digest is not None:
                checks.parse(Digest.parse, image.digest, "services", str(index), "digest")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        images = {each.service: Image("", each.tag, each.digest) for each in self.images}
        return render_subject(self._subject(images))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        data = open_environment(tree, self.environment)
        services = base_services(tree)
        need_services(services, self.services)
        present = effective_values(tree, self.environment)
        found = {each.service: _image(each, present, services, context) for each in sorted(self.images, key=_service)}
        asked = {service: image for service, (image, _) in found.items()}
        path = environment_values(self.environment)
        edited = edit(data, path, *image_edits(asked, services))
        news = news_of(asked, present) or asked
        writes = changed(tree, {path: edited})
        gates = hold_gates(tree, self.environment, writes, context.now)
        sources = [trailer for each in self.images for trailer in source_trailers(each.service, each.source)]
        draft = image_draft(self._subject(news), news, writes, *sources)
        warnings = tuple(warning for _, warning in found.values() if warning)
        return replace(draft, gates=gates, override=self.override, warnings=warnings)

    def _subject(self, images: Mapping[str, Image]) -> Subject:
        return Subject(Action.DEPLOY, self.environment, images=named(images))


@dataclass(frozen=True)
class Restart:
    """Start the pods of services anew, one after the other as Kubernetes rolls them."""

    KIND: ClassVar[JobKind] = JobKind.RESTART
    project: str
    environment: str
    names: tuple[str, ...]

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return tuple(sorted(self.names))

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments, self.services)

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment), BASE_VALUES)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        checks.services(self.names, least=1)
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.RESTART, self.environment, tuple((name, "") for name in self.services)))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        data = open_environment(tree, self.environment)
        need_services(base_services(tree), self.services)
        path = environment_values(self.environment)
        # Finer than a second: a restart right after another one is one more restart.
        moment = exact(context.now)
        edited = edit(data, path, [((*SERVICES, name, "restartedAt"), moment) for name in self.services])
        body = self.services if len(self.services) > MAX_NAMED else ()
        trailers = tuple((SERVICE, name) for name in self.services)
        return Draft(self.summary(), changed(tree, {path: edited}), body, trailers)


def source_trailers(service: str, source: SourceRevision | None) -> tuple[tuple[str, str], ...]:
    """What a commit says of the source that an image was built from."""
    if source is None:
        return ()
    return (SOURCE_REVISION, f"{service}={source.sha}"), (SOURCE_COMMITTED_AT, f"{service}={source.committed_at}")


def untold(deploys: Iterable[Deploy], tree: Tree) -> set[Image]:
    """The images of which only the tag is said, as far as this tree tells their repositories."""
    environments: dict[str, Values] = {}
    found = set()
    for deploy in deploys:
        if deploy.environment not in environments:
            environments[deploy.environment] = _effective(tree, deploy.environment)
        for each in deploy.images:
            service = service_values(environments[deploy.environment], each.service)
            repository = get(service, ("image", "repository"))
            if each.digest is None and isinstance(repository, str):
                found.add(Image(repository, each.tag))
    return found


def _effective(tree: Tree, environment: str) -> Values:
    """See effective_values; nothing where they cannot be read, which is for the change itself to say."""
    try:
        return effective_values(tree, environment)
    except Refused:
        return {}


def _service(image: ServiceImage) -> str:
    return image.service


def _image(asked: ServiceImage, present: Values, base: Values, context: Context) -> tuple[Image, str | None]:
    """What is asked for with its digest, and why that is missing if it could not be looked up."""
    # null in the environment's file takes the service out, until something is set below it.
    values = service_values(present, asked.service) or table(base, (asked.service,))
    image = Image(repository_of(values, asked.service), asked.tag, asked.digest)
    if image.digest is not None:
        return image, None
    running = image_of(values)
    same = running is not None and (running.repository, running.tag) == (image.repository, image.tag)
    found = context.find_tag(running if running is not None and same else image)
    return replace(image, digest=found.digest), found.warning
