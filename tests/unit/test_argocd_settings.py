"""Settings of the delivery: whole, or a sentence that names what is wrong."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.settings import Settings
from cli.configuration import read_settings
from cli.failures import StartFailed

URL = {"delivery": "argocd", "argocd_url": "https://argocd.example.org"}
LOGINS = [
    {"argocd_token": "t"},
    {"argocd_token_file": "token"},
    {"argocd_username": "admin", "argocd_password": "p"},
]


def complaint(settings: dict[str, str]) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)
    return str(raised.value)


@pytest.mark.parametrize("login", LOGINS)
def test_every_way_to_log_in_is_enough_by_itself(login: dict[str, str]) -> None:
    assert Settings.model_validate({**URL, **login}).delivery == "argocd"


@pytest.mark.parametrize(
    "login", [{}, {"argocd_username": "admin"}, {"argocd_password": "p"}, LOGINS[0] | LOGINS[1], LOGINS[0] | LOGINS[2]]
)
def test_any_other_number_of_ways_is_refused(login: dict[str, str]) -> None:
    assert "exactly one login must be set" in complaint({**URL, **login})


def test_an_address_is_needed() -> None:
    said = complaint({"delivery": "argocd", "argocd_token": "t"})
    assert "LUCITY_DELIVERY is argocd, so LUCITY_ARGOCD_URL must be set too" in said


@pytest.mark.parametrize("url", ["argocd", "ssh://argocd", "https://u:p@argocd", "https://argocd?x=1", "https://"])
@pytest.mark.parametrize("name", ["argocd_url", "argocd_git_url"])
def test_what_is_no_address_is_refused(name: str, url: str) -> None:
    assert f"LUCITY_{name.upper()} is no address" in complaint({**URL, **LOGINS[0], name: url})


def test_an_address_may_have_a_path() -> None:
    given = {**URL, **LOGINS[0], "argocd_url": "https://example.org/argo", "argocd_git_url": "http://lucity:8000/git"}
    assert Settings.model_validate(given).argocd_git_url == "http://lucity:8000/git"


@pytest.mark.parametrize("login", [{"argocd_token": ""}, {"argocd_username": "admin", "argocd_password": ""}])
def test_an_empty_login_is_none(login: dict[str, str]) -> None:
    assert "exactly one login must be set" in complaint({**URL, **login})


@pytest.mark.parametrize("given", [{"argocd_namespace": "Bad/ns"}, {"argocd_destination": "in-cluster"}])
def test_a_place_that_cannot_be_is_refused(given: dict[str, str]) -> None:
    (name,) = given
    assert name in complaint({**URL, **LOGINS[0], **given}).lower()


@pytest.mark.parametrize(
    "given",
    [
        {"argocd_url": URL["argocd_url"]},
        {"argocd_git_url": "http://git", "argocd_namespace": "argo", "argocd_destination": "https://cluster"},
        *LOGINS,
    ],
)
def test_settings_of_a_delivery_that_was_not_chosen_are_a_mistake(given: dict[str, str]) -> None:
    said = complaint(given)
    assert all(f"LUCITY_{name.upper()}" in said for name in given)
    assert "must not be set unless LUCITY_DELIVERY is argocd (it is local)" in said


def test_a_start_stops_with_that_sentence_and_no_secret(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="so LUCITY_ARGOCD_URL must be set too") as stopped:
        read_settings({"data": tmp_path, "delivery": "argocd", "argocd_token": "very-secret"})
    assert "very-secret" not in str(stopped.value)
