"""`lucity up`: everything on this machine, started in order, kept running, and stopped in order."""

import os
import socket
import sys
import time
import webbrowser
from collections.abc import Callable, Mapping
from pathlib import Path

import click
from pydantic import SecretStr

from adapters.settings import Settings
from cli import readiness, valkey
from cli.children import Child
from cli.configuration import read_settings, require_others
from cli.failures import StartFailed
from cli.folder import Lock, locked
from cli.images import images_line
from cli.interruptions import Interruptions
from cli.processes import LISTEN_FD

START_SECONDS = 90.0
DEATHS_AT_START = 3
# Valkey is last: the others still write to it. Together below the 15 seconds a person waits at most.
STOP_SECONDS = {"api": 5.5, "worker": 4.5, "observer": 2.0, "builder": 0.8, "valkey": 2.0}
PATIENCE_SECONDS = 10.0
LOOK_SECONDS = 60.0
INTERRUPTED = 130


class Stopped(Exception):  # noqa: N818 - a person's wish
    """A person asked Lucity to stop before it was ready."""


def run(host: str, port: int, data: Path, *, open_browser: bool) -> int:
    """Run until a signal asks to stop; the exit code. Raises StartFailed."""
    settings = read_settings({"host": host, "port": port, "data": data})
    require_others(settings)
    interruptions = Interruptions()
    with locked(settings.data) as lock, listen(host, port) as listener:
        settings = settings.model_copy(update=_address(settings, listener.getsockname()[1]))
        up = Up(settings, lock, listener, interruptions)
        try:
            up.start()
            up.announce(open_browser=open_browser)
            up.keep_running()
        except Stopped:
            pass
        except BaseException:
            up.stop()
            raise
        return up.stop()


def listen(host: str, port: int) -> socket.socket:
    """Take the address before anything starts. Raises StartFailed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        message = f"cannot listen on {host} port {port}: {error.strerror or error}; choose another one with --port"
        raise StartFailed(message) from None


def _address(settings: Settings, port: int) -> dict[str, object]:
    """Answer the port we got, and an address that a browser understands where the one we listen on is none."""
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(settings.host, settings.host)  # noqa: S104 - only compared with
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    plain = settings.public_url or host == settings.host
    return {"port": port} if plain else {"port": port, "public_url": f"http://{host}:{port}"}


class Up:
    """The running whole of one data folder."""

    def __init__(self, settings: Settings, lock: Lock, listener: socket.socket, interruptions: Interruptions) -> None:
        self.settings = settings
        self._lock = lock
        self._listener = listener
        self._interruptions = interruptions
        self._children: dict[str, Child] = {}
        self._login = ""

    def start(self) -> None:
        """Start everything; returns when the API says that all of it is ready. Raises StartFailed and Stopped."""
        self._lock.describe(self.settings.origin)
        click.echo(f"Lucity starts in {self.settings.data}")
        if self.settings.redis_url is None:
            self._start_valkey()
        from cli.githost import meet  # noqa: PLC0415 - Git and more, which `--help` does not need
        from cli.tokens import admin_login  # noqa: PLC0415

        meet(self.settings, wait=True)
        self._login = admin_login(self.settings, self.settings.origin)
        processes = ["api", "worker", "observer", *(["builder"] if self.settings.registry else [])]
        click.echo(f"  starting {', '.join(processes)}")
        for name in processes:
            self._add(name, [sys.executable, "-P", "-m", "cli.main", name], self._environment(name))
        self._wait_until(lambda: readiness.missing(self.settings.host, self.settings.port))

    def _start_valkey(self) -> None:
        click.echo("  starting Valkey")
        own = valkey.prepare(self.settings.data / "valkey")
        self.settings = self.settings.model_copy(update={"redis_url": SecretStr(own.url)})
        self._add("valkey", own.command(), {})
        self._wait_until(lambda: "" if own.answers() else "Valkey loads its data")

    def _environment(self, name: str) -> Mapping[str, str]:
        """Answer settings of a child: all processes of a folder have to see the same ones, wherever they run."""
        settings = self.settings
        variables = {
            "LUCITY_DATA": str(settings.data),
            "LUCITY_HOST": settings.host,
            "LUCITY_PORT": str(settings.port),
            **({"LUCITY_PUBLIC_URL": settings.public_url} if settings.public_url else {}),
            "LUCITY_REDIS_URL": settings.redis,
            "LUCITY_TOKEN_KEY_FILE": str(settings.token_key_file or settings.data / "keys" / "token"),
            "LUCITY_SIGNING_KEY_FILE": str(settings.signing_key_file or settings.data / "keys" / "signing"),
        }
        return {**variables, LISTEN_FD: str(self._listener.fileno())} if name == "api" else variables

    def _add(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        inherited = [self._listener.fileno()] if name == "api" else []
        child = Child(name, command, self.settings.data / "logs" / f"{name}.log", environment, inherited)
        self._children[name] = child
        child.start()

    def _wait_until(self, missing: Callable[[], str]) -> None:
        """Wait until `missing` answers nothing; the children are kept running meanwhile."""
        told, began = "", time.monotonic()
        while reason := missing():
            self._tend()
            waited = time.monotonic() - began
            if waited > START_SECONDS or any(child.deaths >= DEATHS_AT_START for child in self._children.values()):
                raise StartFailed(self._report(reason))
            if waited > PATIENCE_SECONDS and reason != told:
                click.echo(f"  waiting: {reason}")
                told = reason
            self._interruptions.wait(0.05)
            if self._interruptions.stops:
                raise Stopped

    def _tend(self) -> None:
        for child in self._children.values():
            if line := child.revive():
                click.echo(line)
            child.trim_log()

    def _report(self, reason: str) -> str:
        """Say what is missing, and the last words of those that ended, else of all."""
        ended = [child for child in self._children.values() if child.deaths] or list(self._children.values())
        logs = [f"--- the end of {child.log}\n{child.tail()}" for child in ended]
        return "\n".join(["Lucity did not become ready: " + reason, *logs])

    def announce(self, *, open_browser: bool) -> None:
        """Say where everything is."""
        from adapters.wiring import build_builder  # noqa: PLC0415 - Git and more, which `--help` does not need

        data, origin = self.settings.data, self.settings.origin
        images = images_line(self.settings.registry, build_builder(self.settings))
        click.echo(
            f"""Lucity is ready.

  GraphiQL     {self._login}  (logs you in, once)
  GraphQL      {origin}/graphql
  Git          {origin}/git/gitops/<project>.git  (any user name, a token as password)
  Admin token  {data / "admin-token"}
  Data         {data}
{images}
Ctrl-C stops it; the next start continues where it was."""
        )
        if open_browser and sys.stdout.isatty() and (sys.platform == "darwin" or os.environ.get("DISPLAY")):
            webbrowser.open(self._login)

    def keep_running(self) -> None:
        """Start again what ends, until a signal asks to stop."""
        while not self._interruptions.stops:
            self._tend()
            self._interruptions.wait(min(LOOK_SECONDS, *(child.due_in_seconds for child in self._children.values())))

    def stop(self) -> int:
        """End the children in order, by force when one takes too long or a person asks again; the exit code."""
        click.echo("Lucity stops")
        self._listener.close()
        asked = max(self._interruptions.stops, 1)
        for name, seconds in STOP_SECONDS.items():
            if child := self._children.get(name):
                self._stop(child, time.monotonic() + seconds, asked)
        self._lock.clear()
        hurried = self._interruptions.stops > asked
        click.echo("Lucity was stopped by force" if hurried else "Lucity has stopped")
        return INTERRUPTED if hurried else 0

    def _stop(self, child: Child, deadline: float, asked: int) -> None:
        child.ask_to_stop()
        while child.running and self._interruptions.stops <= asked and time.monotonic() < deadline:
            self._interruptions.wait(min(deadline - time.monotonic(), 0.5))
        child.kill()
