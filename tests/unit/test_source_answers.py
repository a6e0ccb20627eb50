"""Names of revisions, and what Git says about source repositories."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.ports import Unreachable
from adapters.source_addresses import SourceAddress, is_public
from adapters.source_answers import abbreviated, failure, judge_name, named, no_revision, refs
from adapters.source_logins import Login
from gitops.problems import InvalidInput, JobFailure, NotFound, Refused

ONE, TWO = "1" * 40, "2" * 40


@pytest.mark.parametrize(
    "name", ["main", "feature/one", "v1.2.3", "release-1", "fix/#12", "übung", "a.b_c+d=e", "1234567"]
)
def test_names_of_branches_and_tags_pass(name: str) -> None:
    judge_name(name, "revision")


@given(
    st.text(max_size=20),
    st.sampled_from(["..", "@{", "^", "~", ":", "?", "*", "[", "\\", " ", "\n", "\0", "//"]),
    st.text(max_size=20),
)
def test_what_means_something_else_to_git_never_passes(before: str, part: str, after: str) -> None:
    with pytest.raises(Refused) as caught:
        judge_name(before + part + after, "revision")
    assert isinstance(caught.value.problem, InvalidInput)


def test_a_branch_goes_before_a_tag_and_a_tag_stands_for_its_commit() -> None:
    listing = (
        f"{ONE}\trefs/tags/v1\n{TWO}\trefs/tags/v1^{{}}\nnonsense\n{ONE}\trefs/heads/both\n{TWO}\trefs/tags/both\n"
    )
    found = refs(listing.encode())
    assert named(found, "v1") == TWO
    assert named(found, "both") == ONE
    assert named(found, "v") is None


def test_an_abbreviation_stands_for_one_commit_or_none() -> None:
    assert abbreviated([ONE, TWO, ONE], "1111") == ONE
    assert abbreviated([ONE, TWO], "3333") is None
    with pytest.raises(Refused):
        abbreviated([ONE, "1" * 39 + "2"], "1111")


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("fatal: unable to access 'https://x/': Could not resolve host: x", Unreachable),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 502", Unreachable),
        (
            "ssh: connect to host x port 22: Connection refused\nfatal: Could not read from remote repository.",
            Unreachable,
        ),
        ("fatal: the remote end hung up unexpectedly", Unreachable),
        ("fatal: remote error: upload-pack: not our ref 1111", NotFound),
        ("fatal: Authentication failed for 'https://x/'", JobFailure),
        ("fatal: could not read Username for 'https://x': terminal prompts disabled", JobFailure),
        ("git@x: Permission denied (publickey).\nfatal: Could not read from remote repository.", JobFailure),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 301", JobFailure),
        ("fatal: repository 'https://x/' not found", JobFailure),
        ("error: unable to write file big\nfatal: write error: File too large", JobFailure),
        ("", JobFailure),
    ],
)
def test_what_git_says_is_worth_another_try_or_is_not(said: str, kind: type) -> None:
    found = failure(said, "main", 5)
    assert isinstance(found.problem if isinstance(found, Refused) else found, kind)


@given(st.ip_addresses())
def test_an_address_is_not_public_when_python_says_it_is_private(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
) -> None:
    assert not (is_public(address) and (address.is_private or address.is_loopback or address.is_link_local))


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_counts_as_itself(inner: ipaddress.IPv4Address) -> None:
    mapped = ipaddress.IPv6Address(0xFFFF00000000 | int(inner))
    translated = ipaddress.IPv6Address((0x64FF9B << 96) | int(inner))
    assert is_public(mapped) == is_public(translated) == is_public(inner)


@pytest.mark.parametrize(
    ("url", "scheme", "host", "port"),
    [
        ("https://github.com/a/b.git", "https", "github.com", 443),
        ("https://forge.test:8443/a/b", "https", "forge.test", 8443),
        ("ssh://git@forge.test:2222/a/b.git", "ssh", "forge.test", 2222),
        ("git@github.com:a/b.git", "ssh", "github.com", 22),
        ("https://[2001:db8::1]/a", "https", "2001:db8::1", 443),
    ],
)
def test_addresses_are_understood(url: str, scheme: str, host: str, port: int) -> None:
    assert SourceAddress.parse(url, local=False) == SourceAddress(url, scheme, host, port)


def test_a_login_hides_all_its_forms() -> None:
    login = Login.parse(b"ann:made-up", "https")
    assert login.header == "Authorization: Basic YW5uOm1hZGUtdXA="
    assert set(login.secrets) == {"ann:made-up", "made-up", "YW5uOm1hZGUtdXA="}
    assert Login.parse(None, "https") == Login()


def test_a_revision_that_is_not_there_comes_with_what_to_do() -> None:
    problem = no_revision("feature").problem
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("revision", "feature")
    assert "push it there, or check the name" in problem.message
