"""Comparing, looking back, and who wrote a line: over real Git and a real Valkey."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gitops.operations.configuration import Scale
from gitops.operations.deployments import Deploy, ServiceImage
from gitops.operations.projects import CreateProject
from gitops.operations.services import AddService
from tests.support.git import git
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

COMPARE = """query C($base: PointInput!, $head: PointInput!, $project: String = "shop") {
  compare(project: $project, base: $base, head: $head) { base { sha } head { sha } commits { subject } diff
    changes { path environmentName key kind before after } } }"""
AT = """query A($point: PointInput!, $name: String = "development") { environment(project: "shop", name: $name) {
  at(point: $point) { commit { subject } valuesText services { service { name } image { tag } replicas health
    deployment { current commit { subject } } environment { name } } } } }"""
BLAME = """query B($key: String!) { environment(project: "shop", name: "development") {
  blame(key: $key) { line text commit { subject author { name } } } } }"""
TAG = "lucity-app.services.api.image.tag"


@pytest.fixture
def shop(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """Two environments; api is deployed to development twice, scaled there, then deployed to staging."""
    with closing(make_lab(tmp_path, valkey.url)) as lab:
        lab.flush()
        lab.settle(CreateProject("shop", ("development", "staging")))
        lab.carry(AddService("shop", "api", "registry.example.com/shop/api", port=8080))
        lab.carry(deploy("a1"), deploy("b2"), Scale("shop", "development", "api", 3), deploy("a1", "staging"))
        yield lab


def deploy(tag: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, (ServiceImage("api", tag),))


def shas(lab: Lab) -> list[str]:
    """Every commit, oldest first."""
    head = lab.ports.repositories.head("shop") or ""
    return [commit.sha for commit in lab.ports.repositories.log("shop", None, head) or ()]


def values(comparison: dict[str, Any]) -> dict[str, tuple[object, object]]:
    return {change["key"]: (change["before"], change["after"]) for change in comparison["changes"]}


def test_two_revisions_compare_by_all_that_lies_between(shop: Lab) -> None:
    _, born, first, *_, last = shas(shop)

    async def story(api: Api) -> None:
        found = (await api.data(COMPARE, base={"revision": first[:9]}, head={"revision": last}))["compare"]
        assert [found["base"]["sha"], found["head"]["sha"]] == [first, last]
        assert [commit["subject"] for commit in found["commits"]] == [
            "deploy(staging): api a1", "config(development): update replicas to 3", "deploy(development): api b2"
        ]  # fmt: skip
        assert [(one["environmentName"], one["key"], one["kind"]) for one in found["changes"]] == [
            ("development", TAG, "CHANGED"),
            ("development", "lucity-app.services.api.replicas", "ADDED"),
            ("staging", TAG, "ADDED"),
        ]
        assert "--- a/environments/development/values.yaml\n+++ b/environments/development/values.yaml" in found["diff"]
        back = (await api.data(COMPARE, base={}, head={"revision": born}))["compare"]
        assert back["base"]["sha"] == last
        assert back["commits"] == []
        assert {one["kind"] for one in back["changes"]} == {"REMOVED"}

    with_api(shop, story)


def test_two_environments_compare_by_their_values(shop: Lab) -> None:
    async def story(api: Api) -> None:
        base, head = {"environment": "staging"}, {"environment": "development"}
        found = (await api.data(COMPARE, base=base, head=head))["compare"]
        assert found["commits"] == []
        assert values(found) == {
            "lucity-app.environment": ("staging", "development"),
            TAG: ("a1", "b2"),
            "lucity-app.services.api.replicas": (None, 3),
        }
        assert {(one["path"], one["environmentName"]) for one in found["changes"]} == {
            ("environments/development/values.yaml", "development")
        }
        assert "--- a/environments/staging/values.yaml\n+++ b/environments/development/values.yaml" in found["diff"]

    with_api(shop, story)


def test_one_environment_compares_with_itself_at_another_time(shop: Lab) -> None:
    _, added, first, *_ = shas(shop)

    async def story(api: Api) -> None:
        base, head = {"environment": "development", "revision": added}, {"environment": "development"}
        found = (await api.data(COMPARE, base=base, head=head))["compare"]
        assert [commit["subject"] for commit in found["commits"]] == [
            "config(development): update replicas to 3", "deploy(development): api b2", "deploy(development): api a1"
        ]  # fmt: skip
        assert values(found) == {TAG: (None, "b2"), "lucity-app.services.api.replicas": (None, 3)}
        later = {"environment": "development", "time": datetime.now(UTC).isoformat()}
        first_point = {"environment": "development", "revision": first}
        assert values((await api.data(COMPARE, base=first_point, head=later))["compare"])[TAG] == ("a1", "b2")

    with_api(shop, story)


def test_an_environment_is_as_it_was(shop: Lab) -> None:
    _, added, first, *_ = shas(shop)

    async def at(api: Api, **point: str) -> Any:
        return (await api.data(AT, point=point))["environment"]["at"]

    async def story(api: Api) -> None:
        then = await at(api, revision=first)
        assert then["commit"]["subject"] == "deploy(development): api a1"
        assert then["valuesText"].rstrip().endswith('tag: "a1"')
        assert then["services"] == [
            {
                "service": {"name": "api"},
                "image": {"tag": "a1"},
                "replicas": 1,
                "health": "UNKNOWN",
                "deployment": {"current": False, "commit": {"subject": "deploy(development): api a1"}},
                "environment": {"name": "development"},
            }
        ]
        (service,) = (await at(api, environment="development"))["services"]
        assert [service["image"]["tag"], service["replicas"]] == ["b2", 3]
        assert service["deployment"] == {"current": True, "commit": {"subject": "deploy(development): api b2"}}
        assert (await at(api, revision=added))["services"][0]["image"] is None

    with_api(shop, story)


def test_a_time_means_the_newest_commit_that_is_not_later(shop: Lab) -> None:
    clone = shop.clone("shop")
    born = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for hours in (1, 2):
        moment = (born + timedelta(hours=hours)).isoformat()
        path = "environments/development/values.yaml"
        text = f'lucity-app:\n  services:\n    api:\n      image:\n        tag: "t{hours}"\n'
        (clone.folder / path).write_text(text)
        git(clone.folder, "commit", "--quiet", "--all", "-m", f"By hand {hours}", env={"GIT_COMMITTER_DATE": moment})
    clone.push()
    shop.ports.repositories.fetch("shop")

    async def tag(api: Api, moment: datetime) -> Any:
        found = (await api.data(AT, point={"time": moment.isoformat()}))["environment"]["at"]
        return found and found["services"][0]["image"]["tag"]

    async def story(api: Api) -> None:
        assert await tag(api, born + timedelta(hours=1)) == "t1"
        assert await tag(api, born + timedelta(hours=2, seconds=-1)) == "t1"
        assert await tag(api, born + timedelta(hours=2)) == "t2"
        assert await tag(api, born + timedelta(days=900)) == "t2"
        assert await tag(api, born - timedelta(days=900)) is None

    shop.flush()
    with_api(shop, story)


def test_a_key_is_blamed_line_by_line_and_by_either_of_its_names(shop: Lab) -> None:
    async def story(api: Api) -> None:
        def told(lines: Any) -> list[tuple[str, str]]:
            return [(line["text"].strip(), line["commit"]["subject"]) for line in lines]

        whole = (await api.data(BLAME, key="lucity-app.services.api"))["environment"]["blame"]
        assert told(whole) == [
            ("api:", "deploy(development): api a1"),
            ("image:", "deploy(development): api a1"),
            ('tag: "b2"', "deploy(development): api b2"),
            ("replicas: 3", "config(development): update replicas to 3"),
        ]
        assert [line["line"] for line in whole] == list(range(whole[0]["line"], whole[0]["line"] + 4))
        assert whole[0]["commit"]["author"]["name"] == "Ann"
        short = (await api.data(BLAME, key="services.api.image.tag"))["environment"]["blame"]
        assert told(short) == [('tag: "b2"', "deploy(development): api b2")]
        assert (await api.data(BLAME, key=TAG))["environment"]["blame"] == short
        assert (await api.data(BLAME, key="services.web"))["environment"]["blame"] is None

    with_api(shop, story)


def test_a_broken_file_can_neither_be_blamed_nor_shown_and_is_compared_as_text(shop: Lab) -> None:
    before = shas(shop)[-1]
    clone = shop.clone("shop")
    clone.commit("Break it", {"environments/development/values.yaml": "lucity-app: [\n"})
    clone.push()
    shop.ports.repositories.fetch("shop")

    async def story(api: Api) -> None:
        assert (await api.data(BLAME, key=TAG))["environment"]["blame"] is None
        assert (await api.data(AT, point={}))["environment"]["at"] is None
        assert (await api.data(AT, point={"revision": before}))["environment"]["at"]["commit"]["subject"]
        found = (await api.data(COMPARE, base={"revision": before}, head={}))["compare"]
        assert found["changes"] == []
        assert "+lucity-app: [\n" in found["diff"]

    shop.flush()
    with_api(shop, story)


def test_points_that_are_not_there_are_null_and_malformed_ones_an_error(shop: Lab) -> None:
    created = shas(shop)[0]
    here = {"environment": "staging"}

    async def story(api: Api) -> None:
        for base, head in (
            ({"revision": "abcdef1"}, {}),
            ({"time": "2001-01-01T00:00:00Z"}, {}),
            ({"environment": "nothing"}, here),
            (here, {"environment": "nothing", "revision": created}),
        ):
            assert await api.data(COMPARE, base=base, head=head) == {"compare": None}, (base, head)
        assert await api.data(COMPARE, project="nothing", base={}, head={}) == {"compare": None}
        for point in ({"revision": "abcdef1"}, {"time": "2001-01-01T00:00:00Z"}):
            assert (await api.data(AT, point=point))["environment"]["at"] is None
        for point in (
            {"revision": "main"},
            {"revision": created, "time": "2026-11-01T00:00:00Z"},
            {"environment": "UPPER"},
            {"time": "yesterday"},
        ):
            assert await api.code(COMPARE, base=point, head={}) == "BAD_USER_INPUT", point
            assert await api.code(AT, point=point) == "BAD_USER_INPUT", point
        assert await api.code(COMPARE, base={}, head=here) == "BAD_USER_INPUT"
        assert await api.code(AT, point=here) == "BAD_USER_INPUT"
        for key in ("", "a..b", '"open', "x" * 600):
            assert await api.code(BLAME, key=key) == "BAD_USER_INPUT", key

    with_api(shop, story)
