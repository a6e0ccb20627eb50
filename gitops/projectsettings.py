"""What project.yaml says beside its pipeline: which branches are followed, how previews are made, which forge it is on.

One rule for each key judges what people wrote by hand and what `updateProject` is about to write.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from gitops.names import BranchName, EnvironmentName
from gitops.pipelines import PIPELINE, edges_of, pipeline_faults
from gitops.problems import InvalidRepository, Refused
from gitops.times import MAX_TTL_SECONDS, MIN_TTL_SECONDS
from gitops.values import Key, Values, render_key, table
from gitops.yamltext import Document

BRANCHES: Final = "branches"
PREVIEWS: Final = "previews"
FORGE: Final = "forge"
FORGE_KINDS: Final = ("github", "gitlab", "gitea")
MAX_ENVIRONMENTS: Final = 50
MAX_PREVIEWS: Final = 1000
_LONGEST_URL: Final = 500


@dataclass(frozen=True)
class Previews:
    """How preview environments are made of open requests."""

    enabled: bool = False
    source: str = "development"
    """The environment that they are copied from; `from` in the file."""
    limit: int = 10
    """How many there may be at once."""
    forks: bool = False
    """Whether requests from other repositories get one: what they build and run is a stranger's."""
    ttl_seconds: int = 14 * 24 * 3600
    """How long one stays after its request was last heard of."""


@dataclass(frozen=True)
class ForgeSettings:
    """Where the sources' forge is spoken to, when its host's name does not tell."""

    kind: str | None = None
    """One of FORGE_KINDS; gitea is Forgejo too."""
    api_url: str | None = None
    """Where its API begins, e.g. https://git.example.org/api/v4; `apiUrl` in the file."""


def branches_of(values: Values) -> dict[str, tuple[str, ...]]:
    """Followed branch → environments that its pushes are deployed to; what breaks a rule is passed over."""
    followed = table(values, (BRANCHES,))
    kept = {name: said for name, said in followed.items() if not _fault((BRANCHES, name), said)}
    return {name: tuple(said) for name, said in kept.items() if isinstance(said, list)}


def previews_of(values: Values) -> Previews:
    """What is said of previews; what breaks a rule has its default."""
    return Previews(**_fields(values, PREVIEWS))


def forge_of(values: Values) -> ForgeSettings:
    """What is said of the forge; what breaks a rule counts as not said."""
    return ForgeSettings(**_fields(values, FORGE))


def _fields(values: Values, name: str) -> dict[str, Any]:
    """The fields that a table with fixed keys gives."""
    said, rules = table(values, (name,)), _TABLES[name]
    return {_FIELDS.get(key, key): value for key, value in said.items() if key in rules and not rules[key](value)}


def setting_problems(document: Document, path: str) -> Iterator[InvalidRepository]:
    """What is wrong with what people wrote, each with its line; keys of others at the top are passed over."""
    for name in (BRANCHES, *_TABLES):
        said = document.data.get(name)
        if said is not None and not isinstance(said, Mapping):
            yield _problem(document, path, (name,), "must be a mapping")
        for inner, value in table(document.data, (name,)).items():
            fault = _fault((name, inner), value)
            if fault:
                yield _problem(document, path, (name, inner), fault)


def key_fault(key: Key) -> str | None:
    """Why a key of project.yaml cannot be set, and which can; None when it can."""
    match key:
        case ("branches", branch):
            return _named(BranchName.parse, branch)
        case (("previews" | "forge") as name, inner) if inner in _TABLES[name]:
            return None
        case ("pipeline",):
            return None
        case ("deleting", *_):
            return "is kept by Lucity: use deleteProject"
    fixed = (f"{name}.{inner}" for name, rules in _TABLES.items() for inner in rules)
    return f"is no setting of a project: there are {', '.join([f'{BRANCHES}.<branch>', *fixed, PIPELINE])}"


def value_fault(key: Key, value: object) -> str | None:
    """What is wrong with the value of a key that can be set; None when nothing is."""
    match key:
        case ("branches", _):
            return _listed(value)
        case (("previews" | "forge") as name, inner):
            return _TABLES[name][inner](value)
        case _:
            return next(pipeline_faults(value), None) or _named_all(environments_of(key, value))


def environments_of(key: Key, value: object) -> tuple[str, ...]:
    """The environments that a value names, sorted."""
    match key, value:
        case ("branches", _), list():
            found = {name for name in value if isinstance(name, str)}
        case ("previews", "from"), str():
            found = {value}
        case ("pipeline",), list():
            found = {name for edge in edges_of({PIPELINE: value}) for name in edge}
        case _:
            found = set()
    return tuple(sorted(found))


def _fault(key: Key, value: object) -> str | None:
    return key_fault(key) or value_fault(key, value)


def _listed(value: object) -> str | None:
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return "must be a list of environments"
    if len(value) > MAX_ENVIRONMENTS or len(set(value)) != len(value):
        return f"must name at most {MAX_ENVIRONMENTS} environments, each once"
    return _named_all(value)


def _named_all(names: object) -> str | None:
    faults = (_named(EnvironmentName.parse, name) for name in names) if isinstance(names, list | tuple) else ()
    return next(filter(None, faults), None)


def _named(parser: Callable[[str], object], text: str) -> str | None:
    try:
        parser(text)
    except Refused as refused:
        return refused.problem.message
    return None


def _flag(value: object) -> str | None:
    return None if isinstance(value, bool) else "must be true or false"


def _environment(value: object) -> str | None:
    return _named(EnvironmentName.parse, value) if isinstance(value, str) else "must be the name of an environment"


def _kind(value: object) -> str | None:
    return None if value in FORGE_KINDS else f"must be {', '.join(FORGE_KINDS[:-1])} or {FORGE_KINDS[-1]}"


def _api_url(value: object) -> str | None:
    wrong = "must be an address like https://git.example.org/api/v4"
    if not isinstance(value, str) or len(value) > _LONGEST_URL or not value.isprintable() or " " in value:
        return wrong
    try:
        parts = urlsplit(value)
        bare = not (parts.username or parts.password or parts.query or parts.fragment) and parts.port != 0
    except ValueError:
        return wrong
    return None if parts.scheme in {"https", "http"} and parts.hostname and bare else wrong


def _number(least: int, most: int) -> Callable[[object], str | None]:
    def judge(value: object) -> str | None:
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return None if fits else f"must be a whole number from {least} to {most}"

    return judge


def _problem(document: Document, path: str, key: Key, fault: str) -> InvalidRepository:
    line = document.line_of(key)
    return InvalidRepository(f"{path}:{line}: {render_key(key)} {fault}", path, line)


_TABLES: Final[Mapping[str, Mapping[str, Callable[[object], str | None]]]] = {
    PREVIEWS: {
        "enabled": _flag,
        "from": _environment,
        "limit": _number(1, MAX_PREVIEWS),
        "forks": _flag,
        "ttlSeconds": _number(MIN_TTL_SECONDS, MAX_TTL_SECONDS),
    },
    FORGE: {"kind": _kind, "apiUrl": _api_url},
}
"""Tables with fixed keys, and the rule of each."""
_FIELDS: Final = {"from": "source", "ttlSeconds": "ttl_seconds", "apiUrl": "api_url"}
