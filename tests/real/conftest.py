"""One Lucity for all tests here, on a real Soft-serve, a real Argo CD and a real Kubernetes together."""

from collections.abc import Iterator

import pytest

from tests.support.realshop import ArgoCd, Shop, Systems
from tests.support.realstack import Kubectl, Stack, all_settings
from tests.support.up import running

QUICK = {"LUCITY_LEASE_SECONDS": "5"}
"""What a dead process held is free again soon."""


@pytest.fixture(scope="session")
def systems(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Systems]:
    settings, kube, soft = all_settings(), Kubectl.found(), Stack.found().softserve()
    argo = ArgoCd(settings)
    with running(tmp_path_factory.mktemp("together") / "data", variables={**settings, **QUICK}) as up:
        yield Systems(up, argo, kube, soft)
    argo.close()


@pytest.fixture(scope="module")
def shop(systems: Systems) -> Iterator[Shop]:
    made = Shop(systems.up)
    yield made
    made.delete()
