"""Runs `git` as a process: argv lists only, a clean environment, a deadline, and no child that outlives us."""

import ctypes
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from git.cmd import Git, safer_popen

_INHERITED = frozenset(
    {
        *("PATH", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "no_proxy", "all_proxy"),
    }
)
_FIXED = {
    "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "HOME": "/nonexistent",  # curl would read a .netrc there
    "LC_ALL": "C",
    "LANGUAGE": "C",
}
_PR_SET_PDEATHSIG = 1
_GRACE_SECONDS = 1.0
_CREDENTIALS = re.compile(r"://[^/\s@]+@")


@dataclass(frozen=True)
class Finished:
    """How a git process ended; `exit` is negative for a signal. `timed_out`: it was killed by its deadline."""

    exit: int
    stdout: bytes
    stderr: str
    timed_out: bool = False

    @property
    def succeeded(self) -> bool:
        """Whether git itself says that all went well."""
        return self.exit == 0 and not self.timed_out


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What git may know of ours: no GIT_* that we inherited, no configuration of the user or the system."""
    inherited = {name: value for name, value in os.environ.items() if name in _INHERITED}
    return {**inherited, **_FIXED, **(extra or {})}


def executable() -> str:
    """The git that GitPython uses."""
    return Git.GIT_PYTHON_GIT_EXECUTABLE or "git"


def die_with_parent() -> Callable[[], None] | None:
    """What a child does before exec so that the kernel ends it when the thread that started it is gone (Linux)."""
    return _set_parent_death_signal if _LIBC is not None else None


def signal_group(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process that leads a group, and to all of its group. SIGTERM lets git remove its locks."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def run(
    arguments: Sequence[str],
    *,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
    repository: Path | None = None,
) -> Finished:
    """Run `git <arguments>` to its end or its deadline. Never raises for what git does. Hooks of `repository` do not
    run; those of a repository that git talks to do.
    """
    where = [] if repository is None else [f"--git-dir={repository}"]
    process = safer_popen(
        [executable(), "-c", f"core.hooksPath={os.devnull}", *where, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=clean_environment(environment),
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    return _finish(process, timeout_seconds)


def without_credentials(text: str) -> str:
    """The same text, users and passwords in URLs left out."""
    return _CREDENTIALS.sub("://", text)


def _finish(process: "subprocess.Popen[bytes]", timeout_seconds: float) -> Finished:
    try:
        out, err = process.communicate(timeout=timeout_seconds)
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        return Finished(process.wait(), out, err.decode(errors="replace"), timed_out=True)
    except BaseException:
        _end(process)
        raise
    return Finished(process.returncode, out, err.decode(errors="replace"))


def _end(process: "subprocess.Popen[bytes]") -> tuple[bytes, bytes]:
    signal_group(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    signal_group(process.pid, signal.SIGKILL)  # a hook may ignore the first, and outlive its git
    with suppress(subprocess.TimeoutExpired):
        return process.communicate(timeout=_GRACE_SECONDS)
    # A grandchild that left the group keeps the pipes open, perhaps for ever.
    for pipe in filter(None, (process.stdout, process.stderr)):
        pipe.close()
    return b"", b""


def _set_parent_death_signal() -> None:
    if _LIBC is not None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
