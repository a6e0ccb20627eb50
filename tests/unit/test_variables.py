"""Setting variables: what Lucity adds so that the later place wins, and that it takes all of it away again."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from gitops.changes import Change
from gitops.operations.configuration import SetVariables
from gitops.operations.environments import CreateEnvironment
from gitops.operations.promotions import Promote
from gitops.operations.services import RemoveService
from gitops.operations.values import SetValues, ValueSetting
from gitops.repository import read_environment
from gitops.services import Variable, VariableScope
from gitops.tree import Files
from tests.support.variables import CONTEXT, NAMES, PLACES, Step, applied, plain, read, steps

BASE = b"""# all
lucity-app:
  project: shop
  services:
    api: # the API
      image: {repository: r/api}
    web:
      image: {repository: r/web}
      variables: {GREETING: hello}   # of web
"""
DEV = b'lucity-app:\n  environment: dev # here\n\n  services:\n    api:\n      image: {tag: "1"}\n'
PROD = b"lucity-app: {environment: prod}\n"
EMPTY = Files({"base/values.yaml": BASE, "environments/dev/values.yaml": DEV, "environments/prod/values.yaml": PROD})


def project(base: str, dev: str, **files: bytes) -> Files:
    more = {f"environments/{name}/values.yaml": data for name, data in files.items()}
    return Files(
        {
            "base/values.yaml": b"lucity-app:\n  project: shop\n" + base.encode(),
            "environments/dev/values.yaml": b"lucity-app:\n  environment: dev\n" + dev.encode(),
            **more,
        }
    )


def text(tree: Files, environment: str = "dev") -> str:
    return tree.content[f"environments/{environment}/values.yaml"].decode()


def after(tree: Files, *changes: Change) -> Files:
    for change in changes:
        tree = applied(tree, change)
    return tree


def setting(environment: str | None, service: str | None, value: str | None = "1", name: str = "A") -> SetVariables:
    return Step(environment, service, name, value).change


API = "  services:\n    api:\n      variables:\n        A: base\n"
SHARED = '  variables:\n    A: "1"\n'
NULL = "  services:\n    api:\n      variables:\n        A: null\n"


def test_a_shared_variable_takes_bases_value_of_a_service_away() -> None:
    tree = after(project(API, ""), setting("dev", None))
    assert text(tree).endswith(SHARED + NULL)
    assert read(tree, "dev", "api") == (Variable("A", "1", VariableScope.ENVIRONMENT_SHARED),)


def test_a_services_value_in_base_takes_its_place_below_what_environments_share() -> None:
    before = project("  services:\n    api: {}\n", SHARED)
    tree = after(before, setting(None, "api", "base"))
    assert text(tree).endswith(SHARED + NULL)
    assert after(tree, setting(None, "api", None)) == before


def test_an_environments_own_value_stays_when_one_is_shared() -> None:
    own = "  services:\n    api:\n      variables:\n        A: own\n"
    tree = after(project(API, own), setting("dev", None))
    assert text(tree).endswith(own + SHARED)
    assert text(after(tree, setting("dev", "api", None))).endswith(NULL + SHARED)


def test_a_null_that_a_person_wrote_stays() -> None:
    tree = project(API, NULL)
    assert after(tree, setting("dev", None, None)) == tree
    assert text(after(tree, setting(None, "api", "2"), setting("dev", None, "2", "B"))).startswith(text(tree))


def test_the_order_that_a_person_wrote_stays_until_the_variable_is_set() -> None:
    tree = project(API, SHARED)
    assert plain(read(tree, "dev", "api")) == {"A": "base"}
    assert plain(read(after(tree, setting("dev", None, "2", "B")), "dev", "api")) == {"A": "base", "B": "2"}
    assert plain(read(after(tree, setting(None, None, "2")), "dev", "api")) == {"A": "base"}
    assert plain(read(after(tree, setting("dev", None)), "dev", "api")) == {"A": "1"}


def test_tables_that_a_person_removed_stay_removed() -> None:
    tree = project(API + "        B: base\n", "  services: {api: {variables: null}}\n")
    assert "variables: null" in text(after(tree, setting("dev", None)))


def test_a_broken_environment_does_not_stop_changes_of_base() -> None:
    broken = b"lucity-app: {variables: {A: 1}, services: [\n"
    tree = after(project("  services: {api: {}}\n", SHARED, broken=broken), setting(None, "api", "base"))
    assert tree.content["environments/broken/values.yaml"] == broken
    assert plain(read(tree, "dev", "api")) == {"A": "1"}


def test_the_same_holds_for_values_set_by_key() -> None:
    before = project(API, "")
    tree = after(before, SetValues("shop", "dev", (ValueSetting("variables", {"A": "1"}),)))
    assert text(tree).endswith(SHARED + NULL)
    assert after(tree, SetValues("shop", "dev", (), ("variables",))) == before
    given = {"B": "own"}
    again = after(tree, SetValues("shop", "dev", (ValueSetting("services.api.variables", given),)))
    assert plain(read(again, "dev", "api")) == {"A": "1", "B": "own"}
    assert given == {"B": "own"}
    assert after(again, SetValues("shop", "dev", (), ("services.api.variables",))) == tree


def test_a_value_that_takes_the_place_of_a_null_stays_when_the_shared_one_goes_with_it() -> None:
    tree = after(project(API, ""), setting("dev", None))
    both = SetValues("shop", "dev", (ValueSetting("services.api.variables.A", "own"),), ("variables.A",))
    assert read(after(tree, both), "dev", "api") == (Variable("A", "own", VariableScope.ENVIRONMENT),)


def test_variables_that_are_promoted_take_their_place_where_they_arrive() -> None:
    image = "      image: {repository: r/api, tag: '1'}\n"
    tree = after(project(API + image, "", prod=b"lucity-app: {environment: prod}\n"), setting("dev", None))
    promote = Promote("shop", "dev", "prod", include=("variables",))
    arrived = after(tree, promote)
    assert plain(read(arrived, "prod", "api")) == {"A": "base"}
    assert "variables" not in text(arrived, "prod")
    assert plain(read(after(tree, setting("prod", None, "2"), promote), "prod", "api")) == {"A": "2"}


def test_a_copy_and_a_removal_take_the_nulls_along() -> None:
    tree = after(project(API, ""), setting("dev", None))
    copy = after(tree, CreateEnvironment("shop", "pr", "dev"))
    assert read(copy, "pr", "api") == read(tree, "dev", "api")
    assert text(after(tree, RemoveService("shop", "api"))).endswith("environment: dev\n" + SHARED)


@pytest.mark.parametrize("value", ["null", "~", ""])
def test_a_null_in_base_is_no_variable(value: str) -> None:
    tree = project(f"  variables: {{A: {value}, B: x}}\n  services: {{api: {{variables: {{B: {value}}}}}}}\n", "")
    assert read(tree, "dev", "api") == (Variable("B", "x", VariableScope.BASE_SHARED),)


def test_a_service_that_is_null_is_none() -> None:
    assert read_environment(project("  services: {api: null}\n", ""), "dev").services == ()


@pytest.mark.parametrize(
    ("change", "elsewhere"),
    [
        (setting(None, "api"), True),
        (setting(None, None), False),
        (SetValues("shop", None, (ValueSetting("services.api.variables.A", "1"),)), True),
        (SetValues("shop", None, (ValueSetting("services.api.port", 1),)), False),
    ],
)
def test_a_change_names_the_files_that_it_may_write(change: Change, elsewhere: bool) -> None:  # noqa: FBT001
    assert ("environments" in change.paths) is elsewhere


@given(steps(), st.sampled_from(PLACES), st.sampled_from(NAMES))
def test_unsetting_takes_away_what_setting_added(
    done: list[Step], place: tuple[str | None, str | None], name: str
) -> None:
    step = Step(*place, name, "new")
    tree = after(EMPTY, *(each.change for each in done), step.undone.change)
    assert after(tree, step.change, step.undone.change) == tree


@given(steps(), st.randoms(use_true_random=False))
def test_unsetting_everything_in_any_order_gives_the_first_bytes_back(done: list[Step], order: object) -> None:
    undone = [each.undone for each in done]
    order.shuffle(undone)  # type: ignore[attr-defined]
    tree = after(EMPTY, *(each.change for each in done))
    assert after(tree, *(each.change for each in undone)) == EMPTY


@given(steps())
def test_doing_a_thing_twice_changes_nothing(done: list[Step]) -> None:
    assume(done)
    tree = after(EMPTY, *(each.change for each in done))
    assert not done[-1].change.apply(tree, CONTEXT).writes
