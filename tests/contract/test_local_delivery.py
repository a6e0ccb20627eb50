"""The local delivery on what real Helm renders: real Git, a real Valkey."""

from gitops.operations import AddService, CreateProject, Deploy, ServiceImage, SetValues, ValueSetting
from gitops.rollouts import SyncStatus
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
