"""The first lines of commits: one grammar, rendered and parsed. People grep for these; the forms are a promise."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from gitops.commits import CommitKind

MAX_SUBJECT: Final = 120
MAX_NAMED: Final = 3
ELLIPSIS: Final = "…"
BASE: Final = "base"


class Action(StrEnum):
    """What a subject says was done."""

    DEPLOY = "DEPLOY"
    PROMOTE = "PROMOTE"
    PROJECT_CREATE = "PROJECT_CREATE"
    PROJECT_UPDATE = "PROJECT_UPDATE"
    PROJECT_DELETE = "PROJECT_DELETE"
    ENV_CREATE = "ENV_CREATE"
    ENV_DELETE = "ENV_DELETE"
    ADD_SERVICE = "ADD_SERVICE"
    UPDATE_SERVICE = "UPDATE_SERVICE"
    REMOVE_SERVICE = "REMOVE_SERVICE"
    SCALE = "SCALE"
    SET = "SET"
    RESTART = "RESTART"
    EXPIRE = "EXPIRE"
    ROLLBACK = "ROLLBACK"
    ROLLBACK_ENVIRONMENT = "ROLLBACK_ENVIRONMENT"
    REVERT = "REVERT"
    HOLD = "HOLD"
    RELEASE = "RELEASE"
    CHART = "CHART"


KINDS: Final[Mapping[Action, CommitKind]] = {
    Action.DEPLOY: CommitKind.DEPLOY,
    Action.PROMOTE: CommitKind.PROMOTE,
    Action.PROJECT_CREATE: CommitKind.PROJECT_CREATE,
    Action.PROJECT_UPDATE: CommitKind.CONFIG,
    Action.PROJECT_DELETE: CommitKind.PROJECT_DELETE,
    Action.ENV_CREATE: CommitKind.ENV_CREATE,
    Action.ENV_DELETE: CommitKind.ENV_DELETE,
    Action.ADD_SERVICE: CommitKind.CONFIG,
    Action.UPDATE_SERVICE: CommitKind.CONFIG,
    Action.REMOVE_SERVICE: CommitKind.CONFIG,
    Action.SCALE: CommitKind.CONFIG,
    Action.SET: CommitKind.CONFIG,
    Action.RESTART: CommitKind.CONFIG,
    Action.EXPIRE: CommitKind.CONFIG,
    Action.ROLLBACK: CommitKind.ROLLBACK,
    Action.ROLLBACK_ENVIRONMENT: CommitKind.ROLLBACK,
    Action.REVERT: CommitKind.REVERT,
    Action.HOLD: CommitKind.HOLD,
    Action.RELEASE: CommitKind.HOLD,
    Action.CHART: CommitKind.CHART,
}


@dataclass(frozen=True)
class Subject:
    """One first line. Which fields are set depends on the action; what has more than three services carries `count`."""

    action: Action
    environment: str | None = None
    """None: base/, or the project."""
    images: tuple[tuple[str, str], ...] = ()
    """(service, tag), sorted; the tag is '' where the form names none."""
    count: int = 0
    """How many services, or keys, where they are too many to be named."""
    set: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    """Variables or keys, as texts."""
    origin: str = ""
    """The environment promoted or created from; the revision reverted or rolled back to; the old chart version."""
    value: str = ""
    """The project; the number of replicas; the moment of expiry; the new chart version; the reverted subject."""

    @property
    def kind(self) -> CommitKind:
        """The kind of such commits."""
        return KINDS[self.action]

    @property
    def services(self) -> tuple[str, ...]:
        """The services named."""
        return tuple(name for name, _ in self.images)


def render_subject(subject: Subject) -> str:
    """The line, at most 120 characters: too many or too long names give way to their number, a long tag is cut."""
    if len(subject.images) > MAX_NAMED:
        subject = _counted(subject)
    text = _RENDER[subject.action](subject)
    if len(text) > MAX_SUBJECT and (len(subject.images) > 1 or subject.set or subject.unset):
        text = _RENDER[subject.action](_counted(subject))
    if len(text) > MAX_SUBJECT and subject.images and subject.images[0][1]:
        (name, tag), over = subject.images[0], len(text) - MAX_SUBJECT
        cut = (name, tag[: -over - 1] + ELLIPSIS)
        text = _RENDER[subject.action](replace(subject, images=(cut,)))
    return text if len(text) <= MAX_SUBJECT else text[: MAX_SUBJECT - 1] + ELLIPSIS


def parse_subject(text: str) -> Subject | None:
    """The subject that renders to this line; None when it is none of ours."""
    if len(text) > MAX_SUBJECT:
        return None
    for action, pattern in _COMPILED:
        match = pattern.fullmatch(text)
        if match:
            return _subject(action, match.groupdict())
    return None


def _counted(subject: Subject) -> Subject:
    if subject.action in {Action.SET, Action.PROJECT_UPDATE}:
        verb = "set" if subject.set else "unset"
        return replace(subject, set=(), unset=(), count=len(subject.set) + len(subject.unset), value=verb)
    return replace(subject, images=(), count=len(subject.images))


def _who(subject: Subject) -> str:
    if not subject.images:
        return f"{subject.count} services"
    return ", ".join(f"{name} {tag}" if tag else name for name, tag in subject.images)


def _rollback(subject: Subject) -> str:
    goal = "" if subject.images else f" to {subject.origin}"
    return f"rollback({subject.environment}): {_who(subject)}{goal}"


def _held(subject: Subject) -> str:
    return _who(subject) if subject.images or subject.count else "all services"


def _set(subject: Subject) -> str:
    service = f" for {_who(subject)}" if subject.images else ""
    return f"config({subject.environment or BASE}): {_keys(subject)}{service}"


def _keys(subject: Subject) -> str:
    if subject.count:
        return f"{subject.value} {subject.count} keys"
    words = [f"set {', '.join(subject.set)}"] if subject.set else []
    words += [f"unset {', '.join(subject.unset)}"] if subject.unset else []
    return ", ".join(words)


def _scale(subject: Subject) -> str:
    service = f" of {_who(subject)}" if subject.images else ""
    return f"config({subject.environment}): update replicas{service} to {subject.value}"


def _env_create(subject: Subject) -> str:
    return f"env(create): {subject.environment}" + (f" from {subject.origin}" if subject.origin else "")


_RENDER: Final[Mapping[Action, Callable[[Subject], str]]] = {
    Action.DEPLOY: lambda s: f"deploy({s.environment}): {_who(s)}",
    Action.PROMOTE: lambda s: f"promote({s.environment}): {_who(s)} from {s.origin}",
    Action.PROJECT_CREATE: lambda s: f"project(create): {s.value}",
    Action.PROJECT_UPDATE: lambda s: f"project(update): {_keys(s)}",
    Action.PROJECT_DELETE: lambda s: f"project(delete): {s.value}",
    Action.ENV_CREATE: _env_create,
    Action.ENV_DELETE: lambda s: f"env(delete): {s.environment}",
    Action.ADD_SERVICE: lambda s: f"config(base): add service {_who(s)}",
    Action.UPDATE_SERVICE: lambda s: f"config(base): update service {_who(s)}",
    Action.REMOVE_SERVICE: lambda s: f"config(base): remove service {_who(s)}",
    Action.SCALE: _scale,
    Action.SET: _set,
    Action.RESTART: lambda s: f"config({s.environment}): restart {_who(s)}",
    Action.EXPIRE: lambda s: f"config({s.environment}): expire {s.value}",
    Action.ROLLBACK: _rollback,
    Action.ROLLBACK_ENVIRONMENT: lambda s: f"rollback({s.environment}): environment to {s.origin}",
    Action.REVERT: lambda s: f"revert({s.environment or BASE}): {s.origin} {s.value}",
    Action.HOLD: lambda s: f"hold({s.environment}): {_held(s)}",
    Action.RELEASE: lambda s: f"release({s.environment}): {_held(s)}",
    Action.CHART: lambda s: f"chart(base): upgrade lucity-app {s.origin} to {s.value}",
}

_NAME = r"[a-z][a-z0-9-]*"
_ENV = rf"(?P<environment>{_NAME})"
_TAGGED = rf"(?P<tagged>{_NAME} [^\s,]+(?:, {_NAME} [^\s,]+)*)|(?P<count>\d+) services"
_NAMED = rf"(?P<named>{_NAME}(?:, {_NAME})*)|(?P<count>\d+) services"
_KEY = r'(?:[^\s,"]|"(?:[^"\\]|\\.)*")+'
_KEYS = rf"{_KEY}(?:, {_KEY})*"
_ONE = rf"(?P<named>{_NAME})"
_COUNTED_KEYS = r"(?P<value>set|unset) (?P<count>\d+) keys"
_SET_KEYS = rf"set (?P<set>{_KEYS}?)(?:, unset (?P<unset>{_KEYS}))?"
_UNSET_KEYS = rf"unset (?P<unset>{_KEYS})"

_PATTERNS: Final[tuple[tuple[Action, str], ...]] = (
    (Action.DEPLOY, rf"deploy\({_ENV}\): (?:{_TAGGED})"),
    (Action.PROMOTE, rf"promote\({_ENV}\): (?:{_TAGGED}) from (?P<origin>{_NAME})"),
    (Action.PROJECT_CREATE, rf"project\(create\): (?P<value>{_NAME})"),
    (Action.PROJECT_UPDATE, rf"project\(update\): {_COUNTED_KEYS}"),
    (Action.PROJECT_UPDATE, rf"project\(update\): {_SET_KEYS}"),
    (Action.PROJECT_UPDATE, rf"project\(update\): {_UNSET_KEYS}"),
    (Action.PROJECT_DELETE, rf"project\(delete\): (?P<value>{_NAME})"),
    (Action.ENV_CREATE, rf"env\(create\): {_ENV}(?: from (?P<origin>{_NAME}))?"),
    (Action.ENV_DELETE, rf"env\(delete\): {_ENV}"),
    (Action.ADD_SERVICE, rf"config\(base\): add service {_ONE}"),
    (Action.UPDATE_SERVICE, rf"config\(base\): update service {_ONE}"),
    (Action.REMOVE_SERVICE, rf"config\(base\): remove service {_ONE}"),
    (Action.SCALE, rf"config\({_ENV}\): update replicas(?: of {_ONE})? to (?P<value>\d+)"),
    (Action.SET, rf"config\({_ENV}\): {_COUNTED_KEYS}(?: for {_ONE})?"),
    (Action.SET, rf"config\({_ENV}\): {_SET_KEYS}(?: for {_ONE})?"),
    (Action.SET, rf"config\({_ENV}\): {_UNSET_KEYS}(?: for {_ONE})?"),
    (Action.RESTART, rf"config\({_ENV}\): restart (?:{_NAMED})"),
    (Action.EXPIRE, rf"config\({_ENV}\): expire (?P<value>\S+)"),
    (Action.ROLLBACK_ENVIRONMENT, rf"rollback\({_ENV}\): environment to (?P<origin>[0-9a-f]+)"),
    (Action.ROLLBACK, rf"rollback\({_ENV}\): (?P<count>\d+) services to (?P<origin>[0-9a-f]+)"),
    (Action.ROLLBACK, rf"rollback\({_ENV}\): (?:{_TAGGED})"),
    (Action.REVERT, rf"revert\({_ENV}\): (?P<origin>[0-9a-f]+) (?P<value>.+)"),
    (Action.HOLD, rf"hold\({_ENV}\): (?:all services|{_NAMED})"),
    (Action.RELEASE, rf"release\({_ENV}\): (?:all services|{_NAMED})"),
    (Action.CHART, r"chart\(base\): upgrade lucity-app (?P<origin>\S+) to (?P<value>\S+)"),
)
_COMPILED: Final = tuple((action, re.compile(pattern)) for action, pattern in _PATTERNS)
_KEY_PATTERN: Final = re.compile(_KEY)


def _subject(action: Action, parts: Mapping[str, str | None]) -> Subject:
    environment = parts.get("environment")
    tagged, named = parts.get("tagged"), parts.get("named")
    images = [item.partition(" ") for item in (tagged or named or "").split(", ") if item]
    return Subject(
        action,
        environment=None if environment == BASE else environment,
        images=tuple((name, tag) for name, _, tag in images),
        count=int(parts.get("count") or 0),
        set=tuple(_KEY_PATTERN.findall(parts.get("set") or "")),
        unset=tuple(_KEY_PATTERN.findall(parts.get("unset") or "")),
        origin=parts.get("origin") or "",
        value=parts.get("value") or "",
    )
