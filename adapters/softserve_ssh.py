"""Soft-serve's administration: SSH commands, whose answers are text, read strictly. By the `ssh` program, with argv
lists, our own known_hosts and nobody's configuration.
"""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from adapters.ports import Unreachable

_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 30.0
_FAILED_ITSELF = 255
_ARGUMENT = re.compile(r"[A-Za-z0-9+/=._-]+")
_LINE = re.compile(r"[A-Za-z0-9._/-]+")
_TOKEN = re.compile(r"ss_[0-9a-f]{40}")
_WEB_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_SAID = re.compile(r"^Error: (.+)$", re.MULTILINE)
_USER = re.compile(r"Username: (?P<name>[A-Za-z0-9-]+)\nAdmin: (?P<admin>true|false)\nPublic keys:\n")
_ACCESS = frozenset({"no-access", "read-only", "read-write", "admin-access"})
_OTHER_HOST_KEY = ("REMOTE HOST IDENTIFICATION HAS CHANGED", "Host key verification failed")
_KEY_REFUSED = ("Permission denied (", "UNPROTECTED PRIVATE KEY FILE", "error in libcrypto", "invalid format")


class Unfit(Unreachable):
    """The Git host is there, but a person has to act before Lucity can use it."""

    def __init__(self, message: str) -> None:
        super().__init__("git", message)


class Declined(Exception):  # noqa: N818 - an answer
    """Soft-serve's own `Error: …` to a command; the message is what it said."""


@dataclass(frozen=True)
class Answer:
    """How an ssh process ended."""

    exit: int
    stdout: str
    stderr: str


@dataclass(frozen=True)
class Ssh:
    """The way to one Soft-serve. `known_hosts` is a file of ours."""

    host: str
    port: int
    known_hosts: Path

    @classmethod
    def to(cls, url: str, known_hosts: Path) -> "Ssh":
        """By a URL like ssh://host:23231."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 22, known_hosts)

    def run(self, key: Path, *arguments: str, first_use: bool = False) -> str:
        """What the command prints, run by the owner of the private key. `first_use` records the host's key when none
        is known. Raises Declined, Unfit and Unreachable.
        """
        for argument in arguments:
            # Soft-serve gets one line and splits it again.
            if not _ARGUMENT.fullmatch(argument):
                raise ValueError(f"{argument!r} does not go into a command of Soft-serve")
        try:
            ended = subprocess.run(
                self._command(key, arguments, first_use=first_use),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
                env=_environment(),
                timeout=_ANSWER_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise Unreachable("git", f"Soft-serve at {self} did not answer in {_ANSWER_SECONDS:.0f} s") from None
        except OSError as error:
            raise Unfit(f"`ssh` cannot be started ({error.strerror}): install an OpenSSH client") from None
        return self._read(Answer(ended.returncode, ended.stdout, ended.stderr))

    def __str__(self) -> str:
        return f"{self.host} port {self.port}"

    def _command(self, key: Path, arguments: Sequence[str], *, first_use: bool) -> list[str]:
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": str(_CONNECT_SECONDS),
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "IdentityFile": _quoted(key),
            "PreferredAuthentications": "publickey",
            "StrictHostKeyChecking": "accept-new" if first_use else "yes",
            "UserKnownHostsFile": _quoted(self.known_hosts),
            "GlobalKnownHostsFile": os.devnull,
            "UpdateHostKeys": "no",
            "LogLevel": "ERROR",
        }
        given = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
        return [
            "ssh",
            "-F",
            os.devnull,
            "-T",
            *given,
            "-p",
            str(self.port),
            "-l",
            "lucity",
            "--",
            self.host,
            *arguments,
        ]

    def _read(self, answer: Answer) -> str:
        if answer.exit == 0:
            return answer.stdout
        if answer.exit != _FAILED_ITSELF and (said := _SAID.search(answer.stderr)):
            raise Declined(said[1])
        raise failure(answer, str(self), self.known_hosts)


def failure(answer: Answer, host: str, known_hosts: Path) -> Unreachable:
    """What a connection that came to nothing means: Unfit when trying again cannot help."""
    said = answer.stderr.strip()
    if any(mark in said for mark in _OTHER_HOST_KEY):
        return Unfit(
            f"Soft-serve at {host} shows another host key than the one on record, so Lucity does not talk to it. "
            f"If its key was replaced on purpose, delete {known_hosts} and the secret {KNOWN_HOSTS}."
        )
    if any(mark in said for mark in _KEY_REFUSED):
        return Unfit(f"Soft-serve at {host} cannot be entered with Lucity's SSH key: {said}")
    return Unreachable("git", f"Soft-serve at {host} does not answer: {said or f'ssh ended with {answer.exit}'}")


KNOWN_HOSTS = "softserve-known-hosts"
"""The secret that holds the host's key as first seen, for all processes."""


def parse_names(text: str) -> list[str]:
    """Names, one a line. Raises Unreachable for anything else."""
    lines = text.splitlines()
    if not all(_LINE.fullmatch(line) for line in lines):
        raise _unexpected("a list of names")
    return lines


def parse_token(text: str) -> str:
    """The access token on the last line. Raises Unreachable."""
    return _last(text, _TOKEN, "an access token")


def parse_web_token(text: str) -> str:
    """The JSON Web Token on the last line. Raises Unreachable."""
    return _last(text, _WEB_TOKEN, "a JSON Web Token")


def parse_access(text: str) -> str:
    """An access level. Raises Unreachable."""
    level = text.strip()
    if level not in _ACCESS:
        raise _unexpected("an access level")
    return level


def parse_user(text: str) -> tuple[str, bool]:
    """Who is asking, and whether they administer. Raises Unreachable."""
    found = _USER.match(text)
    if found is None:
        raise _unexpected("a user")
    return found["name"], found["admin"] == "true"


def _last(text: str, pattern: re.Pattern[str], what: str) -> str:
    lines = text.splitlines()
    if not lines or not pattern.fullmatch(lines[-1]):
        raise _unexpected(what)
    return lines[-1]


def _unexpected(what: str) -> Unreachable:
    return Unreachable("git", f"Soft-serve answered with something that is not {what}; Lucity knows version 0.12")


def _quoted(path: Path) -> str:
    # ssh splits at blanks and expands % itself.
    return '"' + str(path).replace("%", "%%") + '"'


def _environment() -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": "/nonexistent", "LC_ALL": "C"}
