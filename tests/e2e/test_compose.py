"""docker-compose.yml: what can be shown without an engine. Compose takes it, processes get all they need, and no secret
is shipped.
"""

import base64
import hashlib
import hmac
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.git_wiring import build_secrets
from adapters.leases import RedisLeases
from adapters.redis_client import connect
from adapters.secrets import FileSecrets
from adapters.settings import Settings
from cli.configuration import require_secrets
from jobs.builders import LEASE
from tests.support import softserve
from tests.support.real_tools import real_tool
from tests.support.softserve import SoftServe
from tests.support.up import LUCITY, running, wait_until
from tests.support.valkey import valkey_server

ROOT = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
STEPS = {"prepare", "cluster-access"}
SERVERS = {"redis", "soft-serve", "registry", "k3s"}
PROCESSES = {"api", "worker", "observer", "builder"}


def variables(name: str) -> dict[str, str]:
    found: dict[str, str] = SERVICES[name]["environment"]
    return found


def prepare(folder: Path) -> dict[str, bytes]:
    """Run the first step on a folder; every file that is there afterwards."""
    given = {name: re.sub("^/data", str(folder), value) for name, value in variables("prepare").items()}
    command = [LUCITY, *SERVICES["prepare"]["command"], "--data", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60, env={**os.environ, **given})
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder after the first step."""
    folder = tmp_path_factory.mktemp("compose") / "data"
    prepare(folder)
    return folder


def test_the_first_step_makes_secrets_once_for_their_owner_only(data: Path, tmp_path: Path) -> None:
    made, others = prepare(data), prepare(tmp_path / "another")
    keys = {"keys/argocd", "keys/signing", "keys/soft-serve", "keys/token"}
    secret = {*keys, "for/k3s/argocd-secret.yaml", "redis-url", "valkey/password", "valkey/valkey.conf"}
    assert {name for name in made if not (data / name).stat().st_mode & 0o077} >= secret
    assert made == prepare(data)
    assert {name for name in made if name != "keys/.allowed_signers.lock" and made[name] == others[name]} == set()


def settings_of(name: str, data: Path) -> Settings:
    """The settings of a process as its container has them, with this folder for the volume `data`."""
    given = {variable: re.sub("^/data", str(data), value) for variable, value in variables(name).items()}
    decoded = {key: json.loads(value) if value.startswith("[") else value for key, value in given.items()}
    return Settings.model_validate({key.removeprefix("LUCITY_").lower(): value for key, value in decoded.items()})


@pytest.mark.parametrize("name", ["api", "worker", "observer", "builder"])
def test_each_process_finds_every_secret_where_it_looks(data: Path, name: str) -> None:
    settings = settings_of(name, data)
    require_secrets(settings)
    assert settings.redis.endswith("@redis:6379/0")
    assert (settings.git_host, settings.delivery) == ("softserve", "argocd")
    assert settings.softserve_admin_key_file == data / "keys/soft-serve"
    assert settings.argocd_token_file == data / "keys/argocd"
    assert (settings.kubeconfig is None) == (name == "builder")
    address = SERVICES["soft-serve"]["networks"]["cluster"]["ipv4_address"]
    assert settings.argocd_git_url == f"http://{address}:23232"


@pytest.fixture(scope="module")
def configured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Docker Compose makes of the file, alone in a folder, without any variables."""
    folder = tmp_path_factory.mktemp("alone")
    shutil.copy(ROOT / "docker-compose.yml", folder)
    assert config(folder, "--quiet") == ""
    answer: dict[str, Any] = json.loads(config(folder, "--format", "json"))
    return answer


def config(folder: Path, *arguments: str) -> str:
    """Run `docker compose config`, as a program of its own; it must succeed without a warning."""
    command = [str(real_tool("docker-compose", "compose")), "config", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=folder, env={})
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_one_file_brings_up_the_whole_of_it(configured: dict[str, Any]) -> None:
    services = configured["services"]
    assert services.keys() == {*STEPS, *SERVERS, *PROCESSES}
    assert all(re.search(r":v?\d+\.\d+\.\d+(-k3s\d+)?$", service["image"]) for service in services.values())
    assert {name for name, service in services.items() if "build" in service} == {*STEPS, *PROCESSES}
    assert {name: services[name]["command"] for name in PROCESSES} == {name: [name] for name in PROCESSES}
    assert {name for name, service in services.items() if service.get("privileged")} == {"k3s"}


def test_what_is_published_is_published_on_loopback_only(configured: dict[str, Any]) -> None:
    ports = {name: service["ports"] for name, service in configured["services"].items() if "ports" in service}
    assert ports.keys() == {"api", "registry", "k3s"}
    assert {port["host_ip"] for published in ports.values() for port in published} == {"127.0.0.1"}


def test_what_stays_has_a_health_check_and_what_waits_waits_for_it(configured: dict[str, Any]) -> None:
    services = configured["services"]
    checked = {name for name, service in services.items() if service.get("healthcheck", {}).get("test")}
    assert checked == {*SERVERS, *PROCESSES}
    waited_for = {
        (name, wanted["condition"])
        for service in services.values()
        for name, wanted in (service.get("depends_on") or {}).items()
    }
    expected = {name: "service_completed_successfully" if name in STEPS else "service_healthy" for name in services}
    assert waited_for <= expected.items()


def test_no_secret_is_written_in_the_file(configured: dict[str, Any]) -> None:
    given = {
        (name, variable): value
        for name, service in configured["services"].items()
        for variable, value in service.get("environment", {}).items()
    }
    named = {place: value for place, value in given.items() if re.search("KEY|TOKEN|PASSWORD|SECRET|REDIS", place[1])}
    assert ("api", "LUCITY_TOKEN_KEY_FILE") in named
    assert [place for place, value in named.items() if not value.startswith("/")] == []
    text = json.dumps(configured)
    assert re.findall(r"://[^/\s\"]*@|PRIVATE KEY|requirepass", text) == []
    assert not configured.keys() & {"secrets", "configs"}


def test_a_health_check_tells_who_works_from_who_does_not(tmp_path: Path) -> None:
    with valkey_server() as valkey:
        (tmp_path / "redis-url").write_text(f"{valkey.url}\n")

        def healthy() -> set[str]:
            return {name for name in ("worker", "observer", "builder") if health(name, tmp_path)}

        assert healthy() == set()
        with running(tmp_path / "data", variables={"LUCITY_REDIS_URL": valkey.url}) as up:
            wait_until("worker and observer", lambda: healthy() == {"worker", "observer"})
            with connect(valkey.url) as client:
                RedisLeases(client, Settings()).acquire(LEASE, LEASE, 3600)
            up.stop()
        wait_until("the leases of those who are gone", lambda: healthy() == {"builder"})


def health(name: str, data: Path) -> bool:
    """Run a process' health check as its container does, with this folder for /data."""
    _, program, *arguments = SERVICES[name]["healthcheck"]["test"]
    assert program == "python"
    command = [sys.executable, *(argument.replace("/data", str(data)) for argument in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.returncode == 0


def test_the_dockerfile_makes_the_small_image_unless_it_is_asked_for_the_builder() -> None:
    parts = re.split(r"^FROM (\S+)(?: AS (\S+))?\n", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)[1:]
    stages = {name: (image, text) for image, name, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}
    assert list(stages) == ["environment", "lucity", "builder", None]
    assert all(re.fullmatch(r"python:3\.11\.\d+-slim-bookworm", stages[name][0]) for name in ("environment", "lucity"))
    assert stages[None] == ("lucity", "")
    assert stages["builder"][0] == "lucity"
    users = {name: re.findall(r"^USER (\S+)$", text, re.MULTILINE) for name, (_, text) in stages.items()}
    assert users == {"environment": [], "lucity": ["10001:10001"], "builder": ["0:0"], None: []}


def test_a_volume_shows_soft_serve_and_k3s_what_is_for_them_and_no_more(data: Path) -> None:
    shown = {
        name: [mount["volume"]["subpath"] for mount in SERVICES[name]["volumes"] if isinstance(mount, dict)]
        for name in ("soft-serve", "k3s")
    }
    assert shown == {"soft-serve": ["for/soft-serve"], "k3s": ["for/k3s"]}
    assert all((data / folder).is_dir() for folders in shown.values() for folder in folders)
    mounts = [mount for name in ("soft-serve", "k3s", "registry") for mount in SERVICES[name]["volumes"]]
    assert not [mount for mount in mounts if isinstance(mount, str) and mount.startswith("data:")]


def test_argo_cd_is_given_the_key_that_the_api_key_was_signed_with(data: Path) -> None:
    _, secret = yaml.safe_load_all((data / "for/k3s/argocd-secret.yaml").read_text())
    head, claims, signature = (data / "keys/argocd").read_text().split(".")
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


def test_soft_serve_takes_the_key_that_was_made_for_it(data: Path, tmp_path: Path) -> None:
    """Its variable names the file, as in the compose file."""
    server = SoftServe(tmp_path / "soft-serve")
    server.folder.mkdir()
    shutil.copy(data / "keys/soft-serve", server.admin_key)
    server.admin_key.with_suffix(".pub").write_text(str(data / "for/soft-serve/admin.pub"))
    softserve.binary()
    try:
        server.start()
        assert "Admin: true" in server.administer("info")
    finally:
        server.close()


def test_the_builder_may_what_the_charts_may_and_writes_to_no_folder_of_others() -> None:
    builder = SERVICES["builder"]
    charts = re.search(r"\[(CHOWN, [^]]+)\]", (ROOT / "charts/lucity/templates/_pod.tpl").read_text())
    assert charts is not None
    assert (builder["cap_drop"], builder["cap_add"]) == (["ALL"], charts[1].split(", "))
    assert {name for name, service in SERVICES.items() if "cap_add" in service} == {"builder"}
    assert builder["build"]["target"] == "builder"
    own, *shared = sorted(builder["volumes"], key=lambda mount: mount != "builder:/builder")
    assert own == f"builder:{variables('builder')['LUCITY_DATA']}"
    assert all(mount == "data:/data:ro" or mount["read_only"] for mount in shared)


def test_the_builder_finds_the_secrets_that_all_share(data: Path) -> None:
    (kept,) = [mount for mount in SERVICES["builder"]["volumes"] if isinstance(mount, dict)]
    FileSecrets(data / kept["volume"]["subpath"]).put("projects.shop.clone", b"user:password")
    assert build_secrets(Settings(data=data)).get("projects.shop.clone") == b"user:password"
    assert kept["target"] == f"{variables('builder')['LUCITY_DATA']}/{kept['volume']['subpath']}"


def test_the_image_holds_every_package() -> None:
    copied = set(re.findall(r"^COPY (\w+) \w+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    shown = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests"}
    assert packages | {"charts"} <= copied
    assert copied <= shown
