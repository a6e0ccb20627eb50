"""A history in memory, told commit by commit, whose commits can be taken back."""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gitops.changes import ActorKind, Change, Context
from gitops.gates import passed
from gitops.operations import (
    Deploy,
    Revert,
    ServiceImage,
    SetVariables,
    VariableSetting,
)
from gitops.problems import Refused
from gitops.repository import images
from gitops.tree import Files, Writes
from tests.support.shop import CONTEXT, RUNNING

VALUES = "environments/development/values.yaml"
STAGING = "environments/staging/values.yaml"


@dataclass
class Story:
    """A history: trees one after the other, named by SHAs that count."""

    trees: list[Files]
    titles: list[str]

    def do(self, change: Change, *, actor: ActorKind = ActorKind.PERSON) -> str:
        """One commit by Lucity; its SHA."""
        context = self.context(actor)
        draft = passed(change.apply(self.head, context), context)
        return self.write(draft.writes, draft.subject)

    def write(self, writes: Writes, title: str = "by hand") -> str:
        """One commit by hand; its SHA."""
        self.trees.append(self.head.with_writes(writes))
        self.titles.append(title)
        return sha(len(self.trees) - 1)

    def revert(self, commit: str, *, override: bool = False) -> Revert:
        """The change that takes back one of the commits."""
        number = int(commit, 16)
        before, after = self.trees[number - 1], self.trees[number]
        paths = {path for path in before.content.keys() | after.content.keys() if before.read(path) != after.read(path)}
        parts = (path.split("/") for path in paths)
        places = {"/".join(part[: 2 if part[0] == "environments" else 1]) for part in parts}
        title = self.titles[number]
        return Revert("shop", commit, sha(number - 1), title, tuple(sorted(places)), (), override)

    def context(self, actor: ActorKind = ActorKind.PERSON) -> Context:
        """What the next change may know."""
        trees = {sha(number): tree for number, tree in enumerate(self.trees)}
        head, who = sha(len(self.trees) - 1), replace(CONTEXT.actor, kind=actor)
        return replace(CONTEXT, reason="a mistake", head=head, actor=who, at=trees.get, since=self.since)

    def since(self, commit: str, path: str) -> list[str]:
        """See Context.since."""
        later = range(int(commit, 16) + 1, len(self.trees))
        return [sha(one) for one in later if self.trees[one].read(path) != self.trees[one - 1].read(path)]

    def refusal(self, commit: str) -> Any:
        """Why it cannot be taken back."""
        with pytest.raises(Refused) as refused:
            self.do(self.revert(commit))
        return refused.value.problem

    @property
    def head(self) -> Files:
        """The newest tree."""
        return self.trees[-1]


def sha(number: int) -> str:
    return f"{number:040x}"


def story(tree: Files = RUNNING) -> Story:
    return Story([tree], ["project(create): shop"])


def deploy(tag: str, *names: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, tuple(ServiceImage(name, tag) for name in names or ("api", "web")))


def variable(value: str, *, service: str | None = "api", environment: str | None = "development") -> SetVariables:
    return SetVariables("shop", environment, service, (VariableSetting("A", value),))


def tags(tree: Files) -> dict[str, str]:
    return {name: image.tag for name, image in (images(tree, "development") or {}).items()}
