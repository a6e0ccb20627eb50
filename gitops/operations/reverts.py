"""Reverting: what one commit changed is put back, key by key, where it still stands."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Final

from gitops import history
from gitops.changes import Context, Draft, JobKind, Ref
from gitops.commits import Image
from gitops.gates import hold_gates
from gitops.layout import BASE, BASE_VALUES, ENVIRONMENTS, environment_of, environment_settings, environment_values
from gitops.messages import REVERTS, SERVICE, Trailer, fold, image_trailer
from gitops.names import Sha, short
from gitops.operations.checks import Checks, changed, open_project
from gitops.operations.precedence import edit_environment, edit_environments
from gitops.problems import Conflict, ConflictCode, Gate, NotFound, Refused, invalid
from gitops.repository import SERVICES, images, read_settings
from gitops.reverts import WHOLE, Undoing, alike, state, undo
from gitops.subjects import Action, Subject, render_subject
from gitops.tree import Overlaid, Tree, Writes
from gitops.values import Key, Values, changes, render_key
from gitops.yamltext import parse

MAX_TOLD: Final = 100
"""Keys, and commits, that a conflict names."""
_NAMED: Final = 3


@dataclass(frozen=True)
class Revert:
    """Take back what a commit changed against its first parent. All but `override` is told by the commit."""

    KIND: ClassVar[JobKind] = JobKind.REVERT
    project: str
    commit: str
    """A full SHA of the project's history, as is `parent`."""
    parent: str
    title: str
    """The commit's subject."""
    places: tuple[str, ...]
    """Where it changed files: folders of environments, and files and folders beside them."""
    names: tuple[str, ...] = ()
    """The services whose values it changed."""
    override: bool = False
    returns: tuple[str, ...] = ()
    """The environments that it removed, which come back."""

    needs: ClassVar[tuple[Ref, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        names = history.environment_names(place.removeprefix(f"{ENVIRONMENTS}/") for place in self.places)
        return () if BASE in self.places else tuple(sorted(names))

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return tuple(sorted(self.names))

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return self.places

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.parse(Sha.parse, self.commit, "commit")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        only = self.environments if len(self.places) == 1 else ()
        title = fold(self.title) or "(no subject)"
        return render_subject(Subject(Action.REVERT, only[0] if only else None, origin=short(self.commit), value=title))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        undoings = dict(self._undoings(tree, context))
        if any(undoing.clashes for undoing in undoings.values()):
            raise self._changed_since(undoings, context)
        writes = changed(tree, _written(tree, undoings))
        after = Overlaid(tree, writes)
        if read_settings(after)[0].deleting:
            raise invalid("commit", f"reverting {short(self.commit)} would delete the project: use deleteProject")
        trailers = (*_said(tree, after, writes), (REVERTS, self.commit))
        gates = tuple(_gates(tree, writes, context))
        return Draft(self.summary(), writes, trailers=trailers, gates=gates, override=self.override)

    def _undoings(self, tree: Tree, context: Context) -> Iterator[tuple[str, Undoing]]:
        before, after = self._past(self.parent, context), self._past(self.commit, context)
        files = {path for place in self.places for past in (before, after) for path in (place, *past.files(place))}
        for path in sorted(files):
            old, new = before.read(path), after.read(path)
            if old != new:
                yield path, undo(path, old, new, tree.read(path))

    def _past(self, sha: str, context: Context) -> Tree:
        tree = context.at(sha)
        if tree is None:
            message = f"the history of {self.project} has no commit {sha}: choose one that is listed"
            raise Refused(NotFound(message, "commit", sha))
        return tree

    def _changed_since(self, undoings: dict[str, Undoing], context: Context) -> Refused:
        clashes = [(path, key) for path, undoing in undoings.items() for key in undoing.clashes]
        paths = [path if key == WHOLE else f"{path}:{render_key(key)}" for path, key in clashes]
        commits = list(dict.fromkeys(sha for path in undoings for sha in self._culprits(path, undoings[path], context)))
        more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
        by = f", by {', '.join(short(sha) for sha in commits[-_NAMED:])}" if commits else ""
        message = (
            f"{', '.join(paths[:_NAMED])}{more} changed since {short(self.commit)}{by}: "
            "revert what came later first, or set the values by hand"
        )
        code = ConflictCode.CHANGED_SINCE
        told = tuple(paths[:MAX_TOLD]), tuple(commits[-MAX_TOLD:])
        return Refused(Conflict(message, code, head=context.head or None, paths=told[0], commits=told[1]))

    def _culprits(self, path: str, undoing: Undoing, context: Context) -> Iterator[str]:
        """The commits that changed one of the clashing keys of a file, oldest first."""
        if not undoing.clashes:
            return
        was = self._past(self.commit, context).read(path)
        for sha in context.since(self.commit, path):
            tree = context.at(sha)
            now = tree.read(path) if tree else was
            if any(not _alike(was, now, path, key) for key in undoing.clashes):
                yield sha
            was = now


def _alike(one: bytes | None, other: bytes | None, path: str, key: Key) -> bool:
    """Whether two versions of a file say the same at a key."""
    if key == WHOLE or None in (one, other):
        return one == other
    try:
        values = [parse(data or b"", path).data for data in (one, other)]
    except Refused:
        return one == other
    return alike(*(state(data, key) for data in values))


def _written(tree: Tree, undoings: dict[str, Undoing]) -> Writes:
    """The files as they are taken back; variables that environments share keep their precedence over base's."""
    writes = {path: undoing.data for path, undoing in undoings.items()}
    edited = {path: undoing for path, undoing in undoings.items() if undoing.sets or undoing.unsets}
    if BASE_VALUES in undoings:
        writes[BASE_VALUES] = _edited(BASE_VALUES, undoings[BASE_VALUES], {})
    base = _values(writes.get(BASE_VALUES, tree.read(BASE_VALUES)), BASE_VALUES)
    for path, undoing in edited.items():
        if path != BASE_VALUES:
            writes[path] = _edited(path, undoing, base)
    return {**writes, **_precedence(tree, writes, undoings)}


def _edited(path: str, undoing: Undoing, base: Values) -> bytes | None:
    if undoing.data is None:
        return None
    return edit_environment(undoing.data, path, base, (list(undoing.sets), list(undoing.unsets)))


def _precedence(tree: Tree, writes: Writes, undoings: dict[str, Undoing]) -> Writes:
    """What the environments must say besides, where base changes; what goes back as it was is left so."""
    was, data = tree.read(BASE_VALUES), writes.get(BASE_VALUES)
    if data is None or _readable(was, BASE_VALUES) is None or _readable(data, BASE_VALUES) is None:
        return {}
    keys = changes(_values(was, BASE_VALUES), _values(data, BASE_VALUES))
    whole = {path for path, undoing in undoings.items() if not undoing.sets and not undoing.unsets}
    below = Overlaid(tree, {path: written for path, written in writes.items() if path != BASE_VALUES})
    more = edit_environments(below, data, ([(change.key, None) for change in keys], []))
    return {path: written for path, written in more.items() if path not in whole}


def _values(data: bytes | None, path: str) -> Values:
    return _readable(data, path) or {}


def _readable(data: bytes | None, path: str) -> Values | None:
    try:
        return parse(data or b"", path).data
    except Refused:
        return None


def _gates(tree: Tree, writes: Writes, context: Context) -> Iterator[Gate]:
    """Holds on what changes; settings that cannot be read are judged as they will be."""
    for name in sorted(_environments(writes)):
        settings = environment_settings(name)
        try:
            yield from hold_gates(tree, name, writes, context.now)
        except Refused:
            if settings not in writes:
                raise
            repaired = Overlaid(tree, {settings: writes[settings]})
            yield from hold_gates(repaired, name, writes, context.now)


def _environments(writes: Writes) -> frozenset[str]:
    return history.environment_names(name for path in writes if (name := environment_of(path)))


def _said(tree: Tree, after: Tree, writes: Writes) -> tuple[Trailer, ...]:
    """Which services change, and which images they come to."""
    names = _environments(writes)
    if BASE_VALUES in writes:
        names = history.environment_names((*tree.folder(ENVIRONMENTS), *after.folder(ENVIRONMENTS)))
    services, put = set[str](), set[tuple[str, Image]]()
    for name in names:
        before, now = images(tree, name) or {}, images(after, name) or {}
        for service in before.keys() | now.keys():
            if before.get(service) != now.get(service):
                services.add(service)
                put |= {(service, image) for image in [now.get(service)] if image}
    for path in (BASE_VALUES, *map(environment_values, names)):
        if path in writes:
            keys = (change.key for change in changes(_values(tree.read(path), path), _values(writes[path], path)))
            services |= {key[2] for key in keys if key[:2] == SERVICES and len(key) > len(SERVICES)}
    shown = sorted(put, key=lambda pair: (pair[0], pair[1].reference))
    return (*((SERVICE, name) for name in sorted(services)), *(image_trailer(*pair) for pair in shown))
