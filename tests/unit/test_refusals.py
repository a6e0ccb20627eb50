"""What changes refuse, and why."""

from dataclasses import replace
from typing import Any

import pytest

from gitops.changes import Change, JobKind
from gitops.operations import (
    CHANGES,
    AddService,
    Build,
    CreateEnvironment,
    CreateProject,
    DeleteEnvironment,
    DeleteProject,
    Deploy,
    ExtendEnvironment,
    Promote,
    ReleaseHold,
    RemoveService,
    Restart,
    Revert,
    Rollback,
    Scale,
    ServiceImage,
    SetHold,
    SetValues,
    SetVariables,
    SyncEnvironment,
    UpdateProject,
    UpdateService,
    UpgradeChart,
    ValueSetting,
    VariableSetting,
)
from gitops.problems import AlreadyExists, Conflict, ConflictCode, InvalidInput, NotFound, Refused
from gitops.services import SecretKey, Source
from gitops.tree import Files
from tests.support.shop import CONTEXT, SHOP, refusal

DELETING = SHOP.with_writes(DeleteProject("shop", "shop").apply(SHOP, CONTEXT).writes)


def wrong_fields(change: Any) -> set[str]:
    with pytest.raises(Refused) as refused:
        change.validate()
    problem = refused.value.problem
    assert isinstance(problem, InvalidInput)
    return {".".join(error.path) for error in problem.errors}


SAMPLES: list[Change] = [
    UpdateProject("shop", (ValueSetting("branches.main", ["development"]),)),
    CreateEnvironment("shop", "pr-1"),
    DeleteEnvironment("shop", "staging", "staging"),
    ExtendEnvironment("shop", "staging", 60),
    AddService("shop", "worker", "r/w"),
    UpdateService("shop", "api", port=1),
    RemoveService("shop", "api"),
    Deploy("shop", "staging", (ServiceImage("api", "1"),)),
    Restart("shop", "staging", ("api",)),
    Build("shop", "api", "main", ("staging",)),
    Promote("shop", "development", "staging"),
    Scale("shop", "staging", "api", 1),
    SetVariables("shop", "staging", None, (VariableSetting("A", "1"),)),
    SetValues("shop", "staging", (ValueSetting("services.api.x", 1),)),
    UpgradeChart("shop"),
    SyncEnvironment("shop", "staging"),
    SetHold("shop", "staging", ("api",)),
    ReleaseHold("shop", "staging", ("api",)),
    Rollback("shop", "staging", "0" * 40, ("api",)),
    Revert("shop", "0" * 40, "1" * 40, "by hand", ("base",)),
]


@pytest.mark.parametrize("change", SAMPLES, ids=lambda change: type(change).__name__)
def test_a_project_that_is_being_deleted_refuses_every_change(change: Change) -> None:
    problem = refusal(change, DELETING)
    assert isinstance(problem, Conflict)
    assert problem.code is ConflictCode.BEING_DELETED


@pytest.mark.parametrize("change", SAMPLES, ids=lambda change: type(change).__name__)
def test_a_project_that_does_not_exist_refuses_every_change(change: Change) -> None:
    problem = refusal(change, Files({}))
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("project", "shop")


@pytest.mark.parametrize("change", SAMPLES, ids=lambda change: type(change).__name__)
def test_a_malformed_project_is_refused_where_it_would_be_used_too(change: Any) -> None:
    assert "project" in {path for error in refusal(replace(change, project="../x")).errors for path in error.path}


def test_every_kind_of_change_can_be_found_by_its_name() -> None:
    assert {type(sample).__name__ for sample in SAMPLES} | {"CreateProject", "DeleteProject"} == set(CHANGES)
    assert {kind.KIND for kind in CHANGES.values()} <= set(JobKind)


@pytest.mark.parametrize(
    "change", [sample for sample in SAMPLES if sample.environments], ids=lambda c: type(c).__name__
)
def test_an_environment_that_does_not_exist_is_named(change: Any) -> None:
    field = "target" if isinstance(change, Promote) else "environment"
    if isinstance(change, CreateEnvironment):
        change, field = replace(change, source="development"), "source"
    fields: dict[str, Any] = {"deploy_to": ("nowhere",)} if isinstance(change, Build) else {field: "nowhere"}
    problem = refusal(replace(change, **fields | ({"confirm": "nowhere"} if hasattr(change, "confirm") else {})))
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("environment", "nowhere")


@pytest.mark.parametrize(
    "change",
    [
        Deploy("shop", "staging", (ServiceImage("ghost", "1"),)),
        Restart("shop", "staging", ("api", "ghost")),
        Build("shop", "ghost"),
        Promote("shop", "development", "staging", ("ghost",)),
        Scale("shop", "staging", "ghost", 1),
        SetHold("shop", "staging", ("api", "ghost")),
        Rollback("shop", "staging", "0" * 40, ("ghost",)),
        ReleaseHold("shop", "staging", ("ghost",)),
        UpdateService("shop", "ghost", port=1),
        RemoveService("shop", "ghost"),
        SetVariables("shop", None, "ghost", (VariableSetting("A", "1"),)),
        SetValues("shop", None, (ValueSetting("services.ghost.x", 1),)),
    ],
    ids=lambda change: type(change).__name__,
)
def test_a_service_that_does_not_exist_is_named(change: Change) -> None:
    assert refusal(change) == NotFound("the service ghost does not exist: add it first", "service", "ghost")


def test_what_exists_is_not_made_again() -> None:
    for change, what in [
        (CreateProject("shop"), "project"),
        (CreateEnvironment("shop", "staging"), "environment"),
        (AddService("shop", "api", "r/x"), "service"),
    ]:
        problem = refusal(change)
        assert isinstance(problem, AlreadyExists)
        assert problem.what == what


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        (CreateProject("default", ("a", "a", "B")), {"name", "environments.1", "environments.2"}),
        (CreateProject("shop", tuple(f"e{n}" for n in range(51))), {"environments"}),
        (DeleteProject("shop", "shpo"), {"confirm"}),
        (UpdateProject("shop"), {"values"}),
        (
            UpdateProject(
                "Shop",
                (
                    ValueSetting("branches.main", "development"),
                    ValueSetting("branches.next", ["a", "a"]),
                    ValueSetting('branches."a..b"', ["Prod"]),
                    ValueSetting("branches.x.y", []),
                    ValueSetting("branches", {}),
                    ValueSetting("previews.enabled", "yes"),
                    ValueSetting("previews.limit", value=True),
                    ValueSetting("previews.ttlSeconds", 1.5),
                    ValueSetting("previews.from", None),
                    ValueSetting("previews.colour", "red"),
                    ValueSetting("pipeline", [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]),
                    ValueSetting("deleting", value=True),
                    ValueSetting("a..b", 1),
                    ValueSetting("previews.forks", 2**64),
                ),
                ("deleting", "previews", "branches.next", "windows"),
            ),
            {"project", "values.0.value", "values.1.value", "values.2.key", "values.3.key", "values.4.key"}
            | {"values.5.value", "values.6.value", "values.7.value", "values.8.value", "values.9.key"}
            | {"values.10.value", "values.11.key", "values.12.key", "values.13.value"}
            | {"unset.0", "unset.1", "unset.2", "unset.3"},
        ),
        (CreateEnvironment("shop", "base", "base", ttl_seconds=1), {"name", "from", "ttlSeconds"}),
        (CreateEnvironment("shop", "x", "x"), {"from"}),
        (DeleteEnvironment("shop", "staging", "stagin"), {"confirm"}),
        (ExtendEnvironment("Shop", "base", 0), {"project", "environment", "ttlSeconds"}),
        (AddService("shop", "A", "a:b", 0, ("\0",), -1), {"name", "image", "port", "command.0", "replicas"}),
        (
            AddService("shop", "a", "a", source=Source("--upload-pack=x", "", "../..", "/etc/passwd")),
            {"source.repositoryUrl", "source.branch", "source.contextPath", "source.dockerfile"},
        ),
        (AddService("shop", "a", "a", source=Source("https://h/p", "a..b", "", "")), {
            "source.branch", "source.contextPath", "source.dockerfile"
        }),
        (UpdateService("shop", "a", port=65536, removes=("image",)), {"port", "image"}),
        (Deploy("shop", "staging", ()), {"services"}),
        (Deploy("shop", "staging", tuple(ServiceImage(f"s{n}", "1") for n in range(201))), {"services"}),
        (
            Deploy("Shop", "../x", (ServiceImage("api", "a b", "sha256:x"), ServiceImage("api", "1"))),
            {"project", "environment", "services.0.tag", "services.0.digest", "services.1.service"},
        ),
        (Build("shop", "a--b", "--upload-pack=x", ("../x",)), {"service", "revision", "deployTo.0"}),
        (Build("shop", "a", "a..b", ("dev", "dev")), {"revision", "deployTo"}),
        (Restart("shop", "staging", ("a", "a", "--x")), {"services.1", "services.2"}),
        (Promote("shop", "a", "a", ("B",), ("image.tag", "")), {"to", "services.0", "include.0", "include.1"}),
        (Scale("shop", "staging", "api", 1001), {"replicas"}),
        (SetVariables("shop"), {"set"}),
        (
            SetVariables(
                "shop",
                "staging",
                "api",
                (
                    VariableSetting("1A", "x"),
                    VariableSetting("A"),
                    VariableSetting("B", "x", SecretKey("s", "k")),
                    VariableSetting("C", "x" * 65537),
                    VariableSetting("D", None, SecretKey("S/..", "a b")),
                ),
                ("C", "C"),
            ),
            {"set.0.name", "set.1", "set.2", "set.3.value", "set.4.fromSecret.secret", "set.4.fromSecret.key"}
            | {"unset.0", "unset.1"},
        ),
        (
            SetValues(
                "shop",
                None,
                (
                    ValueSetting("services.api.image.tag", "1"),
                    ValueSetting("services.api", {}),
                    ValueSetting("environment", "x"),
                    ValueSetting("a..b", 1),
                    ValueSetting("x", float("inf")),
                    ValueSetting("y", 2**64),
                    ValueSetting("z", "\ud800"),
                ),
                ("services.api.image",),
            ),
            {*(f"set.{n}.key" for n in range(4)), *(f"set.{n}.value" for n in (4, 5, 6)), "unset.0"},
        ),
        (SetValues("shop", None, (ValueSetting("a.b", 1), ValueSetting("a", 1))), {"set"}),
        (UpgradeChart("shop", "newest"), {"version"}),
        (Revert("shop", "HEAD", "", "", ()), {"commit"}),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_everything_that_is_wrong_with_an_input_is_said_at_once(change: Any, wrong: set[str]) -> None:
    assert wrong_fields(change) == wrong


def test_deeply_nested_values_are_refused() -> None:
    value: object = 1
    for _ in range(500):
        value = [value]
    assert wrong_fields(SetValues("shop", None, (ValueSetting("a", value),))) == {"set.0.value"}
