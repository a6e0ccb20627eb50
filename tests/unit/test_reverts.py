"""What a revert puts back, what it leaves alone, and what stops it."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from gitops.changes import ActorKind, Change
from gitops.gates import passed
from gitops.messages import parse as parse_message
from gitops.operations import (
    AddService,
    CreateEnvironment,
    DeleteEnvironment,
    RemoveService,
    Scale,
    SetHold,
    SetVariables,
    UpdateService,
    UpgradeChart,
    VariableSetting,
)
from gitops.problems import Conflict, ConflictCode, GateClosed, InvalidInput, NotFound, Refused
from gitops.repository import effective_values, environment_names, read_environment
from gitops.yamltext import edit, parse
from tests.support.retelling import VALUES, deploy, sha, story, tags, variable
from tests.support.shop import CONTEXT, RUNNING, SHOP

CHANGES: dict[str, Change] = {
    "deploy": deploy("9"),
    "first deploy": deploy("9", environment="staging"),
    "scale": Scale("shop", "development", "api", 5),
    "variables": variable("1"),
    "shared variables": variable("1", service=None),
    "shared variables of base": variable("1", service=None, environment=None),
    "hold": SetHold("shop", "development", ("api",)),
    "environment": CreateEnvironment("shop", "pr-1", "development", ephemeral=True, ttl_seconds=60),
    "no environment": DeleteEnvironment("shop", "development", "development"),
    "service": AddService("shop", "worker", "r/worker"),
    "service updated": UpdateService("shop", "api", "r/api2", 9090),
    "no service": RemoveService("shop", "api"),
    "chart": UpgradeChart("shop"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_revert_brings_every_byte_back_and_its_own_revert_every_byte_of_the_change(name: str) -> None:
    told = story()
    charts = {**CONTEXT.charts, "0.2.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.2.0\n"}}
    before = told.head
    draft = CHANGES[name].apply(before, replace(CONTEXT, charts=charts, reason="x"))
    done = told.write(draft.writes, draft.subject)
    after = told.head
    undone = told.do(told.revert(done))
    assert (told.head, undone) == (before, sha(2))
    told.do(told.revert(undone))
    assert told.head == after


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in {"no environment", "no service"}])
def test_what_a_change_added_goes_byte_for_byte_also_when_others_wrote_since(name: str) -> None:
    told = story()
    charts = {**CONTEXT.charts, "0.2.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.2.0\n"}}
    draft = CHANGES[name].apply(told.head, replace(CONTEXT, charts=charts, reason="x"))
    done = told.write(draft.writes)
    other = SetVariables("shop", "staging", "web", (VariableSetting("LATER", "1"),))
    told.do(other)
    told.do(Scale("shop", "development", "web", 7))
    told.do(told.revert(done))
    expected = story()
    expected.do(other)
    expected.do(Scale("shop", "development", "web", 7))
    assert told.head == expected.head


def test_a_revert_says_what_it_takes_back_and_what_runs_then() -> None:
    told = story()
    done = told.do(deploy("9", "api"))
    draft = told.revert(done).apply(told.head, told.context())
    assert draft.subject == "revert(development): 0000000 deploy(development): api 9"
    assert draft.trailers == (("Service", "api"), ("Image", "api=r/api:1"), ("Reverts", done))


@pytest.mark.parametrize("title", ["", "\tby \x00 hand\r", "x" * 300, "ünïcode ✓"])
def test_whatever_the_reverted_subject_says_the_subject_can_be_read_back(title: str) -> None:
    told = story()
    change = told.revert(told.write({VALUES: b"lucity-app: {}\n", "README.md": b"new"}, title))
    message = parse_message(change.summary())
    assert message.form is not None
    assert (message.subject == change.summary(), message.environment) == (True, None)
    assert change.apply(told.head, told.context()).subject == change.summary()


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (variable("1", environment=None), "revert(base): 0000000 config(base): set A for api"),
        (CreateEnvironment("shop", "pr-1"), "revert(pr-1): 0000000 env(create): pr-1"),
        (RemoveService("shop", "api"), "revert(base): 0000000 config(base): remove service api"),
    ],
)
def test_what_concerns_one_environment_says_so_and_all_else_is_base(change: Change, subject: str) -> None:
    told = story()
    assert told.revert(told.do(change)).summary() == subject


def test_keys_changed_since_stop_it_and_are_named_with_the_commits_that_changed_them() -> None:
    told = story()
    done = told.do(deploy("8"))
    told.do(Scale("shop", "development", "api", 5))
    later = [told.do(deploy("9", "api")), told.do(deploy("10", "api"))]
    problem = told.refusal(done)
    assert isinstance(problem, Conflict)
    assert problem.code is ConflictCode.CHANGED_SINCE
    assert problem.paths == (f"{VALUES}:lucity-app.services.api.image.tag",)
    assert problem.commits == tuple(later)
    assert tags(told.head) == {"api": "10", "web": "8"}


def test_a_file_deleted_or_made_again_since_stops_it() -> None:
    told = story()
    done = told.do(deploy("8"))
    gone = told.do(DeleteEnvironment("shop", "development", "development"))
    problem = told.refusal(done)
    assert (problem.paths, problem.commits) == ((VALUES,), (gone,))
    again = told.do(CreateEnvironment("shop", "development"))
    problem = told.refusal(gone)
    assert problem.code is ConflictCode.CHANGED_SINCE
    assert again in problem.commits


def test_a_file_that_stands_again_with_the_values_that_it_had_is_no_change() -> None:
    told = story()
    gone = told.write({VALUES: None})
    told.write({VALUES: b"# again\n" + (RUNNING.read(VALUES) or b"")})
    assert told.revert(gone).apply(told.head, told.context()).writes == {}
    broken = told.write({VALUES: b"{"})
    told.write({VALUES: b"# once more\n" + (RUNNING.read(VALUES) or b"")})
    assert told.revert(broken).apply(told.head, told.context()).writes == {}


def test_an_environment_that_was_used_since_does_not_go_with_its_creation() -> None:
    told = story()
    created = told.do(CreateEnvironment("shop", "pr-1"))
    used = told.do(deploy("9", "api", environment="pr-1"))
    problem = told.refusal(created)
    assert problem.paths == ("environments/pr-1/values.yaml:lucity-app.services.api.image.tag",)
    assert problem.commits == (used,)
    told.do(told.revert(used))
    told.do(told.revert(created))
    assert environment_names(told.head) == ("development", "staging")


def test_what_stands_again_already_is_no_change() -> None:
    told = story()
    done = told.do(deploy("9", "api"))
    told.do(Scale("shop", "development", "web", 3))
    told.do(deploy("1", "api"))
    assert told.revert(done).apply(told.head, told.context()).writes == {}


def test_one_that_only_changed_a_comment_is_no_change_once_values_moved_on() -> None:
    told = story()
    done = told.write({VALUES: b"# new\n" + (told.head.read(VALUES) or b"")})
    told.do(deploy("9", "api"))
    assert told.revert(done).apply(told.head, told.context()).writes == {}


def test_files_that_are_no_values_go_back_only_as_they_stand() -> None:
    told = story()
    done = told.write({"README.md": b"one"})
    told.write({"README.md": b"two"})
    problem = told.refusal(done)
    assert (problem.paths, problem.commits) == (("README.md",), (sha(2),))


def test_a_revert_mends_files_that_a_push_broke_and_that_nothing_else_can_be_done_to() -> None:
    told = story()
    settings = "environments/development/environment.yaml"
    broken = told.write({VALUES: b"{", settings: b"[", "base/values.yaml": b"*x"})
    told.do(told.revert(broken))
    assert told.head == RUNNING


@pytest.mark.parametrize("change", [deploy("9"), Scale("shop", "development", "api", 5)])
def test_automation_does_not_revert_what_is_held_and_a_person_says_why(change: Change) -> None:
    told = story()
    done = told.do(change)
    told.do(SetHold("shop", "development", ("api",)))
    for actor, override in ((ActorKind.AUTOMATION, True), (ActorKind.PERSON, False)):
        with pytest.raises(Refused) as refused:
            told.do(told.revert(done, override=override), actor=actor)
        assert isinstance(refused.value.problem, GateClosed)
    context = told.context()
    draft = passed(told.revert(done, override=True).apply(told.head, context), context)
    assert draft.trailers[-1] == ("Override", "hold: a mistake")


def test_a_hold_is_reverted_as_it_is_released_by_anybody() -> None:
    told = story()
    held = told.do(SetHold("shop", "development"))
    told.do(told.revert(held), actor=ActorKind.AUTOMATION)
    assert read_environment(told.head, "development").holds == ()


def test_a_mark_of_deletion_that_was_taken_away_by_hand_does_not_come_back() -> None:
    marked = SHOP.with_writes({"project.yaml": edit(SHOP.content["project.yaml"], "p", [(("deleting",), True)])})
    told = story(marked)
    rescued = told.write({"project.yaml": SHOP.content["project.yaml"]})
    assert isinstance(told.refusal(rescued), InvalidInput)


def test_a_commit_that_is_no_longer_in_the_history_is_not_found() -> None:
    told = story()
    change = told.revert(told.do(deploy("9")))
    with pytest.raises(Refused) as refused:
        change.apply(told.head, CONTEXT)
    assert isinstance(refused.value.problem, NotFound)


def test_nulls_that_keep_the_order_of_variables_go_with_the_variable_that_needed_them() -> None:
    told = story()
    shared = told.do(variable("shared", service=None))
    told.do(variable("own", environment=None))
    told.do(told.revert(shared))
    service = read_environment(told.head, "development").service("api")
    assert service is not None
    assert [variable.value for variable in service.variables] == ["own"]


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        ("a: 1", "a: null", "a: null\nb: 2", {"a": 1, "b": 2}),
        ("a: null", "a: 1", "a: 1\nb: 2", {"a": None, "b": 2}),
        ("b: 1", "b: 1\na: {x: {}}", "b: 2\na: {x: {}}", {"b": 2}),
        ("b: 1", "b: 1\na: {x: 1}", "b: 2\na: {x: 1, w: 2}", {"b": 2, "a": {"w": 2}}),
        ("b: 1\na: {x: {}, w: {z: 1}}", "b: 1", "b: 2", {"b": 2, "a": {"x": {}, "w": {"z": 1}}}),
        ("a: {x: 1}", "a: {}", "a: {w: 2}", {"a": {"x": 1, "w": 2}}),
        ("a: {}", "a: {x: 1}", "a: {x: 1, w: 2}", {"a": {"w": 2}}),
        ("a: [1, 2]", "a: [1, 2, 3]", "a: [1, 2, 3]\nb: 1", {"a": [1, 2], "b": 1}),
        ("a: '1'", "a: 1", "a: 1\nb: 1", {"a": "1", "b": 1}),
        ("a: 1", "a: {x: 1}", "a: {x: 1, w: 2}", None),
        ("a: {x: 1}", "b: 1", "b: 1\na: 5", None),
        ("a: {x: 1}", "b: 1", "b: 1\na: null", None),
        ("a: 1", "a: 2", "b: 1", None),
        ("a: 1", "a: 2", "a: '2'", None),
    ],
)
def test_nulls_empty_mappings_and_kinds_of_values_are_told_apart(
    before: str, after: str, now: str, expected: Mapping[str, object] | None
) -> None:
    told = story(RUNNING.with_writes({VALUES: before.encode()}))
    done = told.write({VALUES: after.encode()})
    told.write({VALUES: now.encode()})
    if expected is None:
        assert told.refusal(done).code is ConflictCode.CHANGED_SINCE
        return
    writes = told.revert(done).apply(told.head, told.context()).writes
    assert parse(writes[VALUES] or b"", VALUES).data == expected


def test_the_effective_values_are_those_from_before() -> None:
    told = story()
    before = effective_values(told.head, "development")
    done = told.do(UpdateService("shop", "api", "r/api2", 9090))
    told.do(deploy("9", environment="staging"))
    told.do(told.revert(done))
    assert effective_values(told.head, "development") == before
