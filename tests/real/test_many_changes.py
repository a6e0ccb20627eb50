"""Many clients at once, all the way to the cluster."""

from concurrent.futures import ThreadPoolExecutor

from tests.support.agreement import assert_agreement, assert_last_wins, tags
from tests.support.product import Product
from tests.support.realshop import Shop, Systems

CLIENTS = 5
CHANGES = 50


def test_fifty_changes_at_once_land_in_order_and_the_newest_is_deployed(shop: Shop, systems: Systems) -> None:
    def deploy(number: int) -> list[str]:
        client = Product(systems.up).client()
        service = ("api", "web")[number % 2]
        try:
            return [client.deploy(shop.name, service, f"m{number}-{turn}") for turn in range(CHANGES // CLIENTS)]
        finally:
            client.close()

    with ThreadPoolExecutor(CLIENTS) as threads:
        accepted = [job for made in threads.map(deploy, range(CLIENTS)) for job in made]
    assert len(set(accepted)) == CHANGES
    landed = {job["id"]: job["commit"]["sha"] for job in shop.client.succeeded(*accepted)}
    assert len(set(landed.values())) == CHANGES
    repository = systems.soft.path(f"gitops/{shop.name}")
    jobs = shop.client.admitted(shop.name)
    assert set(accepted) <= {job["id"] for job in jobs}
    assert_agreement(repository, jobs, systems.up.report())
    assert_last_wins(repository, "development", jobs)
    newest = {job["serviceNames"][0]: landed[job["id"]] for job in jobs if job["id"] in landed}
    assert sorted(newest) == ["api", "web"]
    for service, sha in newest.items():
        shop.ends(sha, "DEPLOYED")
        tag = tags(repository, "development")[service]
        runs = systems.kube.runs(shop.namespace("development"), service)
        assert runs == [(f"registry.local/{service}:{tag}", 1)]
    for sha in landed.values():
        if sha not in newest.values():
            found = shop.rollout(sha)
            assert found["final"]
            assert found["phase"] in {"SUPERSEDED", "DEPLOYED"}
