"""When two addresses lead to the same repository."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.forges.addresses import same_repository

SAME = (
    "https://git.example.org/acme/shop.git",
    "https://git.example.org/acme/shop",
    "https://git.example.org/acme/shop/",
    "https://GIT.Example.org:443/acme/shop.git",
    "http://git.example.org/acme/shop",
    "https://bo@git.example.org/acme/shop",
    "git@git.example.org:acme/shop.git",
    "git.example.org:acme/shop",
    "ssh://git@git.example.org/acme/shop.git",
    "ssh://git@git.example.org:22/acme/shop",
    "git://git.example.org/acme/shop.git",
)
OTHERS = (
    "https://git.example.org/acme/shop2",
    "https://git.example.org/other/shop",
    "https://git.example.com/acme/shop",
    "https://git.example.org:8443/acme/shop",
    "https://evil.example/git.example.org/acme/shop",
    "https://git.example.org@evil.example/acme/shop",
    "file:///acme/shop",
    "/acme/shop",
)


@pytest.mark.parametrize("url", SAME)
def test_the_same_repository_is_known_by_every_address(url: str) -> None:
    assert all(same_repository(url, other) for other in SAME)


@pytest.mark.parametrize("url", OTHERS)
def test_another_repository_is_another(url: str) -> None:
    assert not any(same_repository(url, other) for other in SAME)
    assert same_repository(url, url)


def test_a_folder_is_the_same_with_and_without_its_scheme() -> None:
    assert same_repository("/srv/git/shop.git", "file:///srv/git/shop")


@given(st.text(max_size=40), st.text(max_size=40))
def test_whatever_stands_there_can_be_compared(one: str, other: str) -> None:
    assert same_repository(one, other) == same_repository(other, one)


@pytest.mark.parametrize("text", ["", "shop", "https://", "https://[", "http://x:99999/a"])
def test_what_is_no_address_is_like_nothing(text: str) -> None:
    assert not same_repository(text, text)
