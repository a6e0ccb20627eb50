"""What a hold stops, whom it stops, and how it ends."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.changes import ActorKind, Change, Context
from gitops.gates import passed
from gitops.operations import (
    CreateEnvironment,
    Deploy,
    Promote,
    ReleaseHold,
    RemoveService,
    ServiceImage,
    SetHold,
)
from gitops.problems import GateClosed, InvalidInput, InvalidRepository, NotFound, Refused
from gitops.repository import read_environment
from gitops.tree import Files
from tests.support.shop import CONTEXT, RUNNING, refusal

WHY = replace(CONTEXT, reason="incident 12")
ROBOT = replace(WHY, actor=replace(CONTEXT.actor, kind=ActorKind.AUTOMATION))
STAGING = "environments/staging/environment.yaml"


def deploy(tag: str = "9", service: str = "api", *, override: bool = False) -> Deploy:
    return Deploy("shop", "staging", (ServiceImage(service, tag),), override=override)


def after(tree: Files, *changes: Change, context: Context = WHY) -> Files:
    """The tree after changes that pass their gates."""
    for change in changes:
        tree = tree.with_writes(passed(change.apply(tree, context), context).writes)
    return tree


def stopped(change: Change, tree: Files, context: Context = WHY) -> Any:
    """The problem that keeps a change from passing."""
    with pytest.raises(Refused) as refused:
        passed(change.apply(tree, context), context)
    return refused.value.problem


HELD = after(RUNNING, SetHold("shop", "staging", ("api",)))


@pytest.mark.parametrize("context", [WHY, ROBOT], ids=["person", "automation"])
@pytest.mark.parametrize("change", [deploy(), Promote("shop", "development", "staging")], ids=["deploy", "promote"])
def test_a_held_service_is_not_changed(change: Change, context: Context) -> None:
    problem = stopped(change, HELD, context)
    assert isinstance(problem, GateClosed)
    assert [(gate.name, gate.open, gate.next_open_at) for gate in problem.gates] == [("hold", False, None)]
    assert "api is held in staging by Ann" in problem.message
    assert "incident 12" in problem.message


def test_a_person_passes_with_override_and_reason_and_the_commit_says_so() -> None:
    draft = passed(deploy(override=True).apply(HELD, WHY), WHY)
    assert draft.trailers[-1] == ("Override", "hold: incident 12")


def test_an_override_needs_a_reason() -> None:
    problem = stopped(deploy(override=True), HELD, CONTEXT)
    assert isinstance(problem, InvalidInput)
    assert problem.errors[0].path == ("reason",)


def test_automation_passes_no_hold() -> None:
    problem = stopped(deploy(override=True), HELD, ROBOT)
    assert isinstance(problem, GateClosed)
    assert "only a person" in problem.message


def test_an_override_where_nothing_is_closed_leaves_no_trace() -> None:
    assert passed(deploy(override=True).apply(RUNNING, WHY), WHY).trailers == deploy().apply(RUNNING, WHY).trailers


def test_a_hold_stops_only_what_it_names() -> None:
    tree = after(HELD, deploy(service="web"), Promote("shop", "development", "staging", ("web",)), context=ROBOT)
    assert stopped(Promote("shop", "development", "staging"), tree, ROBOT)


def test_what_changes_nothing_of_a_held_service_passes() -> None:
    held = after(RUNNING, SetHold("shop", "development", ("api",)))
    same = Deploy("shop", "development", (ServiceImage("api", "1"),))
    assert passed(same.apply(held, ROBOT), ROBOT).writes == {}
    both = Deploy("shop", "development", (ServiceImage("api", "1"), ServiceImage("web", "3")))
    assert passed(both.apply(held, ROBOT), ROBOT).subject == "deploy(development): web 3"


def test_a_held_environment_stops_every_service() -> None:
    tree = after(RUNNING, SetHold("shop", "staging"))
    assert "everything is held in staging" in stopped(deploy(service="web"), tree, ROBOT).message


def test_the_source_of_a_promotion_may_be_held() -> None:
    tree = after(RUNNING, SetHold("shop", "development"))
    assert after(tree, Promote("shop", "development", "staging"), context=ROBOT) != tree


@given(st.integers(1, 366 * 24 * 3600), st.integers(-5, 5))
def test_a_hold_counts_until_it_expires(seconds: int, distance: int) -> None:
    tree = after(RUNNING, SetHold("shop", "staging", (), seconds))
    end = CONTEXT.now + timedelta(seconds=seconds)
    now = replace(ROBOT, now=end + timedelta(seconds=distance))
    if distance < 0:
        assert stopped(deploy(), tree, now).next_open_at == end
    else:
        assert after(tree, deploy(), context=now) != tree


def test_gates_open_by_themselves_only_when_all_do() -> None:
    tree = after(RUNNING, SetHold("shop", "staging", (), 60), SetHold("shop", "staging", ("api",), 3600))
    assert stopped(deploy(), tree).next_open_at == CONTEXT.now + timedelta(seconds=3600)
    tree = after(tree, SetHold("shop", "staging", ("api",)))
    assert stopped(deploy(), tree).next_open_at is None


def test_the_same_hold_again_is_nothing_to_do_and_another_one_replaces_it() -> None:
    later = replace(WHY, now=CONTEXT.now + timedelta(days=1))
    assert SetHold("shop", "staging", ("api",)).apply(HELD, later).writes == {}
    tree = after(HELD, SetHold("shop", "staging", ("api",), 60), context=replace(later, reason="audit"))
    (hold,) = read_environment(tree, "staging").holds
    assert (hold.service, hold.reason, hold.since) == ("api", "audit", later.now)


@pytest.mark.parametrize("names", [("api",), ("api", "web"), ()])
def test_what_a_hold_wrote_its_release_takes_away_byte_for_byte(names: tuple[str, ...]) -> None:
    tree = after(RUNNING, SetHold("shop", "staging", names), ReleaseHold("shop", "staging", names))
    assert tree == RUNNING


def test_a_service_that_only_its_whole_environment_holds_is_not_released_alone() -> None:
    release = ReleaseHold("shop", "staging", ("web",))
    whole = after(RUNNING, SetHold("shop", "staging", (), 60))
    problem = refusal(release, whole, ROBOT)
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("hold", "web")
    assert "naming no services" in problem.message
    assert release.apply(whole, replace(ROBOT, now=CONTEXT.now + timedelta(seconds=60))).writes == {}
    own = after(whole, SetHold("shop", "staging", ("web",)))
    assert after(own, release) == whole


def test_releasing_without_names_ends_every_hold() -> None:
    tree = after(HELD, SetHold("shop", "staging", ("web",)), SetHold("shop", "staging"))
    assert after(tree, ReleaseHold("shop", "staging")) == RUNNING


@pytest.mark.parametrize("names", [("web",), ()])
def test_releasing_what_is_not_held_is_nothing_to_do(names: tuple[str, ...]) -> None:
    tree = HELD if names else RUNNING
    assert ReleaseHold("shop", "staging", names).apply(tree, WHY).writes == {}
    without = RUNNING.with_writes({STAGING: None})
    assert ReleaseHold("shop", "staging", names).apply(without, WHY).writes == {}


def test_a_hold_needs_a_reason() -> None:
    assert refusal(SetHold("shop", "staging")).errors[0].path == ("reason",)


@pytest.mark.parametrize("seconds", [0, -1, 366 * 24 * 3600 + 1])
def test_a_hold_ends_in_the_future_and_not_too_far(seconds: int) -> None:
    assert refusal(SetHold("shop", "staging", (), seconds), context=WHY).errors[0].path == ("expiresInSeconds",)


def test_a_copy_takes_over_neither_holds_nor_the_end() -> None:
    tree = after(HELD, CreateEnvironment("shop", "pr-1", "staging", ephemeral=True, ttl_seconds=60))
    tree = after(tree, SetHold("shop", "pr-1"), CreateEnvironment("shop", "pr-2", "pr-1", ephemeral=True))
    assert len(read_environment(tree, "pr-1").holds) == 1
    copy = read_environment(tree, "pr-2")
    assert (copy.holds, copy.expires_at) == ((), None)


def test_the_holds_of_a_removed_service_go_with_it() -> None:
    tree = after(HELD, SetHold("shop", "staging", ("web",)), RemoveService("shop", "api"))
    assert [hold.service for hold in read_environment(tree, "staging").holds] == ["web"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("holds: yes please\n", 1),
        ("a: 1\nholds:\n  api: forever\n", 3),
        ("holds:\n  api: {reason: x}\n", 2),
        ("holds:\n  api: {reason: x, since: '2026-01-01', expiresAt: soon}\n", 2),
        ("holds: [\n", 2),
    ],
)
def test_of_holds_that_cannot_be_read_nothing_is_assumed(text: str, line: int) -> None:
    tree = RUNNING.with_writes({STAGING: text.encode()})
    problem = refusal(deploy(), tree)
    assert isinstance(problem, InvalidRepository)
    assert (problem.path, problem.line) == (STAGING, line)
    assert problem in read_environment(tree, "staging").problems
    assert Deploy("shop", "development", (ServiceImage("api", "9"),)).apply(tree, CONTEXT).writes
