"""What the README says is what happens."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.settings import Settings
from tests.support.building import builder
from tests.support.git import git
from tests.support.registry import start_registry
from tests.support.tour import BUILDS, README, SUBJECTS, console, replaced, run_builds, run_tour
from tests.support.up import Up, running

IDENTITY = {f"GIT_{who}_{what}": "bo@example.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


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


def test_a_repository_on_disk_becomes_a_running_version(tmp_path: Path) -> None:
    """The console's lines about the registry are run by .ci/readme."""
    builder(tmp_path / "probe")
    lines = console(BUILDS)
    given = dict(re.findall(r"(LUCITY_\w+)=(\S+)", next(line for line in lines if line.endswith("make up"))))
    with start_registry(tmp_path / "registry") as registry:
        places = {"127.0.0.1:5000": registry.address, "/tmp": str(tmp_path)}  # noqa: S108 - of the README
        for line in lines:
            if line.startswith("git "):
                subprocess.run(["sh", "-ec", replaced(line, places)], check=True, env={**os.environ, **IDENTITY})
        given = {name: replaced(value, places) for name, value in given.items()}
        with running(tmp_path / "data", variables=given) as up:
            log, service = run_builds(up.url, up.token, places)
    assert any("COPY . /" in line for line in log)
    sha = git(tmp_path / "hello", "rev-parse", "HEAD").strip()
    assert service["image"]["tag"] == sha[:7]
    assert service["image"]["digest"].startswith("sha256:")
    assert service["deployment"]["commit"]["subject"] == f"deploy(development): web {sha[:7]}"
    assert f"Source-Revision: web={sha}" in service["deployment"]["commit"]["message"]


def test_every_setting_the_readme_names_exists() -> None:
    named = set(re.findall(r"LUCITY_([A-Z_]+)", README.read_text()))
    assert named
    assert named <= {name.upper() for name in Settings.model_fields}
