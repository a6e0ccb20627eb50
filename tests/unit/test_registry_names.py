"""Which registry an image's name means, and what registries say of themselves."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.registry_answers import (
    Answer,
    Challenge,
    challenges,
    digest_of,
    natural,
    next_page,
    retry_after_seconds,
    tags_of,
)
from adapters.registry_names import ImageName, RegistryAddress

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
HASH = f"sha256:{'a' * 64}"


@pytest.mark.parametrize(
    ("repository", "host", "path"),
    [
        ("nginx", "docker.io", "library/nginx"),
        ("library/nginx", "docker.io", "library/nginx"),
        ("team/api", "docker.io", "team/api"),
        ("docker.io/nginx", "docker.io", "library/nginx"),
        ("index.docker.io/team/api", "docker.io", "team/api"),
        ("registry-1.docker.io/team/api", "docker.io", "team/api"),
        ("ghcr.io/org/api", "ghcr.io", "org/api"),
        ("localhost/api", "localhost", "api"),
        ("registry:5000/api", "registry:5000", "api"),
        ("Registry/api", "registry", "api"),
        ("127.0.0.1:5000/a/b/c", "127.0.0.1:5000", "a/b/c"),
    ],
)
def test_a_name_says_its_registry(repository: str, host: str, path: str) -> None:
    assert ImageName.parse(repository) == ImageName(host, path)


@pytest.mark.parametrize(
    ("address", "held", "others"),
    [
        ("registry:5000", ["registry:5000/a", "REGISTRY:5000/a/b"], ["registry:5001/a", "registry/a", "a"]),
        ("ghcr.io/org/", ["ghcr.io/org/a", "ghcr.io/org"], ["ghcr.io/organ/a", "ghcr.io/a", "docker.io/org/a"]),
        ("docker.io", ["nginx", "team/a", "index.docker.io/team/a"], ["registry:5000/a"]),
        ("docker.io/team", ["team/a"], ["nginx", "docker.io/other/a"]),
        ("registry:5000/a", [], ["registry:5000/a/../b", "registry:5000/a/b?c", "registry:5000/a/B", "registry:5000/"]),
    ],
)
def test_a_registry_holds_what_is_below_its_prefix(address: str, held: list[str], others: list[str]) -> None:
    registry = RegistryAddress.parse(address)
    assert [name for name in [*held, *others] if registry.holds(ImageName.parse(name))] == held


def test_docker_hub_is_asked_where_its_api_is() -> None:
    assert RegistryAddress.parse("docker.io/team").authority == "registry-1.docker.io"
    assert RegistryAddress.parse("Ghcr.io/org").authority == "ghcr.io"


@pytest.mark.parametrize(
    "address", ["", "registry", "https://ghcr.io", "ghcr.io:0", "ghcr.io:65536", "a.b/C", "a.b/c?d", "u@a.b/c", "-a.b"]
)
def test_what_no_image_name_begins_with_is_no_registry(address: str) -> None:
    with pytest.raises(ValueError, match="must"):
        RegistryAddress.parse(address)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ('Basic realm="a \\"b\\", c"', [Challenge("basic", {"realm": 'a "b", c'})]),
        (
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://auth.docker.io/token",
                        "service": "registry.docker.io",
                        "scope": "repository:a/b:pull,push",
                    },
                )
            ],
        ),
        (
            'Negotiate, BASIC Realm=plain , bearer realm = "x"',
            [Challenge("negotiate"), Challenge("basic", {"realm": "plain"}), Challenge("bearer", {"realm": "x"})],
        ),
        ("", []),
        ('realm="nothing"', []),
    ],
)
def test_challenges_are_read(header: str, expected: list[Challenge]) -> None:
    assert challenges(header) == expected


@given(st.text())
def test_no_header_breaks_the_reader(text: str) -> None:
    assert all(challenge.scheme for challenge in challenges(text))


@pytest.mark.parametrize(
    ("link", "following"),
    [
        ('</v2/a/tags/list?last=v1&n=2>; rel="next"', "/v2/a/tags/list?last=v1&n=2"),
        ("<https://elsewhere.test/v2/a/tags/list?last=v1>; rel=next", "/v2/a/tags/list?last=v1"),
        ('<?last=v1>; rel="next"', "/v2/a/tags/list?last=v1"),
        ('</v2/a/tags/list?last=v1>; rel="prev"', None),
        ('</v2/b/tags/list?last=v1>; rel="next"', None),
        ("</v2/a/tags/list>; rel=next", None),
        ("", None),
    ],
)
def test_a_link_leads_to_the_next_page_of_the_same_list(link: str, following: str | None) -> None:
    assert next_page(Answer(200, {"link": link}), "/v2/a/tags/list") == following


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.5), ("", 0.5), ("soon", 0.5), ("Mon, 23 Nov 2026 12:01:00 GMT", 60.0), ("-5", 0.5)],
)
def test_how_long_to_wait_is_a_number_or_a_moment(text: str, seconds: float) -> None:
    assert retry_after_seconds(Answer(429, {"retry-after": text}), NOW) == seconds


@pytest.mark.parametrize(
    ("answer", "digest"),
    [
        (Answer(200, {"docker-content-digest": HASH}), HASH),
        (Answer(200, {"docker-content-digest": "sha512:abc"}), None),
        (Answer(200, {}, b'{"login": "please"}'), None),
        (Answer(200, {}, b"<html>"), None),
    ],
)
def test_only_a_manifest_has_a_digest(answer: Answer, digest: str | None) -> None:
    assert digest_of(answer) == digest


@pytest.mark.parametrize(
    ("body", "tags"),
    [
        (b'{"name": "a", "tags": ["v1", "v 2", 3, null]}', ["v1"]),
        (b'{"name": "a", "tags": null}', []),
        (b'{"name": "a", "tags": {}}', []),
        (b'{"errors": []}', None),
        (b"[]", None),
        (b"[" * 100_000, None),
    ],
)
def test_only_tags_are_tags(body: bytes, tags: list[str] | None) -> None:
    found = tags_of(Answer(200, {}, body))
    assert (None if found is None else list(found)) == tags


@given(st.lists(st.from_regex(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}", fullmatch=True)))
def test_any_tags_have_one_order(tags: list[str]) -> None:
    backwards = tags[::-1]
    assert sorted(backwards, key=natural) == sorted(tags, key=natural)
