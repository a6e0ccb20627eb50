"""The edges of the schema: moments, ids, cursors, and what a client left out."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import strawberry
from graphql import GraphQLError

from api.graphql.connections import PageInfo, page_size
from api.graphql.given import or_none, plain
from api.graphql.mutations.deployments import PromoteInput
from api.graphql.mutations.services import UpdateServiceInput
from api.graphql.nodes import node_id, parse_node_id
from api.graphql.scalars import parse_moment
from gitops.problems import Refused
from gitops.times import exact


def test_moments_are_told_in_utc_with_a_z() -> None:
    berlin = timezone(timedelta(hours=1))
    assert exact(datetime(2026, 11, 23, 5, 47, tzinfo=berlin)) == "2026-11-23T04:47:00Z"


@pytest.mark.parametrize("text", ["2026-11-23T05:47:00+01:00", "2026-11-23T04:47:00Z", "2026-11-23T04:47:00.000Z"])
def test_moments_are_read_with_any_offset(text: str) -> None:
    assert parse_moment(text) == datetime(2026, 11, 23, 4, 47, tzinfo=UTC)


@pytest.mark.parametrize(
    "text", ["2026-11-23", "2026-11-23T04:47:00", "0001-01-01T00:00:00+14:00", "yesterday", "", 5, None]
)
def test_a_moment_without_an_offset_is_none(text: object) -> None:
    with pytest.raises(GraphQLError, match="RFC 3339"):
        parse_moment(text)


def test_ids_are_opaque_and_read_back() -> None:
    made = node_id("Deployment", "shop", "staging", "api", "c0ffee")
    assert ":" not in made
    assert parse_node_id(made) == ("Deployment", "shop:staging:api:c0ffee")


def test_a_job_is_its_own_id() -> None:
    assert parse_node_id("job_abc") == ("Job", "job_abc")


@pytest.mark.parametrize("text", ["", "nope", "*", "ä", "A" * 5000, "UHJvamVjdA"])
def test_what_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="is no id"):
        parse_node_id(text)


@pytest.mark.parametrize("first", [-1, 101])
def test_pages_are_bounded(first: int) -> None:
    with pytest.raises(Refused, match="ask for 0 to 100"):
        page_size(first)


def test_null_is_the_default_page() -> None:
    assert [page_size(None), page_size(0), page_size(100)] == [20, 0, 100]


def test_an_empty_page_has_no_cursors() -> None:
    assert PageInfo.of([], has_next=False) == PageInfo(has_next_page=False, start_cursor=None, end_cursor=None)


def test_absent_and_null_are_told_apart_in_updates_and_fingerprints() -> None:
    asked = UpdateServiceInput(project="shop", name="api", image="registry.example.com/api", port=None)
    assert asked.change().removes == ("port",)
    assert plain(asked) == {"project": "shop", "name": "api", "image": "registry.example.com/api", "port": None}


def test_what_is_absent_is_none() -> None:
    assert [or_none(strawberry.UNSET), or_none(None), or_none(0)] == [None, None, 0]


def test_an_override_needs_a_reason() -> None:
    with pytest.raises(Refused, match="needs a reason"):
        PromoteInput(project="shop", from_="development", to="staging", override=True).change()
