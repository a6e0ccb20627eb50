"""A deploy that names a tag lands with the digest that the registry has for it: real Git, a real Valkey, real Helm."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.records import JobRecord, JobState
from adapters.registry import OciRegistry
from gitops.changes import Actor, ActorKind
from gitops.operations import AddService, CreateProject, Deploy, Promote, ServiceImage, SetHold, UpdateService
from gitops.problems import NotFound, Refused
from tests.fakes import FakeRegistry
from tests.support.fake_registry import Auth, fake_registry
from tests.support.git import git, install_hook
from tests.support.lab import Lab, make_lab
from tests.support.registry import PASSWORD, USERNAME
from tests.support.valkey import ValkeyServer

API = "registry.test:5000/shop/api"
ROBOT = Actor("tok_ci", "CI", "ci@example.org", ActorKind.AUTOMATION)


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry()


@pytest.fixture
def shop(lab: Lab, registry: FakeRegistry) -> Lab:
    """A project whose service api has its images in the registry."""
    lab.ports = replace(lab.ports, registry=registry)
    grow(lab, API)
    return lab


def grow(lab: Lab, image: str) -> None:
    lab.settle(CreateProject("shop", ("development", "staging")))
    lab.carry(AddService("shop", "api", image, port=8080))


def deploy(tag: str, digest: str | None = None) -> Deploy:
    return Deploy("shop", "development", (ServiceImage("api", tag, digest),))


def message(job: JobRecord) -> str:
    (step,) = job.steps
    return step.message or ""


def values(shop: Lab, commit: str | None, environment: str = "development") -> str:
    assert commit is not None
    folder = Path(shop.ports.githost.remote("shop")[0])
    return git(folder, "show", f"{commit}:environments/{environment}/values.yaml")


def test_a_tag_lands_with_its_digest_in_values_and_trailer(shop: Lab, registry: FakeRegistry) -> None:
    digest = registry.put(API, "v1", b"one")
    (job,) = shop.carry(deploy("v1"))
    assert f'digest: "{digest}"' in values(shop, job.commit)
    folder = Path(shop.ports.githost.remote("shop")[0])
    body = git(folder, "log", "-1", "--format=%B", str(job.commit))
    assert body.splitlines()[0] == "deploy(development): api v1"
    assert f"Image: api={API}:v1@{digest}" in body
    assert message(job) == str(job.commit)[:7]


def test_a_tag_that_is_not_there_fails_alone_and_nothing_of_it_is_pushed(shop: Lab, registry: FakeRegistry) -> None:
    registry.put(API, "v1", b"one")
    registry.put(API, "v3", b"three")
    first, second, third = shop.carry(deploy("v1"), deploy("v2"), deploy("v3"))
    assert [first.state, second.state, third.state] == [JobState.SUCCEEDED, JobState.FAILED, JobState.SUCCEEDED]
    assert isinstance(second.problem, NotFound)
    assert second.problem.what == "tag"
    assert shop.clone("shop").subjects()[:2] == ["deploy(development): api v3", "deploy(development): api v1"]


@pytest.mark.parametrize(("outage", "refusal"), [("it is away", None), (None, "it does not let us in")])
def test_a_registry_that_does_not_tell_is_a_warning_in_the_job(
    shop: Lab, registry: FakeRegistry, outage: str | None, refusal: str | None
) -> None:
    registry.outage, registry.refusal = outage, refusal
    (job,) = shop.carry(deploy("v1"))
    assert job.state is JobState.SUCCEEDED
    assert "digest" not in values(shop, job.commit)
    assert message(job).startswith(f"{str(job.commit)[:7]}; deployed without a digest")
    assert message(job).endswith(str(outage or refusal))
    (again,) = shop.carry(deploy("v1"))
    assert again.no_change
    assert "deployed without a digest" in message(again)


def test_a_digest_that_is_said_is_not_looked_up(shop: Lab, registry: FakeRegistry) -> None:
    said = f"sha256:{'a' * 64}"
    (job,) = shop.carry(deploy("v1", said))
    assert f'digest: "{said}"' in values(shop, job.commit)
    shop.carry(Promote("shop", "development", "staging"))
    assert f'digest: "{said}"' in values(shop, shop.ports.events.heads(["shop"])["shop"], "staging")
    assert registry.asked == []


def test_images_elsewhere_are_not_looked_up(shop: Lab, registry: FakeRegistry) -> None:
    shop.carry(UpdateService("shop", "api", image="elsewhere.test/shop/api"))
    (job,) = shop.carry(deploy("v1"))
    assert job.state is JobState.SUCCEEDED
    assert message(job) == str(job.commit)[:7]
    assert registry.asked == []


def test_the_same_tag_is_a_change_once_it_stands_for_another_image(shop: Lab, registry: FakeRegistry) -> None:
    registry.put(API, "main", b"one")
    first, same = shop.carry(deploy("main"), deploy("main"))
    assert (first.no_change, same.no_change) == (False, True)
    newer = registry.put(API, "main", b"two")
    (moved,) = shop.carry(deploy("main"))
    assert not moved.no_change
    assert f'digest: "{newer}"' in values(shop, moved.commit)


def test_a_batch_that_is_built_again_does_not_ask_again(shop: Lab, registry: FakeRegistry) -> None:
    """A hook that refuses one commit makes the batch be halved and built many times."""
    script = 'while read old new ref; do git log --format=%s "$old..$new" | grep -q "api v5$" && exit 1; done; exit 0'
    install_hook(Path(shop.ports.githost.remote("shop")[0]), "pre-receive", script)
    for number in range(8):
        registry.put(API, f"v{number}", str(number).encode())
    jobs = shop.carry(*(deploy(f"v{number}") for number in range(8)))
    assert [number for number, job in enumerate(jobs) if job.state is JobState.FAILED] == [5]
    assert sorted(registry.asked) == [(API, f"v{number}") for number in range(8)]


def test_a_service_that_the_same_batch_adds_is_looked_up_too(shop: Lab, registry: FakeRegistry) -> None:
    digest = registry.put("registry.test:5000/shop/web", "v1", b"web")
    web = Deploy("shop", "development", (ServiceImage("web", "v1"),))
    _, job = shop.carry(AddService("shop", "web", "registry.test:5000/shop/web"), web)
    assert job.state is JobState.SUCCEEDED
    assert f'digest: "{digest}"' in values(shop, job.commit)


def test_the_same_tag_again_is_let_through_a_hold_for_the_commit_point_to_judge(
    shop: Lab, registry: FakeRegistry
) -> None:
    """Nothing is asked at admission, so whatever runs of that tag is presumed to be what it stands for."""
    registry.put(API, "v1", b"one")
    shop.carry(deploy("v1"))
    shop.admit(SetHold("shop", "development"), reason="incident 12")
    shop.work("shop")
    asked = len(registry.asked)
    with pytest.raises(Refused):
        shop.admit(deploy("v2"), actor=ROBOT)
    job = shop.admit(deploy("v1"), actor=ROBOT)
    assert len(registry.asked) == asked
    shop.work("shop")
    assert shop.job(job.id).no_change


@pytest.mark.parametrize("auth", [Auth.OPEN, Auth.BEARER])
def test_settings_name_the_registry(tmp_path: Path, valkey: ValkeyServer, auth: Auth) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    login = {"registry_username": USERNAME, "registry_password_file": tmp_path / "password"}
    with fake_registry(auth) as fake:
        digest = fake.push("team/api", "v1", b"one")
        given = {
            "registry": f"{fake.address}/team",
            "registry_insecure": True,
            **(login if auth is Auth.BEARER else {}),
        }
        with closing(make_lab(tmp_path, valkey.url, **given)) as lab:
            lab.flush()
            grow(lab, f"{fake.address}/team/api")
            (job,) = lab.carry(deploy("v1"))
            assert f'digest: "{digest}"' in values(lab, job.commit)
            assert isinstance(lab.ports.registry, OciRegistry)
            lab.ports.registry.close()
