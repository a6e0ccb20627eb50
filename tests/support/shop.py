"""A small project as changes make it, and the context that they are carried out in."""

from datetime import UTC, datetime
from typing import Any

import pytest

from gitops.changes import Actor, Change, Context
from gitops.operations import AddService, CreateProject, Deploy, ServiceImage
from gitops.problems import Refused
from gitops.tree import Files

CONTEXT = Context(
    datetime(2026, 11, 23, 12, tzinfo=UTC),
    "c" * 40,
    Actor("ann", "Ann", "ann@example.com"),
    {"0.1.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.1.0\n"}},
)


def grown(*changes: Change) -> Files:
    """The project shop after these changes."""
    tree = Files({})
    for change in (CreateProject("shop", ("development", "staging")), *changes):
        tree = tree.with_writes(change.apply(tree, CONTEXT).writes)
    return tree


SHOP = grown(AddService("shop", "api", "r/api", 8080), AddService("shop", "web", "r/web"))
RUNNING = SHOP.with_writes(
    Deploy("shop", "development", (ServiceImage("api", "1"), ServiceImage("web", "2"))).apply(SHOP, CONTEXT).writes
)


def refusal(change: Any, tree: Files = SHOP, context: Context = CONTEXT) -> Any:
    """The problem with which a change is refused."""
    with pytest.raises(Refused) as refused:
        change.apply(tree, context)
    return refused.value.problem
