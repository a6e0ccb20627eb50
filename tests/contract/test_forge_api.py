"""What Lucity says to forges: real HTTP to twins of GitHub, GitLab and Gitea."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from adapters.forges.api import Forge
from adapters.forges.calls import Denied, Limited, Rejected, Status, StatusState
from adapters.forges.places import ForgePlace, is_secret, place_of, token_for
from adapters.ports import Unreachable
from adapters.trust import SYSTEM
from gitops.projectsettings import ForgeSettings
from tests.support.fake_forge import NOON, STRANGER, TOKEN, FakeComment, FakeForge, fake_forge

URL = "https://git.example.org/acme/shop.git"
SHA = "a" * 40
MARKER = "<!-- lucity:shop -->"
STATUS = Status("lucity/build/api", StatusState.PENDING, "building", "https://lucity.example.org")


@pytest.fixture(params=["github", "gitlab", "gitea"])
def twin(request: pytest.FixtureRequest) -> Iterator[FakeForge]:
    with fake_forge(request.param) as made:
        made.repository("acme/shop").open(7, SHA)
        yield made


def reach(twin: FakeForge, secret: str | None = None, *, local: bool = True) -> Forge:
    place = place_of(URL, ForgeSettings(twin.kind, twin.api_url))
    assert place is not None
    return Forge.reach(place, URL, (secret or twin.secret).encode(), trust=SYSTEM, local=local, seconds=20)


def test_a_status_is_set_again_and_again(twin: FakeForge) -> None:
    forge, repository = reach(twin), twin.repository("acme/shop")
    for state in (*StatusState, StatusState.PENDING, StatusState.PENDING):
        forge.set_status(SHA, Status(STATUS.context, state, state.value, STATUS.url))
        found = repository.status(SHA, STATUS.context)
        assert found is not None
        assert (found.state, found.url) == (state.value, STATUS.url)


def test_the_comment_is_found_among_others_and_changed_in_place(twin: FakeForge) -> None:
    comments = twin.repository("acme/shop").requests[7].comments
    comments += [FakeComment(number, f"I like {MARKER}", STRANGER) for number in range(10, 15)]
    comments.append(FakeComment(15, f"{MARKER} copied", STRANGER))
    forge = reach(twin)
    forge.put_comment(7, MARKER, f"{MARKER}\none", create=False)
    assert len(comments) == 6
    for text in ("one", "two", "two"):
        forge.put_comment(7, MARKER, f"{MARKER}\n{text}", create=True)
    assert [comment.text for comment in comments[6:]] == [f"{MARKER}\ntwo"]
    assert comments[5].text == f"{MARKER} copied"


@pytest.mark.parametrize(("tells_who", "moderates"), [(True, True), (True, False), (False, False)])
def test_a_comment_that_somebody_else_wrote_in_our_form_is_left_alone(
    twin: FakeForge, *, tells_who: bool, moderates: bool
) -> None:
    twin.tells_who, twin.moderates = tells_who, moderates
    comments = twin.repository("acme/shop").requests[7].comments
    comments.append(FakeComment(15, f"{MARKER} copied", STRANGER))
    for text in ("one", "two"):
        reach(twin).put_comment(7, MARKER, f"{MARKER}\n{text}", create=True)
    assert [comment.text for comment in comments] == [f"{MARKER} copied", f"{MARKER}\ntwo"]


def test_requests_are_listed_page_by_page_and_read_one_by_one(twin: FakeForge) -> None:
    repository = twin.repository("acme/shop")
    for number in range(8, 13):
        repository.open(number, SHA, fork=number == 9)
    repository.close(8, 5)
    forge = reach(twin)
    listed = {request.number: request for request in forge.open_requests()}
    assert set(listed) == {7, 9, 10, 11, 12}
    assert [listed[number].from_fork for number in (7, 9)] == [False, True]
    closed, missing = forge.request(8), forge.request(99)
    assert closed is not None
    assert (closed.is_open, closed.head_sha, closed.repository_urls) == (False, SHA, (URL,))
    assert closed.updated_at.replace(microsecond=0) == NOON + timedelta(minutes=5)
    assert missing is None


def test_a_request_is_missing_only_where_its_repository_is_not(twin: FakeForge) -> None:
    del twin.repositories["acme/shop"]
    with pytest.raises(Rejected):
        reach(twin).request(7)


def test_a_wrong_token_is_a_denial_that_does_not_show_it(twin: FakeForge) -> None:
    twin.token = "another"
    with pytest.raises(Denied) as denial:
        reach(twin).set_status(SHA, STATUS)
    twin.failing = (403, {})
    with pytest.raises(Denied) as other:
        reach(twin).set_status(SHA, STATUS)
    assert TOKEN not in f"{denial.value} {other.value} {reach(twin)!r}"


@pytest.mark.parametrize(
    ("status", "headers", "seconds"),
    [(429, {"retry-after": "7"}, 7), (403, {"retry-after": "9"}, 9), (429, {}, 60), (429, {"retry-after": "x"}, 60)],
)
def test_limits_say_when_to_ask_again(twin: FakeForge, status: int, headers: dict[str, str], seconds: int) -> None:
    twin.failing = (status, headers)
    with pytest.raises(Limited) as limit:
        list(reach(twin).open_requests())
    assert limit.value.seconds == seconds


def test_a_spent_allowance_is_a_limit_until_it_is_renewed(twin: FakeForge) -> None:
    twin.failing = (403, {"x-ratelimit-remaining": "0", "x-ratelimit-reset": "9999999999"})
    with pytest.raises(Limited) as limit:
        reach(twin).request(7)
    assert limit.value.seconds == 3600


@pytest.mark.parametrize("status", [500, 502, 503, 408])
def test_a_forge_in_trouble_is_an_outage(twin: FakeForge, status: int) -> None:
    twin.failing = (status, {})
    with pytest.raises(Unreachable) as outage:
        list(reach(twin).open_requests())
    assert outage.value.component == "forge"


def test_a_redirect_is_not_followed(twin: FakeForge) -> None:
    twin.failing = (301, {"location": f"{twin.origin}/elsewhere"})
    with pytest.raises(Rejected):
        reach(twin).request(7)
    assert len(twin.asked) == 1


def test_an_address_inside_is_not_asked(twin: FakeForge) -> None:
    with pytest.raises(Rejected):
        reach(twin, local=False).request(7)
    assert twin.asked == []


def test_a_forge_that_is_not_there_is_an_outage() -> None:
    with fake_forge("github") as gone:
        pass
    with pytest.raises(Unreachable):
        reach(gone).request(7)


def test_a_token_that_names_no_origin_goes_to_public_forges_alone(twin: FakeForge) -> None:
    for secret in (TOKEN, f"https://git.example.org {TOKEN}", f"http://127.0.0.1 {TOKEN}"):
        with pytest.raises(Denied):
            reach(twin, secret)
    assert twin.asked == []


@pytest.mark.parametrize(
    ("url", "settings", "wanted"),
    [
        (
            "https://github.com/Acme/Shop.git",
            ForgeSettings(),
            ForgePlace("github", "https://api.github.com", "Acme/Shop"),
        ),
        ("git@gitlab.com:a/b/c.git", ForgeSettings(), ForgePlace("gitlab", "https://gitlab.com/api/v4", "a/b/c")),
        ("ssh://git@codeberg.org/a/b", ForgeSettings(), ForgePlace("gitea", "https://codeberg.org/api/v1", "a/b")),
        (
            "ssh://git@git.example.org:2222/a/b.git",
            ForgeSettings("github"),
            ForgePlace("github", "https://git.example.org/api/v3", "a/b"),
        ),
        (
            "https://git.example.org:8443/a/b/",
            ForgeSettings("gitlab"),
            ForgePlace("gitlab", "https://git.example.org:8443/api/v4", "a/b"),
        ),
        (
            "https://git.example.org/a/b",
            ForgeSettings("gitea", "https://api.example.org/v1/"),
            ForgePlace("gitea", "https://api.example.org/v1", "a/b"),
        ),
        (
            "https://github.com/a/b",
            ForgeSettings("gitlab", "https://evil.example.org"),
            ForgePlace("github", "https://api.github.com", "a/b"),
        ),
        ("https://git.example.org/a/b", ForgeSettings(), None),
        ("https://git.example.org/a/../b", ForgeSettings("gitlab"), None),
        ("https://github.com/a", ForgeSettings(), None),
        ("file:///srv/git/a/b", ForgeSettings("gitlab"), None),
        ("nonsense", ForgeSettings("gitlab"), None),
    ],
)
def test_the_forge_follows_from_the_address(url: str, settings: ForgeSettings, wanted: ForgePlace | None) -> None:
    assert place_of(url, settings) == wanted


@pytest.mark.parametrize(
    ("secret", "api_url", "wanted"),
    [
        (b"abc", "https://api.github.com", "abc"),
        (b"abc", "https://git.example.org/api/v4", None),
        (b"https://git.example.org abc", "https://git.example.org/api/v4", "abc"),
        (b"https://git.example.org:443/api/v4 abc", "https://git.example.org/api/v4", "abc"),
        (b"https://git.example.org abc", "http://git.example.org/api/v4", None),
        (b"https://git.example.org abc", "https://api.github.com", None),
        (b"https://[ abc", "https://git.example.org", None),
    ],
)
def test_a_token_is_for_one_origin(secret: bytes, api_url: str, wanted: str | None) -> None:
    assert token_for(ForgePlace("gitlab", api_url, "a/b"), secret) == wanted


@pytest.mark.parametrize("text", ["tok", "https://git.example.org tok", "http://127.0.0.1:3000/api/v1 tok"])
def test_a_token_stands_alone_or_behind_its_origin(text: str) -> None:
    assert is_secret(text)


@pytest.mark.parametrize("text", ["Bearer tok", "git.example.org tok", "https://a.example  tok", "https://a b c", ""])
def test_anything_else_is_no_token(text: str) -> None:
    assert not is_secret(text)


@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"", b"null", b"[[[", b'"text"', b"\xff", b"[" * 100_000])
def test_a_page_instead_of_an_answer_is_no_request(twin: FakeForge, body: bytes) -> None:
    twin.page = body
    with pytest.raises(Unreachable):
        reach(twin).request(7)


def test_an_answer_that_is_too_large_is_an_outage(twin: FakeForge) -> None:
    twin.page = b" " * (8 * 1024 * 1024 + 1)
    with pytest.raises(Unreachable, match="bytes"):
        list(reach(twin).open_requests())
