"""What `lucity up` promises to a person: one command, everything ready, nothing left behind."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.up import LUCITY, Up, processes_of, running

CHILDREN = ("valkey", "api", "worker", "observer")


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    with running(tmp_path / "data folder") as started:
        yield started


def refused(data: Path, *arguments: str) -> str:
    """Start one that does not come up, and answer what it says."""
    command = [LUCITY, "up", "--no-browser", "--data", str(data), *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr
    return ended.stderr


def mode(path: Path) -> str:
    return oct(path.stat().st_mode & 0o777)


def test_a_fresh_folder_becomes_ready_and_says_where_everything_is(up: Up) -> None:
    assert httpx.get(f"{up.url}/readyz").status_code == 200
    assert f"{up.url}/login?token=" in up.login
    assert f"{up.url}/git/gitops/<project>.git" in up.printed()
    assert str(up.data / "admin-token") in up.printed()
    assert up.graphql("{ viewer { name kind } }") == {"viewer": {"name": "admin", "kind": "PERSON"}}
    assert all(up.child(name) for name in CHILDREN)


def test_secrets_are_readable_by_their_owner_only(up: Up) -> None:
    secrets = ["admin-token", "lock", "keys/token", "keys/signing", "valkey/valkey.conf", "valkey/password"]
    assert {name: mode(up.data / name) for name in secrets} == dict.fromkeys(secrets, "0o600")
    password = (up.data / "valkey" / "password").read_text()
    shown = up.printed() + "".join(up.processes().values()) + up.report()
    assert password not in shown
    assert up.token not in shown


def test_the_login_link_works_once(up: Up) -> None:
    with httpx.Client() as browser:
        assert browser.get(up.login).status_code in {302, 303, 307}
        assert browser.get(f"{up.url}/").status_code == 200
        assert browser.post(f"{up.url}/graphql", json={"query": "{ viewer { name } }"}).json() == {
            "data": {"viewer": {"name": "admin"}}
        }
    assert httpx.get(up.login).status_code in {400, 401, 403, 404, 410}


def test_a_restart_keeps_the_token_the_password_and_the_port_of_valkey(up: Up) -> None:
    kept = [up.data / "admin-token", up.data / "valkey" / "password", up.data / "valkey" / "port"]
    before = [path.read_text() for path in kept]
    assert up.stop() == 0
    up.restart()
    assert [path.read_text() for path in kept] == before
    assert up.graphql("{ viewer { name } }") == {"viewer": {"name": "admin"}}


def test_a_lost_key_brings_a_new_admin_token(up: Up) -> None:
    before = up.token
    assert up.stop() == 0
    (up.data / "keys" / "token").unlink()
    up.restart()
    assert up.token != before
    assert up.graphql("{ viewer { name } }") == {"viewer": {"name": "admin"}}


def test_a_second_up_on_the_same_folder_says_who_runs_and_changes_nothing(up: Up) -> None:
    before = up.processes()
    said = refused(up.data, "--port", "0")
    assert str(up.process.pid) in said
    assert up.url in said
    assert up.processes() == before
    assert up.graphql("{ viewer { name } }") == {"viewer": {"name": "admin"}}


def test_a_taken_port_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(tmp_path / "data", "--port", str(port))
    assert f"port {port}" in said
    assert "--port" in said
    assert not (tmp_path / "data" / "valkey").exists()
    assert not processes_of(tmp_path / "data")


@pytest.mark.parametrize(
    ("name", "value", "part"),
    [("LUCITY_LEASE_SECONDS", "soon", "LUCITY_LEASE_SECONDS"), ("LUCITY_FAILPOINT", "nowhere:kill", "after_admit")],
)
def test_a_wrong_setting_is_a_sentence(tmp_path: Path, name: str, value: str, part: str) -> None:
    command = [LUCITY, "up", "--no-browser", "--data", str(tmp_path / "data"), "--port", "0"]
    variables = {**os.environ, "LUCITY_TESTING": "1", name: value}
    ended = subprocess.run(command, capture_output=True, text=True, env=variables, timeout=60, check=False)
    assert ended.returncode == 1
    assert part in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("name", ["api", "worker", "observer"])
def test_a_process_alone_refuses_to_start_without_secrets(tmp_path: Path, name: str) -> None:
    variables = {**os.environ, "LUCITY_DATA": str(tmp_path), "LUCITY_REDIS_URL": "redis://:short@127.0.0.1:1/0"}
    ended = subprocess.run([LUCITY, name], capture_output=True, text=True, env=variables, timeout=60, check=False)
    assert ended.returncode == 1
    assert "LUCITY_REDIS_URL" in ended.stderr
    assert "LUCITY_TOKEN_KEY_FILE" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "short@" not in ended.stderr


def test_kill_9_leaves_no_process_and_the_next_start_is_ready(up: Up) -> None:
    assert len(up.processes()) > len(CHILDREN) + 1
    up.kill()
    up.wait("the end of all children", lambda: not up.processes())
    up.restart()
    assert up.graphql("{ viewer { name } }") == {"viewer": {"name": "admin"}}


@pytest.mark.parametrize("name", CHILDREN)
def test_a_child_that_dies_is_started_again(up: Up, name: str) -> None:
    before = up.child(name)
    os.kill(before, signal.SIGKILL)
    up.wait(f"another {name}", lambda: up.child(name) not in {0, before})
    up.wait("readiness", lambda: httpx.get(f"{up.url}/readyz", timeout=30).status_code == 200)
    assert f"{name} ended (SIGKILL)" in up.printed()


def test_a_request_during_a_restart_of_the_api_is_answered_by_the_next_one(up: Up) -> None:
    before = up.child("api")
    os.kill(before, signal.SIGKILL)
    up.wait("the end of the API", lambda: before not in up.processes())
    assert httpx.get(f"{up.url}/healthz", timeout=60).status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_everything_in_order(up: Up, number: signal.Signals) -> None:
    up.process.send_signal(number)
    assert up.process.wait(20) == 0, up.report()
    assert not up.processes()
    assert "Lucity has stopped" in up.printed()


def test_a_second_signal_ends_everything_at_once(up: Up) -> None:
    os.kill(up.child("api"), signal.SIGSTOP)
    up.process.send_signal(signal.SIGINT)
    up.wait("the first sign of stopping", lambda: "Lucity stops" in up.printed())
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 130
    up.wait("the end of all processes", lambda: not up.processes())


def test_an_open_socket_does_not_hold_the_end_up(up: Up) -> None:
    address = up.url.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1]))) as idle:
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n")
        assert up.stop() == 0
    assert "by force" not in up.printed()


def test_a_token_is_made_on_the_folder_without_a_server(up: Up) -> None:
    assert up.stop() == 0
    command = [LUCITY, "token", "create", "--name", "ci", "--email", "ci@example.com", "--data", str(up.data)]
    made = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout.strip()
    up.restart()
    answer = httpx.post(
        f"{up.url}/graphql",
        json={"query": "{ viewer { name kind } tokens { name } }"},
        headers={"Authorization": f"Bearer {made}"},
    ).json()
    assert answer["data"]["viewer"] == {"name": "ci", "kind": "AUTOMATION"}


def test_the_lock_names_its_holder(up: Up) -> None:
    assert json.loads((up.data / "lock").read_text()) == {"pid": up.process.pid, "url": up.url}
