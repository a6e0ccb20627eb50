"""Promoting: what runs in one environment is put into another."""

from dataclasses import dataclass, replace
from typing import ClassVar

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.commits import Image
from gitops.gates import hold_gates, pipeline_gate
from gitops.layout import BASE_VALUES, PROJECT, environment_folder, environment_values
from gitops.messages import FROM_COMMIT
from gitops.names import refuse
from gitops.operations.checks import (
    Checks,
    base_services,
    changed,
    need_services,
    open_base,
    open_environment,
    open_project,
)
from gitops.operations.images import image_draft, moved_edits, named, news_of, service_values
from gitops.operations.precedence import Edits, edit_environment, without_nulls
from gitops.problems import NotFound, Refused
from gitops.repository import SERVICES, effective_values
from gitops.services import image_of
from gitops.subjects import MAX_NAMED, Action, Subject
from gitops.tree import Tree
from gitops.values import Key, Values, get, parse_key, table
from gitops.yamltext import parse


@dataclass(frozen=True)
class Promote:
    """Run in one environment what runs in another. `names` empty: every service that has an image there.

    `include` names further keys of these services that travel, as they stand in the source environment's own file.
    """

    KIND: ClassVar[JobKind] = JobKind.PROMOTE
    project: str
    source: str
    target: str
    names: tuple[str, ...] = ()
    include: tuple[str, ...] = ()
    override: bool = False
    plan_token: str | None = None
    """The token of the plan that it must come to exactly."""

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.target, self.source)

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
        return (environment_folder(self.target), environment_folder(self.source), BASE_VALUES, PROJECT)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.source, "from")
        checks.environment(self.target, "to")
        checks.require(self.source != self.target, "an environment cannot be promoted to itself", "to")
        checks.services(self.names, least=0)
        for index, text in enumerate(self.include):
            checks.parse(_other_key, text, "include", str(index))
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        many = len(self.services) > MAX_NAMED
        who = f"{len(self.services)} services" if many else ", ".join(self.services)
        return f"promote({self.target}): {who or 'all services'} from {self.source}"

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        open_environment(tree, self.source)
        path = environment_values(self.target)
        data = open_environment(tree, self.target)
        services = base_services(tree)
        need_services(services, self.services)
        asked = self._asked(effective_values(tree, self.source), services)
        present = effective_values(tree, self.target)
        sets, unsets = moved_edits(asked, services, present)
        base = parse(open_base(tree), BASE_VALUES).data
        more_sets, more_unsets = self._included(tree, base, tuple(asked))
        edited = edit_environment(data, path, base, (sets + more_sets, unsets + more_unsets))
        news = news_of(asked, present) or asked
        subject = Subject(Action.PROMOTE, self.target, images=named(news), origin=self.source)
        writes = changed(tree, {path: edited})
        draft = image_draft(subject, news, writes, (FROM_COMMIT, context.head))
        gates = pipeline_gate(tree, self.source, self.target), *hold_gates(tree, self.target, writes, context.now)
        return replace(draft, gates=gates, override=self.override)

    def _asked(self, source: Values, services: Values) -> dict[str, Image]:
        found = {name: image_of(service_values(source, name)) for name in self.services or sorted(services)}
        for name in self.services:
            if found[name] is None:
                message = f"{name} has no image in {self.source}: deploy it there first"
                raise Refused(NotFound(message, "deployment", name))
        images = {name: image for name, image in found.items() if image is not None}
        if not images:
            message = f"nothing runs in {self.source} yet: deploy there first"
            raise Refused(NotFound(message, "deployment", self.source))
        return images

    def _included(self, tree: Tree, base: Values, names: tuple[str, ...]) -> Edits:
        path = environment_values(self.source)
        own = without_nulls(base, parse(open_environment(tree, self.source), path).data)
        sets: list[tuple[Key, object]] = []
        unsets: list[Key] = []
        for key in ((*SERVICES, name, *parse_key(text)) for name in names for text in self.include):
            if key[-1] in table(own, key[:-1]):
                sets.append((key, get(own, key)))
            else:
                unsets.append(key)
        return sets, unsets


def _other_key(text: str) -> None:
    """Raise Refused(InvalidInput) for what is no key, or the image's."""
    if parse_key(text)[0] == "image":
        raise refuse("the image travels anyway; name other keys")
