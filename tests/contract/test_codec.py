"""Everything that is kept as JSON comes back as it was."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.codec import dump_change, dump_problem, dumps, load_change, load_problem, loads
from adapters.records import JobRecord, JobState, RolloutRecord, Step
from gitops import operations
from gitops.changes import Actor, ActorKind, Change, JobKind
from gitops.problems import (
    AlreadyExists,
    Conflict,
    ConflictCode,
    FieldError,
    Gate,
    GateClosed,
    InvalidInput,
    InvalidRepository,
    JobFailure,
    NotFound,
    PermissionDenied,
    PlanStale,
    Problem,
    RateLimited,
    RenderFailed,
    Unavailable,
)
from gitops.rollouts import Observation, Rollout

AT = datetime(2026, 11, 23, 4, 5, 6, 789_012, tzinfo=UTC)
PROBLEMS: tuple[Problem, ...] = (
    InvalidInput("m", (FieldError(("input", "name"), "too long"),)),
    InvalidRepository("m", "base/values.yaml", 3, 4, "c0ffee"),
    NotFound("m", "service", "api"),
    AlreadyExists("m", "namespace", "a-b"),
    PermissionDenied("m", "deploy"),
    Conflict("m", ConflictCode.CHANGED_SINCE, "beef", ("a",), ("c1", "c2"), "job_1"),
    Unavailable("m", "git", "job_1"),
    RateLimited("m", 1.5),
    RenderFailed("m", "staging"),
    JobFailure("m", "commit"),
    PlanStale("m", "{}"),
    GateClosed(
        "m", (Gate("hold", open=False, message="g", next_open_at=AT), Gate("pipeline", open=True, message="")), AT
    ),
)
JOB = JobRecord(
    id="job_1",
    kind=JobKind.PROMOTE,
    project="shop",
    environments=("staging", "development"),
    services=("api",),
    summary='promote(staging): "ünïcode" ✓\u2028',
    actor=Actor("tok_1", "Ada", "ada@example.com", ActorKind.AUTOMATION),
    change='{"x":"\\n"}',
    fingerprint="ab",
    created_at=AT,
    state=JobState.WAITING,
    started_at=AT,
    steps=(Step("commit", JobState.SUCCEEDED, None, AT, AT), Step("application", JobState.RUNNING, "…")),
    problem=PROBLEMS[5],
)


@pytest.mark.parametrize("problem", PROBLEMS, ids=lambda problem: type(problem).__name__)
def test_every_problem_comes_back_alone_and_inside_a_record(problem: Problem) -> None:
    assert load_problem(dump_problem(problem)) == problem
    job = replace(JOB, problem=problem)
    assert loads(JobRecord, dumps(job)) == job


def test_every_member_of_problem_is_tried_above() -> None:
    assert {type(problem) for problem in PROBLEMS} == set(Problem.__args__)


def test_a_record_without_a_problem_comes_back() -> None:
    job = replace(JOB, problem=None, steps=())
    assert loads(JobRecord, dumps(job)) == job


@given(st.builds(Observation, project=st.text(), observed_at=st.datetimes(timezones=st.just(UTC))))
def test_every_observation_comes_back(seen: Observation) -> None:
    assert loads(Observation, dumps(seen)) == seen


@given(
    st.builds(RolloutRecord, rollout=st.builds(Rollout, started_at=st.none() | st.datetimes(timezones=st.just(UTC))))
)
def test_every_verdict_comes_back(verdict: RolloutRecord) -> None:
    assert loads(RolloutRecord, dumps(verdict)) == verdict


def test_the_same_value_gives_the_same_text() -> None:
    text = dumps(JOB)
    assert dumps(loads(JobRecord, text)) == text


def test_times_are_written_as_utc_whatever_zone_they_were_in() -> None:
    berlin = replace(JOB, created_at=AT.astimezone(timezone(timedelta(hours=1))))
    assert dumps(berlin) == dumps(JOB)
    assert '"2026-11-23T04:05:06.789012Z"' in dumps(JOB)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="no time zone"):
        dumps(replace(JOB, created_at=AT.replace(tzinfo=None)))


def test_fields_of_a_newer_version_are_passed_over() -> None:
    assert loads(JobRecord, dumps(JOB)[:-1] + ',"invented_later":1}') == JOB


@pytest.mark.parametrize("text", ["{}", "[]", "3", "null", '{"id":"job_1"', dumps(JOB).replace('"PROMOTE"', '"NEVER"')])
def test_text_that_is_no_such_value_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - each has words of its own
        loads(JobRecord, text)


@dataclass(frozen=True)
class Free:
    """Values of any shape, as changes of configuration carry them."""

    value: object
    values: tuple[tuple[str, object], ...]
    choice: str | int | float | bool | None = None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_free_json_values_come_back_with_their_keys_in_order(value: object) -> None:
    free = Free(value, (("a.b", value),), choice=1)
    assert loads(Free, dumps(free)) == free
    assert dumps(loads(Free, dumps(free))) == dumps(free)


@pytest.mark.parametrize("choice", ["1234567", "no", "0x1F", 1, 1.5, True, None])
def test_a_plain_value_keeps_its_type(choice: str | float | bool | None) -> None:  # noqa: FBT001 - the point
    free = loads(Free, dumps(Free(None, (), choice)))
    assert (free.choice, type(free.choice)) == (choice, type(choice))


CHANGES_MADE: tuple[Change, ...] = (
    operations.CreateProject("shop", ("development", "staging")),
    operations.DeleteProject("shop", "shop"),
    operations.CreateEnvironment("shop", "pr-1", "development", ephemeral=True, ttl_seconds=60),
    operations.UpdateProject("shop", (operations.ValueSetting("limits.environments", 3),), ("forge",)),
    operations.ExtendEnvironment("shop", "pr-1", 60),
    operations.DeleteEnvironment("shop", "pr-1"),
    operations.AddService("shop", "api", "registry/api", 8080, ("run", "--now")),
    operations.UpdateService("shop", "api", removes=("port",)),
    operations.RemoveService("shop", "api"),
    operations.Deploy(
        "shop", "staging", (operations.ServiceImage("api", "1234567"), operations.ServiceImage("web", "no"))
    ),
    operations.Restart("shop", "staging", ("api",)),
    operations.Build("shop", "api", "main", ("staging", "pr-1"), force=True, branch="main"),
    operations.Promote("shop", "development", "staging", ("api", "web"), ("resources",), override=True),
    operations.Scale("shop", "staging", "api", 3),
    operations.SetVariables("shop", "staging", None, (operations.VariableSetting("A", "it's\n{{ }} $ ✓"),), ("B",)),
    operations.SetValues("shop", None, (operations.ValueSetting("x.y", {"b": [1, 1.5, None, True, "no"], "a": {}}),)),
    operations.UpgradeChart("shop", "0.2.0"),
    operations.SyncEnvironment("shop", "staging"),
    operations.SetHold("shop", "staging", ("api",), 60),
    operations.ReleaseHold("shop", "staging"),
    operations.Rollback("shop", "staging", "0" * 40, ("api",), operations.RollbackScope.ENVIRONMENT, override=True),
    operations.Revert("shop", "0" * 40, "1" * 40, "by hand", ("base", "environments/x"), ("api",), override=True),
)


@pytest.mark.parametrize("change", CHANGES_MADE, ids=lambda change: type(change).__name__)
def test_every_change_comes_back(change: Change) -> None:
    assert load_change(dump_change(change)) == change
    assert dump_change(load_change(dump_change(change))) == dump_change(change)


def test_every_kind_of_change_is_tried_above() -> None:
    assert {type(change).__name__ for change in CHANGES_MADE} == set(operations.CHANGES)


def test_an_unknown_change_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="Teleport"):
        load_change('{"_type":"Teleport"}')
