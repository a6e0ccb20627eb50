"""Plans: what a promotion or a rollback would come to, and the token that stands for exactly that."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from gitops.changes import Change, Context, Draft
from gitops.commits import Image
from gitops.layout import BASE, BASE_VALUES, PROJECT, environment_folder, environment_values
from gitops.messages import IMAGE, parse_image
from gitops.operations.promotions import Promote
from gitops.operations.rollbacks import Rollback
from gitops.problems import PlanStale, Refused
from gitops.repository import SERVICES, images, read_environment
from gitops.tree import Overlaid, Tree
from gitops.values import table
from gitops.yamltext import parse

Plannable = Promote | Rollback


@dataclass(frozen=True)
class Item:
    """One service that gets an image."""

    service: str
    before: Image | None
    after: Image


@dataclass(frozen=True)
class Plan:
    """What a change comes to on one tree."""

    change: Plannable
    token: str
    draft: Draft
    items: tuple[Item, ...]
    warnings: tuple[str, ...]


def plan(change: Plannable, tree: Tree, context: Context) -> Plan:
    """The plan of a change, by the very function that carries it out. Raises Refused as that does."""
    draft = change.apply(tree, context)
    present = images(tree, change.environments[0]) or {}
    pairs = filter(None, (parse_image(value) for key, value in draft.trailers if key == IMAGE))
    items = tuple(Item(name, present.get(name), image) for name, image in pairs)
    return Plan(change, token_of(change, tree), draft, items, tuple(_warnings(change, tree, draft, items)))


def token_of(change: Plannable, tree: Tree) -> str:
    """A hash of the change and of all that it depends on: base/, its environments' folders and project.yaml."""
    asked = {**asdict(change), "names": change.services, "plan_token": None, "kind": change.KIND}
    digest = hashlib.sha256(json.dumps(asked).encode())
    for place in (BASE, *sorted(map(environment_folder, change.environments)), PROJECT):
        for path in (place, *tree.files(place)):
            data = tree.read(path)
            if data is not None:
                digest.update(f"\n{path} {hashlib.sha256(data).hexdigest()}".encode())
    return digest.hexdigest()


def check_plan(change: Change, tree: Tree) -> None:
    """Raise Refused(PlanStale) if the change was shown in a plan that no longer is what it would come to."""
    if isinstance(change, Plannable) and change.plan_token is not None and change.plan_token != token_of(change, tree):
        message = f"{change.summary()} is no longer what the plan showed: look at the new plan and send its token."
        raise Refused(PlanStale(message))


def _warnings(change: Plannable, tree: Tree, draft: Draft, items: tuple[Item, ...]) -> Iterator[str]:
    target = change.environments[0]
    if not draft.writes:
        yield f"nothing to do: {target} already is as asked"
    after = Overlaid(tree, draft.writes)
    if not isinstance(change, Promote):
        for name in sorted(_strangers(after, target)):
            yield f"{name} is no service of the project any more: what {target} says of it runs nothing"
        return
    for item in items:
        if item.before is None:
            yield f"{item.service} does not run in {target} yet"
        lacking = _variables(tree, change.source, item.service) - _variables(after, target, item.service)
        if lacking:
            yield f"{item.service} has variables in {change.source} that {target} lacks: {', '.join(sorted(lacking))}"


def _strangers(tree: Tree, environment: str) -> set[str]:
    """What an environment's values speak of and base/values.yaml does not know."""
    path = environment_values(environment)
    said, known = (table(parse(tree.read(place) or b"", place).data, SERVICES) for place in (path, BASE_VALUES))
    return said.keys() - known.keys()


def _variables(tree: Tree, environment: str, service: str) -> set[str]:
    found = read_environment(tree, environment).service(service)
    return {variable.name for variable in found.variables} if found else set()
