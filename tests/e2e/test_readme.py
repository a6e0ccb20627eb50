"""What the README says is what happens."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.settings import Settings
from tests.support.git import git
from tests.support.tour import README, SUBJECTS, run_tour
from tests.support.up import Up, running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("readme") / "data") as started:
        yield started


def test_the_tour_ends_with_the_history_it_promises(up: Up, tmp_path: Path) -> None:
    history = run_tour(up.url, up.token)["project"]
    subjects = [commit["subject"] for commit in history["commits"]["nodes"]]
    assert subjects[1:] == SUBJECTS
    assert subjects[0] == f"revert(staging): {history['commits']['nodes'][1]['shortSha']} {SUBJECTS[0]}"
    assert {commit["signature"]["state"] for commit in history["commits"]["nodes"]} == {"VALID"}
    images = [cell["image"]["reference"] for row in history["matrix"] for cell in row["cells"]]
    assert images == ["registry.example.com/myapp/api:a1b2c3d"] * 2
    git(tmp_path, "clone", "--quiet", up.git_url("myapp"), "clone")
    signers = up.data / "keys" / "allowed_signers"
    shown = git(
        tmp_path / "clone", "-c", f"gpg.ssh.allowedSignersFile={signers}", "log", "--show-signature", "--format=%s"
    )
    assert shown.count('Good "git" signature for lucity@localhost') == len(subjects)


def test_every_setting_the_readme_names_exists() -> None:
    named = set(re.findall(r"LUCITY_([A-Z_]+)", README.read_text()))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}
