"""Whole changes on a repository that people have edited: golden/before, and for each case what it writes and says.

LUCITY_UPDATE_GOLDEN=1 writes the expectations anew; read the diff before committing it.
"""

import os
import shutil
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.changes import Actor, Change, Context
from gitops.gates import passed
from gitops.messages import parse, render
from gitops.operations import (
    AddService,
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
    RollbackScope,
    Scale,
    ServiceImage,
    SetHold,
    SetValues,
    SetVariables,
    UpdateProject,
    UpdateService,
    UpgradeChart,
    ValueSetting,
    VariableSetting,
)
from gitops.services import SecretKey, Source
from gitops.tree import Files

GOLDEN = Path(__file__).parent / "golden"
CHARTS = {
    "0.1.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.1.0\n"},
    "0.10.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.10.0\n", "templates/services.yaml": b"new: true\n"},
    "0.9.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.9.0\n"},
}
CONTEXT = Context(
    datetime(2026, 11, 23, 12, tzinfo=UTC), "c" * 40, Actor("ann", "Ann", "ann@example.com"), CHARTS, "incident 12"
)
DIGEST = "sha256:" + "1" * 64
OLD_COMMIT = "0123456" + "0" * 33
REVERTED, ITS_PARENT = "fedcba9" + "0" * 33, "fedcba8" + "0" * 33
OLD_VALUES = {
    "development": b"""\
lucity-app:
    services:
        api: {image: {tag: "older"}, replicas: 2, hosts: [old.example.com]}
        web:
            image: {tag: "9f8e7d6"}
""",
    "staging": b"lucity-app: {services: {web: {image: {tag: old}}}}  # as it was",
}

CASES: dict[str, Change] = {
    "create-project": CreateProject("shop", ("development", "production")),
    "delete-project": DeleteProject("shop", "shop"),
    "update-project": UpdateProject(
        "shop",
        (
            ValueSetting("branches.main", ["development"]),
            ValueSetting('branches."release/1.0"', ["staging"]),
            ValueSetting("previews.enabled", value=True),
        ),
    ),
    "extend-pipeline": UpdateProject(
        "shop",
        (ValueSetting("pipeline", [{"from": "development", "to": "staging"}, {"from": "pr-7", "to": "staging"}]),),
    ),
    "create-environment": CreateEnvironment("shop", "production"),
    "create-preview": CreateEnvironment("shop", "pr-142", "development", ephemeral=True, ttl_seconds=3600),
    "extend-preview": ExtendEnvironment("shop", "pr-7", 3600),
    "delete-environment": DeleteEnvironment("shop", "staging", "staging"),
    "delete-preview": DeleteEnvironment("shop", "pr-7"),
    "add-service": AddService(
        "shop", "worker", "registry/worker", None, ("run", "--all"), 2, Source("https://x/y.git")
    ),
    "update-service": UpdateService("shop", "api", "registry/api2", 9090, removes=("command",)),
    "remove-service": RemoveService("shop", "web"),
    "deploy-one": Deploy("shop", "development", (ServiceImage("api", "1234567"),)),
    "deploy-two": Deploy("shop", "staging", (ServiceImage("web", "no"), ServiceImage("api", "0x1F", DIGEST))),
    "deploy-preview": Deploy("shop", "pr-7", (ServiceImage("api", "12e4567"),)),
    "promote": Promote("shop", "development", "staging"),
    "promote-with-resources": Promote("shop", "development", "staging", ("api",), ("resources",)),
    "promote-past-the-pipeline": Promote("shop", "development", "pr-7", ("web",), override=True),
    "restart": Restart("shop", "staging", ("web", "api")),
    "scale": Scale("shop", "staging", "api", 3),
    "set-variables": SetVariables(
        "shop",
        "staging",
        "api",
        (VariableSetting("A", 'say "hi" {{ $x }}\n'), VariableSetting("DB", None, SecretKey("database", "url"))),
    ),
    "set-shared-variables": SetVariables("shop", "staging", None, (VariableSetting("NO", "no"),), ("LOG_LEVEL",)),
    "unset-text": SetVariables("shop", None, "web", (), ("GREETING",)),
    "set-values": SetValues("shop", "development", (ValueSetting("services.api.resources.limits.cpu", "1"),)),
    "upgrade-chart": UpgradeChart("shop"),
    "rollback": Rollback("shop", "development", OLD_COMMIT, ("api",)),
    "rollback-with-configuration": Rollback("shop", "development", OLD_COMMIT, (), RollbackScope.IMAGE_AND_CONFIG),
    "rollback-environment": Rollback("shop", "staging", OLD_COMMIT, (), RollbackScope.ENVIRONMENT, override=True),
    "revert": Revert("shop", REVERTED, ITS_PARENT, "deploy(development): api a1b2c3d", ("environments/development",)),
    "revert-by-hand": Revert(
        "shop", REVERTED, ITS_PARENT, "Tune, and see", ("NOTES.md", "base", "environments/development")
    ),
    "hold-services": SetHold("shop", "staging", ("web", "api"), 3600),
    "hold-environment": SetHold("shop", "pr-7"),
    "release-service": ReleaseHold("shop", "development", ("web",)),
    "release-environment": ReleaseHold("shop", "development"),
}


def folder(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


BEFORE = Files(folder(GOLDEN / "before"))
OLD = BEFORE.with_writes({f"environments/{name}/values.yaml": data for name, data in OLD_VALUES.items()})
LATER = {"environments/development/values.yaml": (b"9f8e7d6", b"0000000"), "base/values.yaml": (b"8080", b"8081")}
MISTAKES = {
    "environments/development/values.yaml": (
        (b"'a1b2c3d'", b"'0ld'"),
        (b"            hosts: [dev.example.com]\n", b""),
    ),
    "base/values.yaml": ((b"80     #", b"79     #"), (b"    REGION: eu-1", b"    ZONE: a")),
}


def history() -> dict[str, Files]:
    """The commit to revert, before something else was changed, and its parent."""
    now = BEFORE.content
    then = BEFORE.with_writes({path: now[path].replace(*each) for path, each in LATER.items()} | {"NOTES.md": b"x"})
    writes: dict[str, bytes | None] = {"NOTES.md": None}
    for path, mistakes in MISTAKES.items():
        data = then.content[path]
        for mistake in mistakes:
            data = data.replace(*mistake)
        writes[path] = data
    return {OLD_COMMIT: OLD, REVERTED: then, ITS_PARENT: then.with_writes(writes)}


def outcome(name: str) -> dict[str, bytes]:
    context = replace(CONTEXT, at=history().get)
    draft = passed(CASES[name].apply(Files({}) if name == "create-project" else BEFORE, context), context)
    files = {path: data for path, data in draft.writes.items() if data is not None}
    removed = sorted(path for path, data in draft.writes.items() if data is None)
    message = render(draft.subject, draft.body, draft.trailers)
    said = {"message.txt": message.encode()}
    return files | said | ({"removed.txt": "\n".join(removed).encode()} if removed else {})


@pytest.mark.parametrize("name", CASES)
def test_a_change_writes_and_says_exactly_this(name: str) -> None:
    after = GOLDEN / "after" / name
    written = outcome(name)
    if os.environ.get("LUCITY_UPDATE_GOLDEN") == "1":
        shutil.rmtree(after, ignore_errors=True)
        for path, data in written.items():
            (after / path).parent.mkdir(parents=True, exist_ok=True)
            (after / path).write_bytes(data)
    assert written == folder(after)


@pytest.mark.parametrize("name", CASES)
def test_what_a_change_says_can_be_read_back(name: str) -> None:
    message = parse(outcome(name)["message.txt"].decode())
    assert message.form is not None
    assert len(message.subject) <= 120


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"create-project", "restart"}])
def test_a_change_carried_out_twice_finds_nothing_to_do_or_says_why(name: str) -> None:
    context = replace(CONTEXT, at=history().get)
    once = BEFORE.with_writes(CASES[name].apply(BEFORE, context).writes)
    if CASES[name].creates or (CASES[name].deletes and name != "delete-project"):
        with pytest.raises(Exception, match=r"exists|does not exist"):
            CASES[name].apply(once, context)
    else:
        assert CASES[name].apply(once, context).writes == {}
