"""Settings of the Git host: whole, or a sentence that names what is wrong."""

import pytest
from pydantic import ValidationError

from adapters.settings import Settings

WHOLE = {
    "git_host": "softserve",
    "softserve_ssh_url": "ssh://git.example.org:23231",
    "softserve_http_url": "http://git.example.org:23232/",
    "softserve_admin_key_file": "admin",
}


def complaint(settings: dict[str, str]) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(settings)
    return str(raised.value)


def test_a_whole_set_is_taken() -> None:
    assert Settings.model_validate(WHOLE).git_host == "softserve"


@pytest.mark.parametrize("missing", [name for name in WHOLE if name != "git_host"])
def test_what_is_missing_is_named(missing: str) -> None:
    said = complaint({name: value for name, value in WHOLE.items() if name != missing})
    assert f"LUCITY_GIT_HOST is softserve, so LUCITY_{missing.upper()} must be set too" in said


def test_all_that_is_missing_is_named_at_once() -> None:
    said = complaint({"git_host": "softserve"})
    assert all(f"LUCITY_{name.upper()}" in said for name in WHOLE)


def test_settings_of_a_host_that_was_not_chosen_contradict() -> None:
    said = complaint({"softserve_http_url": "http://git.example.org"})
    assert "LUCITY_SOFTSERVE_HTTP_URL must not be set unless LUCITY_GIT_HOST is softserve" in said


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("softserve_ssh_url", "git.example.org:23231"),
        ("softserve_ssh_url", "http://git.example.org"),
        ("softserve_ssh_url", "ssh://-oProxyCommand=x"),
        ("softserve_ssh_url", "ssh://host:notaport"),
        ("softserve_http_url", "ssh://git.example.org"),
        ("softserve_http_url", "http://user:password@git.example.org"),
        ("softserve_http_url", "http://git.example.org/some/path"),
        ("softserve_http_url", "http://"),
    ],
)
def test_what_is_no_address_is_named(name: str, value: str) -> None:
    assert f"LUCITY_{name.upper()} is no address like" in complaint({**WHOLE, name: value})
