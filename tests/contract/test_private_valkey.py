"""The private Valkey, with the real binary: durable, private, and never beside another one on the same folder."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from cli import valkey
from cli.valkey import PrivateValkey
from tests.support.up import wait_until


@contextmanager
def started(own: PrivateValkey) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(own.command(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        wait_until("Valkey", own.answers)
        yield process
    finally:
        process.kill()
        process.wait()


def test_it_refuses_who_has_no_password_and_keeps_everything_on_disk(tmp_path: Path) -> None:
    own = valkey.prepare(tmp_path / "with space")
    with started(own), redis.Redis(port=own.port) as stranger, redis.Redis.from_url(own.url) as client:
        with pytest.raises(redis.AuthenticationError):
            stranger.ping()
        kept = ["appendonly", "appendfsync", "maxmemory-policy", "bind", "save"]
        assert {name: client.config_get(name)[name] for name in kept} == {
            "appendonly": "yes",
            "appendfsync": "always",
            "maxmemory-policy": "noeviction",
            "bind": "127.0.0.1",
            "save": "",
        }


def test_what_was_written_is_there_after_kill_9_on_the_same_port(tmp_path: Path) -> None:
    own = valkey.prepare(tmp_path)
    with started(own), redis.Redis.from_url(own.url) as client:
        client.set("job", "accepted")
    again = valkey.prepare(tmp_path)
    assert again == own
    with started(again), redis.Redis.from_url(again.url) as client:
        assert client.get("job") == b"accepted"


def test_a_port_that_somebody_else_took_is_chosen_again(tmp_path: Path) -> None:
    before = valkey.prepare(tmp_path)
    with socket.create_server(("127.0.0.1", before.port)) as taken:
        taken.settimeout(0)
        after = valkey.prepare(tmp_path)
    assert after.port != before.port
    assert after.password == before.password
    assert f"port {after.port}" in (tmp_path / "valkey.conf").read_text()


def test_a_valkey_that_a_killed_up_left_behind_is_ended_first(tmp_path: Path) -> None:
    own = valkey.prepare(tmp_path)
    with started(own) as left_behind:
        assert valkey.prepare(tmp_path) == own
        assert left_behind.wait(30) == 0
