"""Whether a commit is what it says: its signature, its grammar, and what it changed must agree.

Commits by hand may say what they like, unless they pass for Lucity's.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from gitops.commits import CommitRecord, Image, SignatureState
from gitops.history import Effect, State
from gitops.layout import (
    BASE,
    BASE_VALUES,
    CHART,
    ENVIRONMENTS,
    PROJECT,
    environment_of,
    touches,
)
from gitops.messages import (
    ACTOR_ID,
    FROM_COMMIT,
    IMAGE,
    JOB_ID,
    REVERTS,
    ROLLS_BACK_TO,
    SERVICE,
    Message,
    parse,
    parse_image,
)
from gitops.subjects import ELLIPSIS, Action, Subject
from gitops.values import Values, table
from gitops.yamlnodes import same

_WITHOUT_IMAGES: Final = frozenset(
    {Action.SCALE, Action.SET, Action.RESTART, Action.HOLD, Action.RELEASE, Action.EXPIRE, Action.CHART}
)
_OF_SERVICES: Final = frozenset({Action.ADD_SERVICE, Action.UPDATE_SERVICE, Action.REMOVE_SERVICE})
_OF_IMAGES: Final = frozenset({Action.DEPLOY, Action.PROMOTE, Action.ROLLBACK, Action.ROLLBACK_ENVIRONMENT})
_OF_ALL_SERVICES: Final = frozenset(
    {
        *(Action.PROJECT_CREATE, Action.ENV_CREATE, Action.ENV_DELETE, Action.CHART),
        *(Action.REVERT, Action.ROLLBACK_ENVIRONMENT),
    }
)
"""What may concern services without naming them."""
_CREATES: Final = frozenset({Action.ENV_CREATE, Action.PROJECT_CREATE, Action.REVERT})
_DELETES: Final = frozenset({Action.ENV_DELETE, Action.REVERT})


@dataclass(frozen=True)
class Evidence:
    """What a commit did, told by what it changed; `images`: environment → service → what runs after it."""

    commit: CommitRecord
    paths: tuple[str, ...]
    effect: Effect
    images: Mapping[str, Mapping[str, Image]]
    configured: frozenset[str] = frozenset()
    """The environments whose values it changed beyond images."""


def configured(before: State, after: State) -> frozenset[str]:
    """The environments whose values differ between two states in more than images."""
    names = before.environments.keys() & after.environments.keys()
    rest = {name: (_rest(before.environments[name].values), _rest(after.environments[name].values)) for name in names}
    return frozenset(name for name, (old, new) in rest.items() if not same(old, new))


def _rest(values: Values) -> object:
    """Values without images, and without what then says nothing."""
    services = table(values, (CHART, "services"))
    own = {name: {**service, "image": None} for name, service in services.items() if isinstance(service, Mapping)}
    return _saying({**values, CHART: {**table(values, (CHART,)), "services": own}})


def _saying(value: object) -> object:
    if not isinstance(value, Mapping):
        return value
    inner = {key: _saying(each) for key, each in value.items()}
    return {key: each for key, each in inner.items() if each is not None and each != {}}


def faults(found: Evidence, earlier: Collection[str], jobs: Collection[str]) -> tuple[str, ...]:
    """All that is wrong with a commit, as sentences; `earlier`: SHAs before it, `jobs`: theirs."""
    git = found.commit.git
    message = parse(git.message)
    if git.signature.state is SignatureState.INVALID:
        return (f"the signature does not hold (key {git.signature.key or 'unreadable'})",)
    if not git.trusted:
        return tuple(_imposture(message, git.signature.key))
    if message.form is None:
        return ("it is signed by Lucity, and its subject is none of Lucity's",)
    return (
        *_origin_faults(message, jobs),
        *_reference_faults(message, earlier),
        *_path_faults(found, message.form),
        *_life_faults(found, message.form),
        *_service_faults(found, message, message.form),
        *_image_faults(found, message, message.form),
    )


def _imposture(message: Message, key: str | None) -> Iterator[str]:
    if message.form is not None or message.first(JOB_ID) is not None:
        how = f"is signed by a key that is not allowed ({key})" if key else "carries no signature of Lucity"
        yield f"it reads like a commit of Lucity and {how}"


def _origin_faults(message: Message, jobs: Collection[str]) -> Iterator[str]:
    for key in (JOB_ID, ACTOR_ID):
        if len(message.all(key)) != 1:
            yield f"it carries {len(message.all(key))} trailers {key}, not one"
    if message.first(JOB_ID) in jobs:
        yield f"job {message.first(JOB_ID)} has made an earlier commit already"


def _reference_faults(message: Message, earlier: Collection[str]) -> Iterator[str]:
    for key in (FROM_COMMIT, REVERTS, ROLLS_BACK_TO):
        for sha in message.all(key):
            if sha not in earlier:
                yield f"{key} names {sha}, which is no earlier commit"


def _path_faults(found: Evidence, form: Subject) -> Iterator[str]:
    for path in found.paths:
        if not _may_touch(form, path):
            yield f"it changes {path}, which its subject does not tell"


def _may_touch(form: Subject, path: str) -> bool:
    folder = f"{ENVIRONMENTS}/{form.environment or environment_of(path)}"  # a forged subject may name what is no name
    values, settings = f"{folder}/values.yaml", f"{folder}/environment.yaml"
    match form.action:
        case Action.PROJECT_CREATE | Action.REVERT:
            allowed = True
        case Action.PROJECT_UPDATE | Action.PROJECT_DELETE:
            allowed = path == PROJECT
        case Action.CHART:
            allowed = touches(path, BASE) and path != BASE_VALUES
        case Action.ENV_CREATE | Action.ENV_DELETE:
            allowed = touches(path, folder)
        case Action.HOLD | Action.RELEASE | Action.EXPIRE:
            allowed = path == settings
        case Action.ROLLBACK | Action.ROLLBACK_ENVIRONMENT:
            allowed = path in {values, settings}
        case _ if form.environment is None:
            allowed = path in {BASE_VALUES, values, settings}
        case _:
            allowed = path == values
    return allowed


def _life_faults(found: Evidence, form: Subject) -> Iterator[str]:
    named = (form.environment,)
    created, deleted = found.effect.created, found.effect.deleted
    if form.action is Action.ENV_CREATE and created != named:
        yield f"it says that it creates {form.environment} and creates {_listed(created)}"
    if form.action is Action.ENV_DELETE and deleted != named:
        yield f"it says that it deletes {form.environment} and deletes {_listed(deleted)}"
    if form.action not in _CREATES and created:
        yield f"it creates {_listed(created)}, which its subject does not tell"
    if form.action not in _DELETES and deleted:
        yield f"it deletes {_listed(deleted)}, which its subject does not tell"


def _service_faults(found: Evidence, message: Message, form: Subject) -> Iterator[str]:
    said = message.all(SERVICE)
    if form.images and not {name for name, _ in form.images} <= set(said):
        yield f"its subject names {_listed(form.services)} and its trailers {_listed(said)}"
    if form.action in _OF_ALL_SERVICES:
        return
    untold = [name for name in found.commit.services if name not in {*said, *form.services}]
    if untold:
        yield f"it changes {_listed(untold)}, which it does not name"
    if form.action in _OF_SERVICES and not found.commit.services:
        yield f"it says that it changes {_listed(form.services)} and does not"


def _image_faults(found: Evidence, message: Message, form: Subject) -> Iterator[str]:
    said = dict(filter(None, map(parse_image, message.all(IMAGE))))
    if form.action not in _OF_IMAGES or form.environment is None:
        if form.action in _WITHOUT_IMAGES and found.commit.images:
            yield "it changes images, which its subject does not tell"
        return
    if form.action is Action.DEPLOY and form.environment in found.configured:
        yield f"it changes more of {form.environment} than images, which its subject does not tell"
    present = found.images.get(form.environment, {})
    for name, image in said.items():
        if present.get(name) != image:
            yield f"it says that {name} runs {image.reference} and {_running(present.get(name))}"
    for change in found.commit.images:
        if change.after is not None and change.after.repository and change.service not in said:
            yield f"it puts {change.after.reference} into {change.environment}, which it does not tell"
    for name, tag in form.images:
        if name in said and tag and not _is_shown_as(said[name], tag):
            yield f"its subject says {name} {tag} and its trailer {said[name].reference}"


def _is_shown_as(image: Image, tag: str) -> bool:
    return tag.endswith(ELLIPSIS) or (image.tag or image.digest or "").startswith(tag)


def _running(image: Image | None) -> str:
    return f"what runs is {image.reference}" if image else "nothing runs"


def _listed(names: Collection[str | None]) -> str:
    return ", ".join(name or "" for name in names) or "nothing"
