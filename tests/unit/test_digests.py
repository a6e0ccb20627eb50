"""Tags looked up for a batch: at once, once, and not for long."""

import threading
from dataclasses import dataclass, field

import pytest

from gitops.changes import FoundTag
from gitops.commits import Image
from gitops.operations import AddService, Deploy, ServiceImage
from gitops.operations.deployments import untold
from gitops.problems import NotFound, Refused
from gitops.tree import Files
from jobs.digests import Digests
from tests.fakes import FakeRegistry
from tests.support.shop import SHOP, grown

API = "registry.test:5000/shop/api"
PATIENCE_SECONDS = 20.0


@dataclass
class MeetingRegistry(FakeRegistry):
    """Answers only once so many are asking at the same time."""

    meeting: threading.Barrier = field(default_factory=lambda: threading.Barrier(8, timeout=PATIENCE_SECONDS))

    def digest(self, repository: str, tag: str) -> str | None:
        self.meeting.wait()
        return super().digest(repository, tag)


@dataclass
class SilentRegistry(FakeRegistry):
    """Answers for the tag `quick` alone, until it is released."""

    released: threading.Event = field(default_factory=threading.Event)

    def digest(self, repository: str, tag: str) -> str | None:
        if tag != "quick":
            self.asked.append((repository, tag))
            self.released.wait(PATIENCE_SECONDS)
        return super().digest(repository, tag)


class BrokenRegistry(FakeRegistry):
    def digest(self, repository: str, tag: str) -> str | None:
        raise RuntimeError(f"a bug, asked for {repository}:{tag}")


def test_images_are_looked_up_beside_each_other() -> None:
    registry = MeetingRegistry()
    digests = {tag: registry.put(API, tag, tag.encode()) for tag in (f"v{number}" for number in range(8))}
    found = Digests(registry, PATIENCE_SECONDS)
    found.gather(Image(API, tag) for tag in digests)
    assert {tag: found.find(Image(API, tag)).digest for tag in digests} == digests


def test_an_image_is_looked_up_once() -> None:
    registry = FakeRegistry()
    digest = registry.put(API, "v1", b"one")
    found = Digests(registry)
    found.gather([Image(API, "v1"), Image(API, "v1", "sha256:running"), Image(API, "v2")])
    for _ in range(3):
        assert found.find(Image(API, "v1")) == FoundTag(digest)
        with pytest.raises(Refused):
            found.find(Image(API, "v2"))
    assert sorted(registry.asked) == [(API, "v1"), (API, "v2")]


def test_a_tag_that_is_not_there_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        Digests(FakeRegistry()).find(Image(API, "v1"))
    assert isinstance(refused.value.problem, NotFound)
    assert (refused.value.problem.what, refused.value.problem.name) == ("tag", "v1")
    assert f"{API} has no tag v1" in refused.value.problem.message


def test_other_registries_are_not_asked() -> None:
    registry = FakeRegistry()
    assert Digests(registry).find(Image("elsewhere.test/shop/api", "v1")) == FoundTag()
    assert Digests(None).find(Image(API, "v1")) == FoundTag()
    assert registry.asked == []


def test_a_silent_registry_is_waited_for_once() -> None:
    registry = SilentRegistry()
    quick = registry.put(API, "quick", b"one")
    found = Digests(registry, 0.2)
    found.gather(Image(API, tag) for tag in ("quick", *(f"v{number}" for number in range(40))))
    late = found.find(Image(API, "another"))
    asked = list(registry.asked)
    registry.released.set()
    assert found.find(Image(API, "quick")) == FoundTag(quick)
    for answer in (found.find(Image(API, "v0")), found.find(Image(API, "v39")), late):
        assert answer.digest is None
        assert "did not answer within" in (answer.warning or "")
    assert (API, "another") not in asked


@pytest.mark.parametrize(
    ("registry", "why"),
    [
        (FakeRegistry(outage="it is away"), "it is away"),
        (FakeRegistry(refusal="it does not let us in"), "it does not let us in"),
        (BrokenRegistry(), "RuntimeError"),
    ],
)
def test_what_cannot_be_looked_up_is_a_warning_that_says_why(registry: FakeRegistry, why: str) -> None:
    found = Digests(registry).find(Image(API, "v1"))
    assert found.digest is None
    assert f"{API}:v1 could not be looked up" in (found.warning or "")
    assert why in (found.warning or "")


def test_only_tags_without_a_digest_are_to_be_looked_up() -> None:
    told = Deploy("shop", "staging", (ServiceImage("api", "1", f"sha256:{'a' * 64}"), ServiceImage("web", "2")))
    again = Deploy("shop", "development", (ServiceImage("web", "2"), ServiceImage("unheard-of", "3")))
    nowhere = Deploy("shop", "nowhere", (ServiceImage("api", "4"),))
    assert untold([told, again, nowhere], SHOP) == {Image("r/web", "2"), Image("r/api", "4")}


def test_what_cannot_be_read_is_left_to_its_own_change() -> None:
    tree = grown(AddService("shop", "api", "r/api")).with_writes({"environments/staging/values.yaml": b"{"})
    both = [Deploy("shop", name, (ServiceImage("api", "1"),)) for name in ("staging", "development")]
    assert untold(both, tree) == {Image("r/api", "1")}
    assert untold(both, Files({})) == set()
