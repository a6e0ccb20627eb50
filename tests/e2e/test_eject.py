"""`lucity eject` and `lucity audit` beside a running `lucity up`, as a person types them."""

import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.git import git
from tests.support.tour import run_tour
from tests.support.up import Up, running


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("eject") / "data") as started:
        run_tour(started.url, started.token)
        yield started


def lucity(*arguments: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "cli.main", *arguments]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_project_is_taken_away_and_audited_where_it_is_then(up: Up, tmp_path: Path) -> None:
    ejected = lucity("eject", "myapp", "--data", str(up.data), folder=tmp_path)
    assert (ejected.returncode, ejected.stdout) == (0, "myapp.tar.gz\n"), ejected.stderr
    with tarfile.open(tmp_path / "myapp.tar.gz") as package:
        package.extractall(tmp_path, filter="data")
    git(tmp_path / "myapp", "clone", "--quiet", "myapp.bundle", "myapp")
    audited = lucity("audit", "myapp", folder=tmp_path / "myapp")
    assert audited.returncode == 0, audited.stderr
    assert audited.stdout.endswith("8 commits, 8 verified, 0 by hand or by others: all is well\n")
    assert "Reason: first version" in audited.stdout


def test_what_cannot_be_ejected_says_why_and_leaves_no_file(up: Up, tmp_path: Path) -> None:
    unknown = lucity("eject", "nothing", "--data", str(up.data), folder=tmp_path)
    assert unknown.returncode == 1
    assert "There is no project nothing" in unknown.stderr
    nowhere = lucity("eject", "myapp", "--data", str(tmp_path / "data"), folder=tmp_path)
    assert nowhere.returncode == 1
    assert "--url" in nowhere.stderr
    refused = lucity("eject", "myapp", "--url", up.url, "--token", "nope", "--output", "x.tar.gz", folder=tmp_path)
    assert refused.returncode == 1
    assert list(tmp_path.iterdir()) == []
