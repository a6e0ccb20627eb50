"""Many changes taken back in any order end where a model of keys does."""

import random
from typing import Any

import pytest

from adapters.records import JobState
from gitops.changes import Change
from gitops.operations import (
    CreateEnvironment,
    DeleteEnvironment,
    Deploy,
    Scale,
    ServiceImage,
    SetVariables,
    VariableSetting,
)
from gitops.problems import Conflict, Refused
from gitops.repository import environment_names
from gitops.tree import Tree
from gitops.values import changes, render_key
from gitops.yamltext import parse
from jobs.reverts import revert_of
from tests.support.lab import Lab
from tests.support.reverting import head, in_production, tree


@pytest.fixture
def shop(lab: Lab) -> Lab:
    return in_production(lab, "staging")


def told(of: Tree) -> dict[tuple[str, str], str]:
    """The model: every key of every file of values, and that the file is there."""
    found = {}
    for path in of.files(""):
        found[path, ""] = ""
        if path.endswith(("/values.yaml", "environment.yaml")) and "charts" not in path:
            values = changes({}, parse(of.read(path) or b"", path).data)
            found |= {(path, render_key(one.key)): repr(one.after) for one in values}
    return found


def wanted(was: dict[Any, str], became: dict[Any, str], now: dict[Any, str]) -> dict[Any, str] | None:
    """The model after a revert; None: a conflict."""
    result = dict(now)
    for path in {path for path, _ in was.keys() | became.keys()}:
        before, after, stands = ({key: one[key] for key in one if key[0] == path} for one in (was, became, now))
        if before in (after, stands):
            continue
        if stands != after and not (before and after and stands):
            return None
        for key in before.keys() | after.keys():
            if before.get(key) == after.get(key) or stands.get(key) == before.get(key):
                continue
            if stands.get(key) != after.get(key):
                return None
            result.pop(key, None)
            result |= {key: before[key]} if key in before else {}
    return result


def some_change(chance: random.Random, number: int, standing: tuple[str, ...]) -> Change:
    environment = chance.choice(["production", "staging"])
    service = chance.choice(["api", "web"])
    preview = f"pr-{chance.randrange(2)}"
    delete = DeleteEnvironment("shop", preview)
    create = CreateEnvironment("shop", preview, environment, ephemeral=True)
    return chance.choice(
        [
            Deploy("shop", environment, (ServiceImage(service, f"t{number}"),)),
            Scale("shop", environment, service, chance.randrange(1, 4)),
            SetVariables("shop", environment, service, (VariableSetting("A", str(chance.randrange(3))),)),
            SetVariables("shop", environment, service, (VariableSetting("B", str(chance.randrange(3))),)),
            delete if preview in standing else create,
        ]
    )


@pytest.mark.parametrize(("seed", "changes"), [(1, 25), (2, 200)])
def test_random_changes_reverted_in_random_order_agree_with_a_model(shop: Lab, seed: int, changes: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - a story, no secret
    commits: list[str] = []
    with shop.observer():
        for number in range(changes):
            job = shop.admit(some_change(chance, number, environment_names(tree(shop))))
            shop.work("shop")
            ended = shop.ended(job.id)
            assert ended.state is JobState.SUCCEEDED, ended
            commits += [ended.commit] if ended.commit else []
        outcomes = set()
        for sha in chance.sample(commits, len(commits)):
            outcomes.add(compared(shop, sha))
    assert outcomes >= {"conflict", "commit"}


def compared(shop: Lab, sha: str) -> str:
    """What became of a revert, which is what the model says."""
    change = revert_of(shop.ports, "shop", sha)
    expected = wanted(*(told(tree(shop, one)) for one in (change.parent, sha, head(shop))))
    if expected is None:
        with pytest.raises(Refused) as refused:
            shop.admit(change)
        assert isinstance(refused.value.problem, Conflict)
        assert refused.value.problem.paths
        assert refused.value.problem.commits
        return "conflict"
    job = shop.admit(change)
    shop.work("shop")
    ended = shop.ended(job.id)
    assert ended.state is JobState.SUCCEEDED, ended
    assert told(tree(shop)) == expected
    return "no change" if ended.no_change else "commit"
