"""Rolling back: an environment, or some of its services, as they stood at an earlier commit."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.commits import Image, Person
from gitops.gates import changed_services, hold_gates
from gitops.holds import Hold
from gitops.layout import BASE_VALUES, environment_folder, environment_settings, environment_values
from gitops.messages import ROLLS_BACK_TO
from gitops.names import Sha, short
from gitops.operations.checks import (
    Checks,
    base_services,
    changed,
    need_services,
    open_base,
    open_environment,
    open_project,
)
from gitops.operations.holds import held
from gitops.operations.images import image_draft, moved_edits, named, news_of, service_values
from gitops.operations.precedence import Edits, edit_environment, without_nulls
from gitops.problems import InvalidRepository, NotFound, Refused
from gitops.repository import SERVICES, effective_values, has_environment, images
from gitops.services import image_of
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.tree import Files, Tree
from gitops.values import Key, Values
from gitops.yamltext import parse


class RollbackScope(StrEnum):
    """How much goes back: images; all that the environment says of the services; the whole of its values.yaml."""

    IMAGE = "IMAGE"
    IMAGE_AND_CONFIG = "IMAGE_AND_CONFIG"
    ENVIRONMENT = "ENVIRONMENT"


@dataclass(frozen=True)
class Rollback:
    """Put back what stood at the commit `to`, and hold it. `names` empty: every service that had an image there."""

    KIND: ClassVar[JobKind] = JobKind.ROLLBACK
    project: str
    environment: str
    to: str
    """A full SHA of the project's history."""
    names: tuple[str, ...] = ()
    scope: RollbackScope = RollbackScope.IMAGE
    override: bool = False
    plan_token: str | None = None
    """The token of the plan that it must come to exactly."""

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

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

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment), BASE_VALUES)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        checks.parse(Sha.parse, self.to, "to")
        checks.services(self.names, least=0)
        whole = self.scope is RollbackScope.ENVIRONMENT
        checks.require(not (whole and self.names), "the scope ENVIRONMENT takes all of them back", "services")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        if self.scope is RollbackScope.ENVIRONMENT:
            return render_subject(Subject(Action.ROLLBACK_ENVIRONMENT, self.environment, origin=short(self.to)))
        many = len(self.services) > MAX_NAMED
        who = f"{len(self.services)} services" if many else ", ".join(self.services)
        return f"rollback({self.environment}): {who or 'all services'} to {short(self.to)}"

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if self.scope is RollbackScope.ENVIRONMENT and has_environment(tree, self.environment):
            return self._drafted(tree, context, self._past(context)[1], {})
        data = open_environment(tree, self.environment)
        services = base_services(tree)
        need_services(services, self.services)
        past, old = self._past(context)
        asked = self._asked(past, services)
        present = effective_values(tree, self.environment)
        edits = moved_edits(news_of(asked, present), services, present)
        if self.scope is RollbackScope.IMAGE_AND_CONFIG:
            sets, unsets = self._config_edits(past, old, data, asked)
            edits = (sets + edits[0], unsets + edits[1])
        base = parse(open_base(tree), BASE_VALUES).data
        path = environment_values(self.environment)
        return self._drafted(tree, context, edit_environment(data, path, base, edits), asked)

    def _past(self, context: Context) -> tuple[Tree, bytes]:
        """The tree to go back to, and the environment's values in it, which can be read."""
        past = context.at(self.to)
        if past is None:
            message = f"the history of {self.project} has no commit {self.to}: choose one that is listed"
            raise Refused(NotFound(message, "commit", self.to))
        path = environment_values(self.environment)
        data = past.read(path)
        if data is None:
            message = f"there was no environment {self.environment} at {short(self.to)}: choose a later commit"
            raise Refused(NotFound(message, "environment", self.environment))
        try:
            parse(data, path)
            effective_values(past, self.environment)
        except Refused as refused:
            if isinstance(refused.problem, InvalidRepository):
                message = f"at {short(self.to)}, {refused.problem.message}"
                raise Refused(replace(refused.problem, message=message, commit_sha=self.to)) from None
            raise
        return past, data

    def _asked(self, past: Tree, services: Values) -> dict[str, Image]:
        """The images to go back to. A service that was removed since, or not there yet, is left alone unless named."""
        then = effective_values(past, self.environment)
        found = {name: image_of(service_values(then, name)) for name in self.services or sorted(services)}
        asked = {name: image for name, image in found.items() if image is not None}
        for name in self.services or ([] if asked else [self.environment]):
            if name not in asked:
                what = f"{name} had no image" if name in self.services else "no service had an image"
                message = f"{what} in {self.environment} at {short(self.to)}: choose another commit"
                raise Refused(NotFound(message, "deployment", name))
        return asked

    def _config_edits(self, past: Tree, old: bytes, data: bytes, names: Iterable[str]) -> Edits:
        """What the environment itself said of services then, in place of what it says now."""
        path = environment_values(self.environment)
        then = without_nulls(parse(past.read(BASE_VALUES) or b"", BASE_VALUES).data, parse(old, path).data)
        now = parse(data, path).data
        sets: list[tuple[Key, object]] = []
        unsets: list[Key] = []
        for name in names:
            before, after = service_values(now, name), service_values(then, name)
            sets.extend(((*SERVICES, name, key), value) for key, value in after.items())
            unsets.extend((*SERVICES, name, key) for key in before if key not in after and key != "image")
        return sets, unsets

    def _drafted(self, tree: Tree, context: Context, written: bytes, asked: dict[str, Image]) -> Draft:
        path, settings = environment_values(self.environment), environment_settings(self.environment)
        writes = changed(tree, {path: written})
        whole = self.scope is RollbackScope.ENVIRONMENT
        news = self._news(tree, written, asked)
        gates = hold_gates(tree, self.environment, writes, context.now)
        if writes:
            holds = self._holds(context, [None] if whole else sorted(news))
            writes = {**writes, settings: held(tree.read(settings) or b"", settings, holds)}
        subject = Subject(Action.ROLLBACK, self.environment, images=named(news), origin=short(self.to))
        if whole:
            subject = Subject(Action.ROLLBACK_ENVIRONMENT, self.environment, origin=short(self.to))
        draft = image_draft(subject, news, writes, (ROLLS_BACK_TO, self.to))
        return replace(draft, gates=gates, override=self.override)

    def _news(self, tree: Tree, written: bytes, asked: Mapping[str, Image]) -> dict[str, Image]:
        """The images of services that change; when none does, of all that were asked for."""
        path = environment_values(self.environment)
        touched = changed_services(tree, path, written)
        after = images(Files({BASE_VALUES: tree.read(BASE_VALUES) or b"", path: written}), self.environment) or {}
        if self.scope is RollbackScope.ENVIRONMENT:
            return {name: image for name, image in after.items() if name in touched}
        told = {name: after[name] for name in asked if name in after}
        return {name: image for name, image in told.items() if name in touched} or told

    def _holds(self, context: Context, names: Iterable[str | None]) -> list[Hold]:
        why = f": {context.reason}" if context.reason else ""
        person = Person(context.actor.name, context.actor.email)
        return [Hold(name, f"rolled back to {short(self.to)}{why}", person, context.now) for name in names]
