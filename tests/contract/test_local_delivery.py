"""The local delivery on what real Helm renders: real Git, a real Valkey."""

from pathlib import Path

import pytest

from gitops.operations import AddService, CreateProject, Deploy, ServiceImage, SetValues, ValueSetting
from gitops.rollouts import SyncStatus
from tests.support.git import Clone
from tests.support.lab import Lab


def test_a_date_that_is_in_no_calendar_is_text(lab: Lab) -> None:
    lab.settle(CreateProject("shop", ("development",)))
    lab.carry(AddService("shop", "api", "registry.example.org/api"))
    values = (ValueSetting("services.api.annotations", {"example.org/released": "2026-02-30"}),)
    lab.carry(SetValues("shop", None, values), Deploy("shop", "development", (ServiceImage("api", "v1"),)))
    head = lab.ports.githost.heads(["shop"])["shop"]
    lab.ports.delivery.refresh("shop", ["development"], head)
    (seen,) = lab.ports.delivery.statuses("shop")
    assert (seen.sync, seen.revision, seen.images) == (SyncStatus.SYNCED, head, ("registry.example.org/api:v1",))


@pytest.mark.parametrize(
    "template",
    [
        "a: 1",
        "- a",
        "text",
        "a: b: c",
        "a: 0b_",
        "[" * 3000,
        "kind: Service\napiVersion: v1\nmetadata: {name: }",
        "a: !x 1",
    ],
)
def test_what_is_no_object_breaks_its_environment_alone(lab: Lab, tmp_path: Path, template: str) -> None:
    lab.settle(CreateProject("shop", ("development", "staging")))
    text = f'{{{{ if eq .Values.which "dev" }}}}\n{template}\n{{{{ end }}}}\n'
    clone = Clone.of(lab.ports.githost.remote("shop")[0], tmp_path / "clone")
    head = clone.commit(
        "by hand",
        {
            "base/templates/own.yaml": text,
            "base/values.yaml": (clone.folder / "base/values.yaml").read_text() + "which: other\n",
            "environments/development/values.yaml": "which: dev\n",
        },
    )
    clone.push()
    lab.ports.repositories.fetch("shop")
    lab.ports.delivery.refresh("shop", ["development", "staging"], head)
    broken, well = sorted(lab.ports.delivery.statuses("shop"), key=lambda one: one.environment)
    assert (broken.revision, broken.sync, well.revision, well.sync) == (
        head,
        SyncStatus.UNKNOWN,
        head,
        SyncStatus.SYNCED,
    )
    assert "own.yaml renders" in (broken.message or "")


def test_objects_without_labels_in_lists_and_under_long_names_are_shown(lab: Lab, tmp_path: Path) -> None:
    lab.settle(CreateProject("shop", ("development",)))
    clone = Clone.of(lab.ports.githost.remote("shop")[0], tmp_path / "clone")
    part = "x" * 150
    several = "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Secret, metadata: {name: two, labels: }}]}"
    head = clone.commit(
        "by hand",
        {
            f"base/templates/{part}/{part}.yaml": "{apiVersion: v1, kind: Secret, metadata: {name: one}}",
            "base/templates/list.yaml": several,
        },
    )
    clone.push()
    lab.ports.repositories.fetch("shop")
    lab.ports.delivery.refresh("shop", ["development"], head)
    (seen,) = lab.ports.delivery.statuses("shop")
    assert seen.sync is SyncStatus.SYNCED
    assert {(one.kind, one.name) for one in seen.resources} == {("Secret", "one"), ("Secret", "two")}


def test_a_file_that_cannot_be_read_is_named_once(lab: Lab, tmp_path: Path) -> None:
    lab.settle(CreateProject("shop", ("development",)))
    clone = Clone.of(lab.ports.githost.remote("shop")[0], tmp_path / "clone")
    head = clone.commit("by hand", {"environments/development/values.yaml": "a: 1\na: 2\n"})
    clone.push()
    lab.ports.repositories.fetch("shop")
    lab.ports.delivery.refresh("shop", ["development"], head)
    (broken,) = lab.ports.delivery.statuses("shop")
    assert broken.message == "environments/development/values.yaml:2:1: duplicate key 'a'"
