"""Settings of the registry: whole, or a sentence that names what is wrong."""

import pytest
from pydantic import ValidationError

from adapters.settings import Settings

LOGIN = {"registry_username": "robot", "registry_password_file": "password"}


def complaint(**given: object) -> str:
    with pytest.raises(ValidationError) as raised:
        Settings.model_validate(given)
    return str(raised.value)


@pytest.mark.parametrize("registry", ["registry:5000", "ghcr.io/org/team", "127.0.0.1:5000/", "localhost", "docker.io"])
def test_a_registry_is_enough_by_itself(registry: str) -> None:
    assert Settings.model_validate({"registry": registry}).registry == registry
    assert Settings.model_validate({"registry": registry, **LOGIN, "registry_insecure": True}).registry_insecure


@pytest.mark.parametrize("registry", ["https://ghcr.io", "registry", "ghcr.io/Org", "user@ghcr.io", ""])
def test_what_is_no_registry_is_refused(registry: str) -> None:
    assert "LUCITY_REGISTRY is no registry like HOST:PORT or HOST/PREFIX" in complaint(registry=registry)


@pytest.mark.parametrize("name", list(LOGIN))
def test_user_and_password_belong_together(name: str) -> None:
    said = complaint(registry="registry:5000", **{name: LOGIN[name]})
    assert "LUCITY_REGISTRY_USERNAME and LUCITY_REGISTRY_PASSWORD_FILE belong together" in said
    assert f"only LUCITY_{name.upper()} is set" in said


@pytest.mark.parametrize("given", [LOGIN, {"registry_insecure": True}])
def test_settings_of_a_registry_that_is_not_named_are_a_mistake(given: dict[str, object]) -> None:
    said = complaint(**given)
    assert all(f"LUCITY_{name.upper()}" in said for name in given)
    assert "must not be set unless LUCITY_REGISTRY is" in said
