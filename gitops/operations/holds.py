"""Stopping automation in an environment, or for some of its services, and letting it go on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.commits import Person
from gitops.holds import HOLDS, Hold, hold_key, hold_values, holds_of
from gitops.layout import BASE_VALUES, environment_settings
from gitops.messages import SERVICE, Trailer
from gitops.operations.checks import (
    Checks,
    base_services,
    changed,
    need_services,
    open_environment,
    open_project,
)
from gitops.problems import NotFound, Refused, invalid
from gitops.subjects import MAX_NAMED, Action, Subject, render_subject
from gitops.tree import Tree
from gitops.yamltext import edit, parse

MAX_HOLD_SECONDS: Final = 366 * 24 * 3600
_EVER: Final = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class SetHold:
    """Hold services, or the whole environment when none is named. A hold that is there already is replaced."""

    KIND: ClassVar[JobKind] = JobKind.HOLD
    project: str
    environment: str
    names: tuple[str, ...] = ()
    expires_in_seconds: int | None = None
    """Counted from the commit."""

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
        return _paths(self.environment, self.names)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = _checks(self.project, self.environment, self.names)
        if self.expires_in_seconds is not None:
            fits = 1 <= self.expires_in_seconds <= MAX_HOLD_SECONDS
            checks.require(fits, f"between 1 and {MAX_HOLD_SECONDS} seconds", "expiresInSeconds")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return _subject(Action.HOLD, self.environment, self.services)

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change. The context's reason is the hold's."""
        self.validate()
        _open(tree, self.project, self.environment, self.services)
        if not context.reason:
            raise invalid("reason", "A hold needs a reason: say what it waits for.")
        end = None
        if self.expires_in_seconds is not None:
            end = context.now + timedelta(seconds=self.expires_in_seconds)
        person = Person(context.actor.name, context.actor.email)
        holds = [Hold(name, context.reason, person, context.now, end) for name in self.services or (None,)]
        path = environment_settings(self.environment)
        writes = changed(tree, {path: held(tree.read(path) or b"", path, holds)})
        return Draft(self.summary(), writes, _body(self.services), _trailers(self.services))


@dataclass(frozen=True)
class ReleaseHold:
    """End the holds of some services, or all that the environment has when none is named."""

    KIND: ClassVar[JobKind] = JobKind.RELEASE_HOLD
    project: str
    environment: str
    names: tuple[str, ...] = ()

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
        return _paths(self.environment, self.names)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        _checks(self.project, self.environment, self.names).finish()

    def summary(self) -> str:
        """See Change."""
        return _subject(Action.RELEASE, self.environment, self.services)

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change. A service that only the whole environment's hold holds is refused, for it would stay held."""
        self.validate()
        _open(tree, self.project, self.environment, self.services)
        path = environment_settings(self.environment)
        data = tree.read(path) or b""
        _need_own_hold(data, path, self, context.now)
        keys = [hold_key(name) for name in self.services] if self.services else [(HOLDS,)]
        writes = changed(tree, {path: edit(data, path, unset=keys)}) if data else {}
        return Draft(self.summary(), writes, _body(self.services), _trailers(self.services))


def held(data: bytes, path: str, holds: Sequence[Hold]) -> bytes:
    """The bytes of environment.yaml with these holds; one that says the same without an end keeps its beginning."""
    begun = {replace(hold, since=_EVER) for hold in holds_of(parse(data, path), path)[0]}
    new = [hold for hold in holds if replace(hold, since=_EVER) not in begun]
    return edit(data, path, [(hold_key(hold.service), hold_values(hold)) for hold in new])


def _need_own_hold(data: bytes, path: str, release: ReleaseHold, now: datetime) -> None:
    standing = {hold.service: hold for hold in holds_of(parse(data, path), path)[0] if hold.stands(now)}
    whole = standing.get(None)
    if whole and release.services and standing.keys().isdisjoint(release.services):
        names = ", ".join(release.services)
        raise Refused(
            NotFound(
                f"{names}: no hold of its own in {release.environment}, which is held as a whole ({whole.reason}):"
                " release all of it by naming no services",
                "hold",
                names,
            )
        )


def _checks(project: str, environment: str, names: Sequence[str]) -> Checks:
    checks = Checks()
    checks.project(project)
    checks.environment(environment)
    checks.services(names, least=0)
    return checks


def _open(tree: Tree, project: str, environment: str, services: Sequence[str]) -> None:
    open_project(tree, project)
    open_environment(tree, environment)
    if services:
        need_services(base_services(tree), services)


def _paths(environment: str, names: Sequence[str]) -> tuple[str, ...]:
    path = environment_settings(environment)
    return (path, BASE_VALUES) if names else (path,)


def _subject(action: Action, environment: str, services: Sequence[str]) -> str:
    return render_subject(Subject(action, environment, images=tuple((name, "") for name in services)))


def _body(services: Sequence[str]) -> tuple[str, ...]:
    return tuple(services) if len(services) > MAX_NAMED else ()


def _trailers(services: Sequence[str]) -> tuple[Trailer, ...]:
    return tuple((SERVICE, name) for name in services)
