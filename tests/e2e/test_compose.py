"""docker-compose.yml: what can be shown without an engine. Its processes get all they need, and it ships no secret."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.settings import Settings
from cli.configuration import require_secrets
from tests.support.up import LUCITY

ROOT = Path(__file__).parents[2]
SERVICES: Mapping[str, Mapping[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def prepare(folder: Path) -> dict[str, bytes]:
    """Run the first step on a folder; the secrets it made."""
    command = [LUCITY, *SERVICES["prepare"]["command"], "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    names = ["keys/token", "keys/signing", "valkey/password", "redis-url", "admin-token"]
    assert {oct((folder / name).stat().st_mode & 0o777) for name in names} == {"0o600"}
    return {name: (folder / name).read_bytes() for name in names}


def test_the_first_step_makes_secrets_once(tmp_path: Path) -> None:
    assert prepare(tmp_path / "data") == prepare(tmp_path / "data")
    assert prepare(tmp_path / "other")["valkey/password"] not in prepare(tmp_path / "data")["redis-url"]


@pytest.mark.parametrize("name", ["api", "worker", "observer"])
def test_each_process_finds_every_secret_where_it_looks(tmp_path: Path, name: str) -> None:
    prepare(tmp_path)
    given = {
        variable.removeprefix("LUCITY_").lower(): re.sub("^/data", str(tmp_path), value)
        for variable, value in SERVICES[name]["environment"].items()
    }
    settings = Settings.model_validate(given)
    require_secrets(settings)
    assert settings.redis.endswith("@redis:6379/0")


def test_every_image_is_pinned_and_nothing_but_the_api_is_published() -> None:
    assert all(re.search(r":\d+\.\d+\.\d+$", service["image"]) for service in SERVICES.values())
    assert {name: service["ports"] for name, service in SERVICES.items() if "ports" in service} == {
        "api": ["127.0.0.1:8000:8000"]
    }
    pinned = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", image) for image in pinned)


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    shown = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"charts"} <= copied
    assert copied <= shown
