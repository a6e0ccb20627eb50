import pytest

from gitops.layout import environment_of, environment_settings, environment_values, touches
from gitops.problems import Refused


def test_an_environment_has_two_files() -> None:
    assert environment_values("staging") == "environments/staging/values.yaml"
    assert environment_settings("staging") == "environments/staging/environment.yaml"


@pytest.mark.parametrize("name", ["..", "a/b", "", ".git", "base"])
def test_no_path_is_built_from_a_malformed_name(name: str) -> None:
    with pytest.raises(Refused):
        environment_values(name)


@pytest.mark.parametrize(
    ("path", "environment"),
    [
        ("environments/a/values.yaml", "a"),
        ("environments/a/b/c", "a"),
        ("environments/a", None),
        ("base/values.yaml", None),
    ],
)
def test_a_file_belongs_to_the_environment_whose_folder_holds_it(path: str, environment: str | None) -> None:
    assert environment_of(path) == environment


def test_a_folder_is_touched_by_what_lies_in_it_and_not_by_its_namesakes() -> None:
    assert touches("environments/a/values.yaml", "environments/a")
    assert touches("base/values.yaml", "base/values.yaml")
    assert not touches("environments/ab/values.yaml", "environments/a")
