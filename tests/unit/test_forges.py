"""What forges send, in files shaped as the real ones, and what nobody should be able to make of it."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.forges.deliveries import Author, Delivery, Ping, PullRequest, Push
from adapters.forges.known import FORGES
from adapters.forges.payloads import Unreadable

FOLDER = Path(__file__).parent / "forges"
SECRET = b"correct-horse-battery-staple"
HEAD, BO = "8f3a1c5e7b9d2f4a6c8e0b1d3f5a7c9e1b2d4f60", Author("Bo", "bo@example.org")
ID = "72d3162e-cc78-11ee-81ab-4c9367dc0958"
EVENTS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "github": {name: {"x-github-event": name, "x-github-delivery": ID} for name in ("push", "ping")}
    | {"request": {"x-github-event": "pull_request", "x-github-delivery": ID}},
    "gitlab": {
        "push": {"x-gitlab-event": "Push Hook", "idempotency-key": ID},
        "push-tag": {"x-gitlab-event": "Tag Push Hook", "idempotency-key": ID},
        "request": {"x-gitlab-event": "Merge Request Hook", "x-gitlab-event-uuid": ID},
    },
    "gitea": {
        "push": {"x-gitea-event": "push", "x-gitea-delivery": ID},
        "request": {"x-gitea-event": "pull_request", "x-gitea-delivery": ID},
    },
    "generic": {name: {"x-lucity-delivery": ID} for name in ("push", "request", "ping")},
}
REFS = {
    "github": "refs/pull/142/head",
    "gitlab": "refs/merge-requests/142/head",
    "gitea": "refs/pull/142/head",
    "generic": "refs/heads/faster",
}
AUTHORS = {"github": Author("bo-dev", ""), "gitlab": Author("Bo", "[REDACTED]"), "gitea": BO, "generic": BO}
EVERY = sorted(path.stem for path in FOLDER.glob("*.json"))
forge_names = st.sampled_from(sorted(FORGES))


def sample(name: str) -> tuple[Mapping[str, str], bytes]:
    """Headers and body of a delivery."""
    forge, _, event = name.partition("-")
    kinds = EVENTS[forge]
    headers = kinds.get(event) or kinds[event.partition("-")[0]]
    return {"content-type": "application/json", **headers}, (FOLDER / f"{name}.json").read_bytes()


def told(name: str) -> Delivery | None:
    """What a file comes to."""
    return FORGES[name.partition("-")[0]].parse(*sample(name))


def signature(forge: str, body: bytes, secret: bytes = SECRET) -> dict[str, str]:
    """The headers by which a forge shows that it knows the secret."""
    digest = hmac.new(secret, body, hashlib.sha256).hexdigest()
    return {
        "github": {"x-hub-signature-256": f"sha256={digest}"},
        "gitlab": {"x-gitlab-token": secret.decode("latin-1")},
        "gitea": {"x-gitea-signature": digest},
        "generic": {"x-lucity-signature-256": f"sha256={digest}"},
    }[forge]


def changed(name: str, *path: str, value: object) -> bytes:
    """A file's body with one value replaced."""
    content: Any = json.loads(sample(name)[1])
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return json.dumps(content).encode()


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_a_push_is_told_alike_by_all(forge: str) -> None:
    push = told(f"{forge}-push")
    assert isinstance(push, Push)
    assert (push.delivery_id, push.branch, push.after) == (ID, "main", HEAD)
    assert push.author == (replace(BO, name="bo-dev") if forge == "github" else BO)
    assert any(url.startswith("https://") and url.endswith("/acme/shop.git") for url in push.repository_urls)


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_a_branch_that_was_deleted_has_no_head(forge: str) -> None:
    push = told(f"{forge}-push-deleted")
    assert isinstance(push, Push)
    assert (push.branch, push.after) == ("old", None)


@pytest.mark.parametrize("forge", ["github", "gitlab", "gitea"])
def test_a_pushed_tag_is_nothing(forge: str) -> None:
    assert told(f"{forge}-push-tag") is None


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_a_request_is_told_alike_by_all(forge: str) -> None:
    request = told(f"{forge}-request-opened")
    assert isinstance(request, PullRequest)
    assert (request.number, request.is_open, request.from_fork) == (142, True, False)
    assert (request.head_sha, request.head_ref) == (HEAD, REFS[forge])
    assert request.updated_at == datetime(2026, 11, 23, 11, tzinfo=UTC)
    assert (request.title, request.author) == ("Answer faster", AUTHORS[forge])
    assert "142" in request.url
    assert request.delivery_id == ID


@pytest.mark.parametrize("forge", sorted(FORGES))
def test_a_merged_request_is_closed_and_one_from_elsewhere_is_from_a_fork(forge: str) -> None:
    merged, fork = told(f"{forge}-request-merged"), told(f"{forge}-request-fork")
    assert isinstance(merged, PullRequest)
    assert isinstance(fork, PullRequest)
    assert (merged.is_open, merged.from_fork, fork.is_open, fork.from_fork) == (False, False, True, True)
    assert merged.updated_at > fork.updated_at


def test_a_request_whose_repository_is_gone_came_from_a_fork() -> None:
    request = told("github-request-fork-gone")
    assert isinstance(request, PullRequest)
    assert (request.is_open, request.from_fork) == (False, True)


def test_a_ping_is_a_ping() -> None:
    assert [told("github-ping"), told("generic-ping")] == [Ping(ID), Ping(ID)]


def test_ssh_addresses_are_told_too() -> None:
    push = told("github-push")
    assert isinstance(push, Push)
    assert {"git@github.com:acme/shop.git", "https://github.com/acme/shop"} <= set(push.repository_urls)


def test_events_of_no_interest_are_nothing() -> None:
    _, body = sample("github-push")
    assert FORGES["github"].parse({"x-github-event": "star"}, body) is None
    assert FORGES["gitlab"].parse({"x-gitlab-event": "Pipeline Hook"}, body) is None
    assert FORGES["gitea"].parse({"x-gitea-event": "delete"}, body) is None


def test_github_may_send_a_form() -> None:
    headers, body = sample("github-push")
    form = urlencode({"payload": body.decode()}).encode()
    named = {**headers, "content-type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert FORGES["github"].parse(named, form) == told("github-push")


@pytest.mark.parametrize("given_id", ["", "x" * 65, "a b", "a/b", "\n"])
def test_without_an_id_that_could_be_one_the_body_tells_deliveries_apart(given_id: str) -> None:
    headers, body = sample("generic-push")
    one = FORGES["generic"].parse({**headers, "x-lucity-delivery": given_id}, body)
    again = FORGES["generic"].parse({}, body)
    other = FORGES["generic"].parse({}, changed("generic-push", "branch", value="next"))
    assert isinstance(one, Push)
    assert isinstance(other, Push)
    assert one == again
    assert one.delivery_id != other.delivery_id


@pytest.mark.parametrize(
    ("name", "path", "value"),
    [
        ("github-push", ("after",), "HEAD"),
        ("github-push", ("after",), None),
        ("github-push", ("ref",), 7),
        ("github-push", ("repository",), None),
        ("github-request-opened", ("number",), "142"),
        ("github-request-opened", ("number",), 0),
        ("github-request-opened", ("pull_request", "state"), "half"),
        ("github-request-opened", ("pull_request", "updated_at"), "yesterday"),
        ("github-request-opened", ("pull_request", "updated_at"), "0001-01-01T00:00:00+14:00"),
        ("github-request-opened", ("pull_request", "head"), []),
        ("github-request-opened", ("pull_request", "head", "sha"), "0" * 40),
        ("gitlab-push", ("project",), {}),
        ("gitlab-request-opened", ("object_attributes", "last_commit"), None),
        ("gitea-request-opened", ("pull_request",), None),
        ("generic-push", ("event",), "pushed"),
        ("generic-push", ("branch",), ""),
        ("generic-push", ("branch",), "a\nb"),
        ("generic-push", ("branch",), "\ud800"),
        ("generic-push", ("repository",), []),
        ("generic-request-opened", ("number",), True),
    ],
)
def test_what_is_missing_or_wrong_is_named(name: str, path: tuple[str, ...], value: object) -> None:
    forge = FORGES[name.partition("-")[0]]
    with pytest.raises(Unreadable, match=path[0]):
        forge.parse(sample(name)[0], changed(name, *path, value=value))


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{", b"[" * 100_000, b"payload=1&x", b"9" * 5000])
@pytest.mark.parametrize("forge", sorted(FORGES))
def test_what_is_no_json_object_is_unreadable(forge: str, body: bytes) -> None:
    for content_type in ("application/json", "application/x-www-form-urlencoded"):
        with pytest.raises(Unreadable):
            FORGES[forge].parse({"content-type": content_type}, body)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)


def paths_of(content: object, above: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Every key of a JSON value."""
    if not isinstance(content, dict):
        return []
    return [path for key, value in content.items() for path in [(*above, key), *paths_of(value, (*above, key))]]


@given(st.sampled_from(EVERY), st.data(), json_values)
def test_whatever_a_field_holds_nothing_but_unreadable_is_raised(name: str, data: st.DataObject, value: object) -> None:
    headers, body = sample(name)
    path = data.draw(st.sampled_from(paths_of(json.loads(body))))
    try:
        delivery = FORGES[name.partition("-")[0]].parse(headers, changed(name, *path, value=value))
    except Unreadable:
        return
    assert delivery is None or isinstance(delivery, Push | PullRequest | Ping)


@given(
    st.sampled_from(EVERY),
    st.binary(max_size=40),
    st.sampled_from(["application/json", "application/x-www-form-urlencoded"]),
)
def test_whatever_bytes_come_nothing_but_unreadable_is_raised(name: str, body: bytes, content_type: str) -> None:
    try:
        delivery = FORGES[name.partition("-")[0]].parse({**sample(name)[0], "content-type": content_type}, body)
    except Unreadable:
        return
    assert delivery is None or isinstance(delivery, Ping)


@pytest.mark.parametrize("name", EVERY)
def test_a_signed_delivery_is_believed_and_no_other(name: str) -> None:
    forge, body = name.partition("-")[0], sample(name)[1]
    verify, right = FORGES[forge].verify, signature(forge, body)
    assert verify(right, body, SECRET)
    assert not verify(right, body, b"another secret of the same sort")
    assert not verify({}, body, SECRET)
    assert not verify({key: value.upper() for key, value in right.items()}, body, SECRET)
    assert not verify({key: f"{value}\u0100" for key, value in right.items()}, body, SECRET)
    assert not verify(signature(forge, body, b""), body, b"")


@given(st.sampled_from(["github", "gitea", "generic"]), st.binary(max_size=60), st.binary(max_size=60))
def test_a_signature_holds_for_one_body_only(forge: str, body: bytes, other: bytes) -> None:
    assert FORGES[forge].verify(signature(forge, body), other, SECRET) == (body == other)


@given(forge_names, st.binary(max_size=30), st.text(max_size=80), st.binary(min_size=1, max_size=20))
def test_made_up_signatures_never_hold(forge: str, body: bytes, made_up: str, secret: bytes) -> None:
    (name, right), *_ = signature(forge, body, secret).items()
    assert FORGES[forge].verify({name: made_up}, body, secret) == (made_up == right)
