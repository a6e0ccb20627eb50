"""A process that fails between any two steps of a change, without dying: nothing is lost, nothing is done twice."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from adapters.failpoints import NAMES, FailpointRaised, Failpoints
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development",)))
        lab.carry(AddService("shop", "api", "registry.example.com/shop/api"))
        yield lab


@pytest.mark.parametrize("name", NAMES)
def test_a_failure_at_any_step_loses_and_doubles_nothing(shop: Lab, name: str) -> None:
    broken = make_lab(
        shop.folder, shop.ports.settings.redis, testing=True, failpoint=f"{name}:raise", push_timeout_seconds=1
    )
    with closing(broken):
        raised = []
        for number in range(3):
            change = Deploy("shop", "development", (ServiceImage("api", f"v{number}"),))
            try:
                broken.admit(change, key=f"key-{number}")
            except FailpointRaised as failure:
                raised.append(failure)
                broken.admit(change, key=f"key-{number}")
        try:
            broken.work("shop")
        except FailpointRaised as failure:
            raised.append(failure)
        assert len(raised) == 1

        def ended() -> bool:
            broken.ports.claims.sweep(broken.ports.settings.push_timeout_seconds)
            broken.work("shop")
            return not broken.ports.ledger.unfinished(["shop"])["shop"]

        broken.wait("the end of all three", ended)
    deploys = [f"deploy(development): api v{number}" for number in (2, 1, 0)]
    assert shop.clone("shop").subjects()[:4] == [*deploys, "config(base): add service api"]


def test_without_testing_a_failpoint_does_nothing(tmp_path: Path) -> None:
    Failpoints.parse("after_claim:raise", tmp_path, testing=False).reach("after_claim")
    assert list(tmp_path.iterdir()) == []


def test_a_failpoint_acts_as_often_as_it_was_told_and_remembers_it_on_disk(tmp_path: Path) -> None:
    for _ in range(2):
        failpoints = Failpoints.parse("after_claim:raise:2", tmp_path, testing=True)
        with pytest.raises(FailpointRaised):
            failpoints.reach("after_claim")
    Failpoints.parse("after_claim:raise:2", tmp_path, testing=True).reach("after_claim")
