"""Variables set through the changes there are, and what the chart and the reader make of them."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import yaml
from hypothesis import strategies as st

from adapters.charts import carried_charts
from adapters.helm import HelmRenderer
from gitops.changes import Actor, Change, Context
from gitops.operations.configuration import SetVariables, VariableSetting
from gitops.repository import read_environment
from gitops.services import SecretKey, Variable
from gitops.tree import Files

SERVICES = ("api", "web")
ENVIRONMENTS = ("dev", "prod")
PLACES = [(environment, service) for environment in (None, *ENVIRONMENTS) for service in (None, *SERVICES)]
NAMES = ("A", "B")
CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "0" * 40, Actor("t", "T", "t@example.com"), carried_charts())

Setting = str | SecretKey


@dataclass(frozen=True)
class Step:
    """A variable set at a place, or unset (None)."""

    environment: str | None
    service: str | None
    name: str
    setting: Setting | None

    @property
    def change(self) -> SetVariables:
        """The change that does it."""
        if self.setting is None:
            return SetVariables("shop", self.environment, self.service, (), (self.name,))
        if isinstance(self.setting, SecretKey):
            setting = VariableSetting(self.name, from_secret=self.setting)
        else:
            setting = VariableSetting(self.name, self.setting)
        return SetVariables("shop", self.environment, self.service, (setting,))

    @property
    def undone(self) -> "Step":
        """The same variable, unset."""
        return replace(self, setting=None)


def steps() -> st.SearchStrategy[list[Step]]:
    """Draw what somebody may do to variables, in any order."""
    setting = st.one_of(st.none(), st.sampled_from(["", "1", "no"]), st.just(SecretKey("db", "url")))
    one = st.builds(lambda place, *rest: Step(*place, *rest), st.sampled_from(PLACES), st.sampled_from(NAMES), setting)
    return st.lists(one, max_size=12)


def applied(tree: Files, change: Change) -> Files:
    """The tree after a change."""
    return tree.with_writes(change.apply(tree, CONTEXT).writes)


def read(tree: Files, environment: str, service: str) -> tuple[Variable, ...]:
    """The variables of a service, as the API tells them."""
    found = read_environment(tree, environment).service(service)
    assert found is not None
    return found.variables


def rendered(renderer: HelmRenderer, tree: Files, environment: str, service: str) -> dict[str, Setting]:
    """The variables of a service, as its pods get them."""
    files = renderer.render(tree, "shop", environment).files
    objects = [each for text in files.values() for each in yaml.safe_load_all(text) if each]
    named = {each["kind"]: each for each in objects if each["metadata"]["name"] == service}
    container: dict[str, Any] = named["Deployment"]["spec"]["template"]["spec"]["containers"][0]
    references = {each["name"]: each["valueFrom"]["secretKeyRef"] for each in container.get("env", ())}
    secrets = {name: SecretKey(each["name"], each["key"]) for name, each in references.items()}
    return {**(named["ConfigMap"]["data"] or {}), **secrets}


def plain(variables: tuple[Variable, ...]) -> dict[str, Setting]:
    """Name → value or Secret."""
    return {each.name: each.from_secret or each.value or "" for each in variables}
