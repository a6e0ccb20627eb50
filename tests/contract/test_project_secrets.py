"""A project's secrets over real Git and a real Valkey: who may set them, what is told of them, and when they go."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from adapters.ports import Unreachable
from gitops.changes import ActorKind
from gitops.operations import CreateProject, DeleteProject
from jobs import project_secrets
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab, make_lab
from tests.support.valkey import ValkeyServer

ROBOT = replace(ANN, id="tok_robot", kind=ActorKind.AUTOMATION)
VALUE = "correct-horse-battery-staple"
ANSWER = """{ __typename ... on ProjectSecret { name updatedAt } ... on Problem { message }
  ... on InvalidInput { errors { path } } ... on NotFound { what name } ... on PermissionDenied { required }
  ... on Unavailable { component } }"""
SET = f"""mutation S($project: String!, $name: String!, $value: String!) {{
  setProjectSecret(input: {{project: $project, name: $name, value: $value}}) {ANSWER} }}"""
DELETE = f"""mutation D($name: String!) {{ deleteProjectSecret(input: {{project: "shop", name: $name}}) {ANSWER} }}"""
LISTED = '{ project(name: "shop") { secrets { name updatedAt } } }'


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """A project shop."""
    with closing(make_lab(tmp_path, valkey.url)) as made:
        made.flush()
        made.settle(CreateProject("shop", ("development",)))
        yield made


async def keep(api: Api, name: str = "webhook", value: str = VALUE, project: str = "shop") -> dict[str, Any]:
    return await api.change(SET, project=project, name=name, value=value)


def test_a_secret_is_kept_listed_and_never_shown(lab: Lab) -> None:
    async def story(api: Api) -> None:
        assert await api.data(LISTED) == {"project": {"secrets": []}}
        kept = await keep(api)
        assert (kept["__typename"], kept["name"]) == ("ProjectSecret", "webhook")
        listed = await api.data(LISTED)
        assert listed == {"project": {"secrets": [{"name": "webhook", "updatedAt": kept["updatedAt"]}]}}
        assert VALUE not in json.dumps([kept, listed])
        again = await keep(api, value=VALUE[::-1])
        assert again["updatedAt"] > kept["updatedAt"]

    with_api(lab, story)
    assert project_secrets.read(lab.ports.secrets, "shop", "webhook") == VALUE[::-1].encode()


def test_a_secret_lies_in_no_other_file_and_not_in_redis(lab: Lab) -> None:
    with_api(lab, keep)
    holders = [path for path in lab.folder.rglob("*") if path.is_file() and VALUE.encode() in path.read_bytes()]
    assert [path.name for path in holders] == ["projects.shop.webhook"]
    assert [path.stat().st_mode & 0o077 for path in holders] == [0]
    assert not [key for key in lab.redis.keys("*") if VALUE.encode() in (lab.redis.dump(key) or b"")]


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("webhook", "", "value"),
        ("webhook", "x" * 15, "value"),
        ("webhook", f"{VALUE}\n", "value"),
        ("forge", "a\nb", "value"),
        ("clone", "x" * (16 * 1024 + 1), "value"),
        ("clone", "a\0b", "value"),
        ("password", VALUE, "name"),
        ("../webhook", VALUE, "name"),
    ],
)
def test_what_cannot_be_a_secret_is_refused(lab: Lab, name: str, value: str, wrong: str) -> None:
    async def story(api: Api) -> None:
        refused = await keep(api, name, value)
        assert {error["path"][0] for error in refused["errors"]} == {wrong}
        assert not value or len(value) == 1 or value not in refused["message"]

    with_api(lab, story)
    assert list(project_secrets.listed(lab.ports.secrets, "shop")) == []


def test_a_key_of_many_lines_can_be_what_sources_are_read_with(lab: Lab) -> None:
    async def story(api: Api) -> None:
        assert (await keep(api, "clone", "-----BEGIN\nabc\n"))["name"] == "clone"

    with_api(lab, story)


def test_projects_that_are_not_there_and_other_actors_have_none(lab: Lab) -> None:
    async def story(api: Api) -> None:
        assert [(await keep(api, project="nowhere"))[key] for key in ("what", "name")] == ["project", "nowhere"]
        assert (await keep(api, project="../shop"))["__typename"] == "InvalidInput"
        denied = await api.change(SET, ROBOT, project="shop", name="webhook", value=VALUE)
        assert denied["required"] == "secrets:write"

    with_api(lab, story)
    assert list(project_secrets.listed(lab.ports.secrets, "shop")) == []


def test_a_secret_is_removed_once(lab: Lab) -> None:
    async def story(api: Api) -> None:
        kept = await keep(api)
        assert await api.change(DELETE, name="webhook") == kept
        assert (await api.change(DELETE, name="webhook"))["what"] == "secret"
        assert (await api.change(DELETE, name="x"))["__typename"] == "InvalidInput"

    with_api(lab, story)
    assert project_secrets.read(lab.ports.secrets, "shop", "webhook") is None


def test_secrets_go_with_their_project(lab: Lab) -> None:
    with_api(lab, keep)
    lab.settle(DeleteProject("shop", "shop"))
    lab.settle(CreateProject("shop", ("development",)))
    assert list(project_secrets.listed(lab.ports.secrets, "shop")) == []


def test_secrets_go_with_a_project_whose_deletion_redis_forgot(lab: Lab) -> None:
    with_api(lab, keep)
    lab.carry(DeleteProject("shop", "shop"))
    lab.flush()
    with lab.observer():
        lab.wait("the end of shop", lambda: "shop" not in lab.ports.githost.projects() or None)
    assert list(project_secrets.listed(lab.ports.secrets, "shop")) == []


class Gone:
    """A store that does not answer."""

    def get(self, name: str) -> bytes | None:
        """See ports.Secrets."""
        raise Unreachable("secrets", name)

    def put(self, name: str, value: bytes) -> None:
        """See ports.Secrets."""
        raise Unreachable("secrets", f"{name}: {len(value)} bytes")

    def delete(self, name: str) -> None:
        """See ports.Secrets."""
        raise Unreachable("secrets", name)


def test_without_the_store_nothing_is_kept_and_nothing_else_fails(lab: Lab) -> None:
    async def story(api: Api) -> None:
        assert [(await keep(api))[key] for key in ("__typename", "component")] == ["Unavailable", "secrets"]
        answer = await api.data('{ project(name: "shop") { name secrets { name } } }')
        assert answer == {"project": {"name": "shop", "secrets": None}}

    with_api(replace(lab, ports=replace(lab.ports, secrets=Gone())), story)


def test_the_names_are_those_that_the_store_can_hold() -> None:
    assert all(re.fullmatch(r"[a-z]+", name) for name in project_secrets.NAMES)
