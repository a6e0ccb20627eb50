"""The audit suite of the GraphQL over HTTP specification (npm package graphql-http), with nothing to say against us."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.graphql_server import serving

PROJECT = Path(__file__).parent / "graphql_http_audit"


@pytest.fixture
def audit(tmp_path: Path) -> Path:
    """Install the suite into a folder of this test."""
    if shutil.which("npm") is None:
        if os.environ.get("CI"):
            pytest.fail("there is no npm, and CI has to have one: .ci/run installs it")
        pytest.skip("there is no npm on this machine")
    folder = tmp_path / "audit"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("node_modules"))
    command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    if finished.returncode != 0 and not os.environ.get("CI"):
        pytest.skip(f"npm cannot install the suite here: {finished.stderr[-300:]}")
    assert finished.returncode == 0, finished.stderr
    return folder


def test_every_audit_is_ok_and_none_warns(audit: Path, tmp_path: Path) -> None:
    with serving(tmp_path / "data") as server:
        finished = subprocess.run(
            ["node", "audit.js", f"{server.url}/graphql"],
            cwd=audit,
            env={**os.environ, "TOKEN": server.token},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    assert finished.returncode == 0, finished.stderr
    results = json.loads(finished.stdout)
    assert [result for result in results if result["status"] != "ok"] == []
    assert len(results) > 50
