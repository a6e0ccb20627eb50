"""Previews compared with the requests that a forge says are open, when deliveries were lost."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.records import JobFilter
from gitops.changes import JobKind
from gitops.operations import AddService, CreateEnvironment, DeleteEnvironment, UpdateProject, ValueSetting
from gitops.services import Source
from jobs.request_sweeps import MOST_DELETIONS
from jobs.source_polls import poll
from tests.support.fake_forge import FakeRepository, fake_forge
from tests.support.forged import PATH, ForgedShop, forged_shop
from tests.support.valkey import ValkeyServer


@pytest.fixture(params=["github", "gitlab", "gitea"])
def shop(request: pytest.FixtureRequest, tmp_path: Path, valkey: ValkeyServer) -> Iterator[ForgedShop]:
    with fake_forge(request.param) as forge, forged_shop(tmp_path, valkey.url, forge) as made:
        yield made


@pytest.fixture
def hub(tmp_path: Path, valkey: ValkeyServer) -> Iterator[ForgedShop]:
    with fake_forge("github") as forge, forged_shop(tmp_path, valkey.url, forge) as made:
        yield made


def repository(shop: ForgedShop) -> FakeRepository:
    return shop.forge.repository(PATH)


def previews(shop: ForgedShop) -> set[str]:
    return shop.environments() - {"development"}


def unfinished(shop: ForgedShop) -> list[JobKind]:
    return [job.kind for job in shop.lab.ports.ledger.unfinished(["shop"]).get("shop", ())]


def opened(shop: ForgedShop, *numbers: int) -> None:
    """Requests with their previews."""
    for number in numbers:
        shop.deliver(repository(shop).open(number, shop.commit(f"{number}", f"feature-{number}")))
    shop.carry()
    assert previews(shop) == {f"pr-{number}" for number in numbers}


def test_what_was_opened_and_closed_unheard_ends_right(shop: ForgedShop) -> None:
    opened(shop, 7)
    repository(shop).close(7, 5)
    repository(shop).open(8, shop.commit("8", "feature"))
    shop.sweep()
    shop.carry()
    assert previews(shop) == {"pr-8"}
    shop.sweep()
    assert unfinished(shop) == []


def test_a_head_that_moved_unheard_is_built(hub: ForgedShop) -> None:
    opened(hub, 7)
    newer = hub.commit("newer", "feature")
    repository(hub).open(7, newer, 1)
    hub.sweep()
    assert unfinished(hub) == [JobKind.BUILD]
    hub.carry()
    hub.sweep()
    assert unfinished(hub) == []


def test_an_event_that_comes_after_the_sweep_changes_nothing(hub: ForgedShop) -> None:
    opened(hub, 7)
    late = repository(hub).requests[7]
    repository(hub).close(7, 5)
    hub.sweep()
    hub.carry()
    late.is_open, late.updated_at = True, late.updated_at.replace(minute=4)
    assert hub.deliver(late).ignored
    hub.carry()
    assert previews(hub) == set()


@pytest.mark.parametrize("failing", [500, 401, 403, 404, 429, 301])
def test_a_forge_that_does_not_answer_deletes_nothing(hub: ForgedShop, failing: int) -> None:
    opened(hub, 7)
    repository(hub).requests.clear()
    hub.forge.failing = (failing, {})
    hub.sweep()
    assert unfinished(hub) == []


def test_a_request_that_is_missing_counts_only_where_its_repository_is_read(hub: ForgedShop) -> None:
    opened(hub, 7)
    repository(hub).requests.clear()
    hub.forge.hidden.append(f"/repos/{PATH}")
    hub.sweep()
    assert unfinished(hub) == []
    hub.forge.hidden.clear()
    hub.sweep()
    assert unfinished(hub) == [JobKind.ENVIRONMENT_DELETE]


def test_a_list_that_holds_nothing_is_no_evidence(hub: ForgedShop) -> None:
    opened(hub, 7)
    hub.forge.page_size = 0
    hub.sweep()
    assert unfinished(hub) == []


def test_only_so_many_are_deleted_in_one_round(hub: ForgedShop) -> None:
    numbers = range(7, 7 + MOST_DELETIONS + 2)
    opened(hub, *numbers)
    for number in numbers:
        repository(hub).close(number, 5)
    hub.sweep()
    assert unfinished(hub) == [JobKind.ENVIRONMENT_DELETE] * MOST_DELETIONS
    hub.carry()
    hub.sweep()
    hub.carry()
    assert previews(hub) == set()


def test_an_environment_of_a_persons_is_never_swept(hub: ForgedShop) -> None:
    hub.lab.admit(CreateEnvironment("shop", "pr-9", "development", ephemeral=True))
    hub.carry()
    hub.sweep()
    assert unfinished(hub) == []


def test_a_preview_that_somebody_deleted_is_not_made_again_until_its_request_moves(hub: ForgedShop) -> None:
    opened(hub, 7)
    hub.lab.admit(DeleteEnvironment("shop", "pr-7"))
    hub.carry()
    hub.sweep()
    assert unfinished(hub) == []
    repository(hub).open(7, hub.commit("newer", "feature"), 3)
    hub.sweep()
    hub.carry()
    assert previews(hub) == {"pr-7"}


def test_a_request_that_was_reopened_unheard_gets_its_preview_back(hub: ForgedShop) -> None:
    opened(hub, 7)
    request = repository(hub).requests[7]
    repository(hub).close(7, 5)
    hub.deliver(request)
    hub.carry()
    repository(hub).open(7, request.sha, 6)
    hub.sweep()
    hub.carry()
    assert previews(hub) == {"pr-7"}


def test_what_a_project_does_not_want_is_not_made(hub: ForgedShop) -> None:
    repository(hub).open(7, hub.commit("7", "feature"), fork=True)
    hub.sweep()
    assert unfinished(hub) == []
    hub.lab.carry(UpdateProject("shop", (ValueSetting("previews.enabled", value=False),)))
    repository(hub).open(8, hub.commit("8", "feature"))
    asked = len(hub.forge.asked)
    hub.sweep()
    assert (unfinished(hub), len(hub.forge.asked)) == ([], asked)


def test_each_source_is_asked_for_its_own_requests(hub: ForgedShop) -> None:
    other = hub.forge.repository("acme/web")
    url = "https://git.example.org/acme/web.git"
    source = Source(url)
    hub.lab.carry(AddService("shop", "web", "registry.example.org/shop/web", port=8080, source=source))
    opened(hub, 7)
    other.open(9, hub.sources.commit(url, "feature", {"Dockerfile": b"FROM scratch"}))
    hub.sweep()
    hub.carry()
    assert previews(hub) == {"pr-7", "pr-9"}
    other.close(9, 5)
    hub.sweep()
    hub.carry()
    assert previews(hub) == {"pr-7"}


def test_without_a_token_nothing_is_asked(hub: ForgedShop) -> None:
    opened(hub, 7)
    hub.lab.ports.secrets.delete("projects.shop.forge")
    repository(hub).close(7, 5)
    hub.sweep()
    assert (hub.forge.asked, unfinished(hub)) == ([], [])


def test_a_token_that_is_refused_is_not_tried_again_in_the_same_place(hub: ForgedShop) -> None:
    hub.forge.token = "renewed"
    for _ in range(3):
        hub.sweep()
    assert hub.forge.asked == [("GET", f"/repos/{PATH}/pulls")]
    hub.lab.carry(UpdateProject("shop", (ValueSetting("forge.apiUrl", f"{hub.forge.api_url}/"),)))
    hub.sweep()
    assert len(hub.forge.asked) == 2


def test_the_poll_of_sources_sweeps_too(hub: ForgedShop) -> None:
    sha = hub.commit("8", "feature")
    hub.commit("main")
    repository(hub).open(8, sha)
    hub.lab.ports.leases.drop("source-polls")
    poll(hub.lab.ports)
    builds = hub.lab.ports.ledger.page(JobFilter(kinds=(JobKind.BUILD,), project="shop"), 9, None).jobs
    assert {job.environments for job in builds} == {("pr-8",), ("development",)}
