"""docker-compose.yml, alone and below docker-compose.full.yml: what can be shown without an engine. Processes get all
they need, and no secret is shipped.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.git_wiring import build_secrets
from adapters.secrets import FileSecrets
from adapters.settings import Settings
from cli.configuration import require_secrets
from tests.support import softserve
from tests.support.installing import merged
from tests.support.softserve import SoftServe
from tests.support.up import LUCITY

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
FULL: dict[str, dict[str, Any]] = merged(
    SERVICES, yaml.safe_load((ROOT / "docker-compose.full.yml").read_text())["services"]
)
"""Of both files: maps are merged, as https://docs.docker.com/reference/compose-file/merge/ says."""


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


def test_the_dockerfile_makes_the_small_image_unless_it_is_asked_for_the_builder() -> None:
    parts = re.split(r"^FROM (\S+)(?: AS (\S+))?\n", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    stages = {name: (image, text) for image, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    assert list(stages) == ["environment", "lucity", "builder", None]
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", stages[name][0]) for name in ("environment", "lucity"))
    assert stages[None] == ("lucity", "")
    assert stages["builder"][0] == "lucity"
    users = {name: re.findall(r"^USER (\S+)$", text, re.MULTILINE) for name, (_, text) in stages.items()}
    assert users == {"environment": [], "lucity": ["10001:10001"], "builder": ["0:0"], None: []}


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of the full setup after its first step."""
    folder = tmp_path_factory.mktemp("full") / "data"
    prepare_others(folder)
    return folder


def prepare_others(folder: Path) -> dict[str, bytes]:
    """Run the first step of the full setup; every file that is there afterwards."""
    given = {name: re.sub("^/data", str(folder), value) for name, value in variables("secrets").items()}
    command = [LUCITY, *FULL["secrets"]["command"], "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env={**os.environ, **given})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def variables(name: str) -> dict[str, str]:
    found: dict[str, str] = FULL[name]["environment"]
    return found


def test_the_full_setups_first_step_makes_its_secrets_once(others: Path, tmp_path: Path) -> None:
    made = prepare_others(others)
    assert sorted(made) == ["for/k3s/argocd-secret.yaml", "for/soft-serve/admin.pub", "keys/argocd", "keys/soft-serve"]
    assert made == prepare_others(others)
    assert not set(made.values()) & set(prepare_others(tmp_path / "another").values())
    modes = {name: oct((others / name).stat().st_mode & 0o777) for name in made}
    assert [name for name, mode in modes.items() if mode != "0o600"] == ["for/soft-serve/admin.pub"]


def test_a_volume_shows_soft_serve_and_k3s_what_is_for_them_and_no_more(others: Path) -> None:
    shown = {
        name: [mount["volume"]["subpath"] for mount in FULL[name]["volumes"] if isinstance(mount, dict)]
        for name in ("soft-serve", "k3s")
    }
    assert shown == {"soft-serve": ["for/soft-serve"], "k3s": ["for/k3s"]}
    assert all((others / folder).is_dir() for folders in shown.values() for folder in folders)
    mounts = [mount for name in ("soft-serve", "k3s", "registry") for mount in FULL[name]["volumes"]]
    assert not [mount for mount in mounts if isinstance(mount, str) and mount.startswith("data:")]


def test_argo_cd_is_given_the_key_that_the_api_key_was_signed_with(others: Path) -> None:
    _, secret = yaml.safe_load_all((others / "for/k3s/argocd-secret.yaml").read_text())
    head, claims, signature = (others / "keys/argocd").read_text().split(".")
    keys = secret["stringData"]
    wanted = hmac.new(keys["server.secretkey"].encode(), f"{head}.{claims}".encode(), hashlib.sha256).digest()
    assert unpacked(signature) == wanted
    said = json.loads(unpacked(claims))
    assert (said["iss"], said["sub"]) == ("argocd", "lucity:apiKey")
    assert json.loads(keys["accounts.lucity.tokens"]) == [{"id": said["jti"], "iat": said["iat"]}]
    values = yaml.safe_load(yaml.safe_load((ROOT / "compose/argocd.yaml").read_text())["spec"]["valuesContent"])
    assert values["configs"]["cm"]["accounts.lucity"] == "apiKey"
    assert values["configs"]["secret"] == {"createSecret": False}
    assert f":{values['server']['service']['nodePortHttp']}" in variables("api")["LUCITY_ARGOCD_URL"]


def unpacked(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_soft_serve_takes_the_key_that_was_made_for_it(others: Path, tmp_path: Path) -> None:
    """Its variable names the file, as in the full setup."""
    server = SoftServe(tmp_path / "soft-serve")
    server.folder.mkdir()
    shutil.copy(others / "keys/soft-serve", server.admin_key)
    server.admin_key.with_suffix(".pub").write_text(str(others / "for/soft-serve/admin.pub"))
    softserve.binary()
    try:
        server.start()
        assert "Admin: true" in server.administer("info")
    finally:
        server.close()


@pytest.mark.parametrize("name", ["prepare", "api", "worker", "observer", "builder"])
def test_each_process_of_the_full_setup_has_settings_that_agree(others: Path, name: str) -> None:
    given = {
        variable.removeprefix("LUCITY_").lower(): re.sub("^/data", str(others), value)
        for variable, value in variables(name).items()
    }
    given.pop("redis_url_file")
    decoded = {key: json.loads(value) if value.startswith("[") else value for key, value in given.items()}
    settings = Settings.model_validate(decoded)
    assert (settings.git_host, settings.delivery) == ("softserve", "argocd")
    assert settings.softserve_admin_key_file == others / "keys/soft-serve"
    assert settings.argocd_token_file == others / "keys/argocd"
    assert (settings.kubeconfig is not None) == (name not in {"prepare", "builder"})
    address = FULL["soft-serve"]["networks"]["cluster"]["ipv4_address"]
    assert settings.argocd_git_url == f"http://{address}:23232"


def test_the_full_setup_pins_its_images_and_publishes_on_loopback_only() -> None:
    assert all(re.search(r":v?\d+\.\d+\.\d+(-k3s\d+)?$", service["image"]) for service in FULL.values())
    ports = [port for service in FULL.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert {name for name, service in FULL.items() if service.get("privileged")} == {"k3s"}
    named = {source for service in FULL.values() for source in service.get("depends_on", {})}
    assert named <= set(FULL)


def test_the_builder_may_what_the_charts_may_and_writes_to_no_folder_of_others() -> None:
    builder = FULL["builder"]
    charts = re.search(r"\[(CHOWN, [^]]+)\]", (ROOT / "charts/lucity/templates/_pod.tpl").read_text())
    assert charts is not None
    assert (builder["cap_drop"], builder["cap_add"]) == (["ALL"], charts[1].split(", "))
    assert {name for name, service in FULL.items() if "cap_add" in service} == {"builder"}
    assert builder["build"]["target"] == "builder"
    own, *shared = sorted(builder["volumes"], key=lambda mount: mount != "builder:/builder")
    assert own == f"builder:{variables('builder')['LUCITY_DATA']}"
    assert all(mount == "data:/data:ro" or mount["read_only"] for mount in shared)


def test_the_builder_finds_the_secrets_that_all_share(others: Path) -> None:
    prepare(others)
    given = {name: re.sub("^/data", str(others), value) for name, value in variables("builder").items()}
    require_secrets(
        Settings.model_validate({name.removeprefix("LUCITY_").lower(): text for name, text in given.items()})
    )
    (kept,) = [mount for mount in FULL["builder"]["volumes"] if isinstance(mount, dict)]
    FileSecrets(others / kept["volume"]["subpath"]).put("projects.shop.clone", b"user:password")
    assert build_secrets(Settings(data=others)).get("projects.shop.clone") == b"user:password"
    assert kept["target"] == f"{variables('builder')['LUCITY_DATA']}/{kept['volume']['subpath']}"


def test_docker_compose_takes_both_setups() -> None:
    if shutil.which("docker") is None or run("docker", "compose", "version").returncode:
        pytest.skip("no docker with its compose plugin here")
    for files in (["docker-compose.yml"], ["docker-compose.yml", "docker-compose.full.yml"]):
        done = run("docker", "compose", *(f"--file={name}" for name in files), "config", "--quiet")
        assert done.returncode == 0, done.stderr


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=ROOT)


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    shown = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"charts"} <= copied
    assert copied <= shown
