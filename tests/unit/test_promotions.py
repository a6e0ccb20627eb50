"""What travels when an environment is promoted, and along which ways."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.changes import ActorKind, Change
from gitops.gates import passed
from gitops.operations import (
    AddService,
    CreateEnvironment,
    CreateProject,
    DeleteEnvironment,
    Deploy,
    Promote,
    Scale,
    ServiceImage,
    SetHold,
    SetValues,
    ValueSetting,
)
from gitops.problems import GateClosed, InvalidInput, NotFound, Refused
from gitops.repository import effective_values, images, read
from gitops.tree import Files
from gitops.values import changes, get, table
from gitops.yamltext import edit, parse
from tests.support.shop import CONTEXT, RUNNING, SHOP, grown, refusal

DEVELOPMENT = "environments/development/values.yaml"
STAGING = "environments/staging/values.yaml"
API = ("lucity-app", "services", "api")
WHY = replace(CONTEXT, reason="the customer waits")
ROBOT = replace(WHY, actor=replace(CONTEXT.actor, kind=ActorKind.AUTOMATION))
BACK = Promote("shop", "staging", "development")
STAGED = RUNNING.with_writes(Promote("shop", "development", "staging").apply(RUNNING, CONTEXT).writes)
names = st.sampled_from(["api", "web"])
tags = st.text("ab1", min_size=1, max_size=2)
digests = st.one_of(st.none(), st.sampled_from("01").map(lambda digit: f"sha256:{digit * 64}"))
images_of = st.tuples(tags, digests)
deployed = st.dictionaries(names, images_of, max_size=2)
running = st.dictionaries(names, images_of, min_size=1, max_size=2)


def after(tree: Files, *steps: Change) -> Files:
    for change in steps:
        tree = tree.with_writes(change.apply(tree, WHY).writes)
    return tree


def with_images(tree: Files, environment: str, found: Mapping[str, tuple[str, str | None]]) -> Files:
    wanted = tuple(ServiceImage(name, tag, digest) for name, (tag, digest) in found.items())
    return after(tree, Deploy("shop", environment, wanted)) if wanted else tree


def without_images(tree: Files, environment: str) -> list[tuple[str, ...]]:
    """The keys of an environment's own file that say nothing of images."""
    path = f"environments/{environment}/values.yaml"
    found = changes({}, parse(tree.read(path) or b"", path).data)
    return [change.key for change in found if "image" not in change.key]


def test_a_way_that_the_pipeline_does_not_have_is_closed_to_everybody() -> None:
    for context in (WHY, ROBOT):
        with pytest.raises(Refused) as refused:
            passed(BACK.apply(STAGED, context), context)
        problem = refused.value.problem
        assert isinstance(problem, GateClosed)
        assert [(gate.name, gate.open) for gate in problem.gates] == [("pipeline", False)]
        assert "no way from staging to development; it has development → staging" in problem.message


def test_a_person_passes_with_override_and_reason_and_the_commit_says_so() -> None:
    back = replace(BACK, override=True)
    assert passed(back.apply(STAGED, WHY), WHY).trailers[-1] == ("Override", "pipeline: the customer waits")
    with pytest.raises(Refused) as refused:
        passed(back.apply(STAGED, ROBOT), ROBOT)
    assert isinstance(refused.value.problem, GateClosed)


def test_every_closed_gate_is_told_and_every_passed_one_is_written_down() -> None:
    tree = after(RUNNING, SetHold("shop", "staging"), CreateEnvironment("shop", "qa", "development"))
    draft = Promote("shop", "qa", "staging", override=True).apply(tree, WHY)
    assert [(gate.name, gate.open) for gate in draft.gates] == [("pipeline", False), ("hold", False)]
    overrides = [value for key, value in passed(draft, WHY).trailers if key == "Override"]
    assert overrides == ["pipeline: the customer waits", "hold: the customer waits"]


def test_the_pipeline_is_born_as_the_order_that_was_asked_for() -> None:
    tree = Files({}).with_writes(CreateProject("shop", ("qa", "dev", "live")).apply(Files({}), CONTEXT).writes)
    assert read(tree).settings.pipeline == (("qa", "dev"), ("dev", "live"))


def test_a_pipeline_that_was_changed_by_hand_counts() -> None:
    tree = STAGED.with_writes({"project.yaml": b"pipeline: [{from: staging, to: development}]\n"})
    assert BACK.apply(tree, WHY).gates[0].open
    assert not Promote("shop", "development", "staging").apply(tree, WHY).gates[0].open


def test_the_ways_of_a_deleted_environment_are_no_way_and_are_there_again_with_it() -> None:
    gone = after(STAGED, CreateEnvironment("shop", "qa"), DeleteEnvironment("shop", "staging", "staging"))
    assert read(gone).problems == ()
    assert gone.read("project.yaml") == STAGED.read("project.yaml")
    with pytest.raises(Refused) as refused:
        Promote("shop", "development", "staging").apply(gone, WHY)
    assert isinstance(refused.value.problem, NotFound)
    (gate,) = Promote("shop", "development", "qa").apply(gone, WHY).gates
    assert "no way from development to qa; it has none at all" in gate.message
    back = after(gone, CreateEnvironment("shop", "staging"))
    assert Promote("shop", "development", "staging").apply(back, WHY).gates[0].open


def test_of_a_pipeline_that_cannot_be_read_no_way_is_assumed() -> None:
    (gate,) = BACK.apply(STAGED.with_writes({"project.yaml": b"pipeline: [\n"}), WHY).gates
    assert (gate.open, "project.yaml:2" in gate.message) == (False, True)


@given(running, deployed, st.sets(names, max_size=2))
def test_the_images_of_the_source_arrive_and_nothing_else(
    source: Mapping[str, tuple[str, str | None]], target: Mapping[str, tuple[str, str | None]], asked: set[str]
) -> None:
    tree = with_images(with_images(SHOP, "development", source), "staging", target)
    tree = after(tree, Scale("shop", "development", "api", 3), Scale("shop", "staging", "web", 2))
    wanted = asked & source.keys()
    moved = after(tree, Promote("shop", "development", "staging", tuple(wanted)))
    there, before, now = (
        images(one, place) or {} for one, place in ((tree, "development"), (tree, "staging"), (moved, "staging"))
    )
    travelled = {name: there[name] for name in wanted or source}
    assert now == {**before, **travelled}
    assert without_images(moved, "staging") == without_images(tree, "staging")
    assert {path for path in moved.content if moved.read(path) != tree.read(path)} <= {
        "environments/staging/values.yaml"
    }


@given(running, deployed)
def test_a_promotion_says_exactly_what_it_changed(
    source: Mapping[str, tuple[str, str | None]], target: Mapping[str, tuple[str, str | None]]
) -> None:
    tree = with_images(with_images(SHOP, "development", source), "staging", target)
    draft = Promote("shop", "development", "staging").apply(tree, WHY)
    before = images(tree, "staging") or {}
    after_it = images(tree.with_writes(draft.writes), "staging") or {}
    said = {value for key, value in draft.trailers if key == "Service"}
    assert not draft.writes or said == {name for name in after_it if before.get(name) != after_it[name]}


def test_keys_that_are_included_travel_as_the_source_has_them() -> None:
    limits = {"limits": {"cpu": "1", "memory": "1Gi"}}
    tree = after(
        RUNNING,
        SetValues("shop", "development", (ValueSetting("services.api.resources", limits),)),
        SetValues("shop", "staging", (ValueSetting("services.api.resources", {"limits": {"cpu": "9", "gpu": "1"}}),)),
        Promote("shop", "development", "staging", ("api",), ("resources", "replicas")),
    )
    staging = parse(tree.read("environments/staging/values.yaml") or b"", "v").data
    assert get(staging, ("lucity-app", "services", "api", "resources")) == limits
    assert after(tree, Promote("shop", "development", "staging", ("api",), ("resources", "replicas"))) == tree


def test_an_image_travels_with_a_repository_of_its_own() -> None:
    elsewhere = edit(RUNNING.content[DEVELOPMENT], DEVELOPMENT, [((*API, "image", "repository"), "mirror/api")])
    tree = after(RUNNING.with_writes({DEVELOPMENT: elsewhere}), Promote("shop", "development", "staging"))
    assert images(tree, "staging") == images(tree, "development")
    assert (images(tree, "staging") or {})["api"].repository == "mirror/api"
    back = after(
        tree.with_writes({DEVELOPMENT: RUNNING.content[DEVELOPMENT]}), Promote("shop", "development", "staging")
    )
    assert back.content[STAGING] == STAGED.content[STAGING]


def test_a_null_that_is_included_travels_as_a_null() -> None:
    taken = edit(RUNNING.content[DEVELOPMENT], DEVELOPMENT, [((*API, "port"), None)])
    change = Promote("shop", "development", "staging", ("api",), ("port",))
    tree = after(RUNNING.with_writes({DEVELOPMENT: taken}), change)
    assert "port" not in table(effective_values(tree, "staging"), API)


@pytest.mark.parametrize("key", ["image", "image.tag", '"image"', '"image".repository', "", "a..b"])
def test_no_key_and_the_image_s_own_are_not_included(key: str) -> None:
    problem = refusal(Promote("shop", "development", "staging", include=("replicas", key)), RUNNING)
    assert isinstance(problem, InvalidInput)
    assert [error.path for error in problem.errors] == [("include", "1")]


def test_what_travels_is_what_stands_there_at_the_commit() -> None:
    change = Promote("shop", "development", "staging")
    for tag in ("5", "6"):
        tree = after(RUNNING, Deploy("shop", "development", (ServiceImage("api", tag),)))
        assert (images(after(tree, change), "staging") or {})["api"].tag == tag


def test_more_than_three_services_are_counted_in_the_subject_and_named_in_the_body() -> None:
    few = ("a", "b", "c", "d")
    tree = grown(*(AddService("shop", name, f"r/{name}") for name in few))
    tree = after(tree, Deploy("shop", "development", tuple(ServiceImage(name, "1") for name in few)))
    draft = Promote("shop", "development", "staging").apply(tree, WHY)
    assert (draft.subject, draft.body) == (
        "promote(staging): 4 services from development",
        ("a 1", "b 1", "c 1", "d 1"),
    )
