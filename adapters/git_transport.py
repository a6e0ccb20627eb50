"""What goes between a mirror and the Git host: fetch, push and a look, of main only, by the real git."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from adapters.git_answers import is_denied
from adapters.git_process import Finished, run
from adapters.ports import GitHost

MAIN = "refs/heads/main"


@dataclass(frozen=True)
class Transport:
    """The way to one host."""

    host: GitHost
    fetch_timeout_seconds: float
    push_timeout_seconds: float

    def is_near(self, project: str) -> bool:
        """Whether the host's repository is a folder here: then its heads can be read faster than git starts."""
        return self.host.remote(project)[0].startswith("/")

    def fetch(self, project: str, mirror: Path) -> Finished:
        """Make the mirror's main what the host's is, also when history was rewritten."""
        options = ["--quiet", "--no-tags", "--no-write-fetch-head"]

        def fetch(url: str, environment: Mapping[str, str]) -> Finished:
            return run(
                ["fetch", *options, "--end-of-options", url, f"+{MAIN}:{MAIN}"],
                repository=mirror,
                environment=environment,
                timeout_seconds=self.fetch_timeout_seconds,
            )

        return _let_in(self.host.remote, project, fetch)

    def look(self, project: str) -> Finished:
        """Ask for the host's main, without a mirror."""

        def look(url: str, environment: Mapping[str, str]) -> Finished:
            return run(
                ["ls-remote", "--end-of-options", url, MAIN],
                environment=environment,
                timeout_seconds=self.fetch_timeout_seconds,
            )

        return _let_in(self.host.remote, project, look)

    def push(self, project: str, mirror: Path, old: str, new: str) -> Finished:
        """Move the host's main from `old` ('' for not there) to `new`, or not at all. Raises Unreachable and Refused
        when the host does not say where to push.
        """
        options = ["--porcelain", "--atomic", f"--force-with-lease={MAIN}:{old}"]

        def push(url: str, environment: Mapping[str, str]) -> Finished:
            return run(
                ["push", *options, *_bound_receive_pack(url), "--end-of-options", url, f"{new}:{MAIN}"],
                repository=mirror,
                environment=environment,
                timeout_seconds=self.push_timeout_seconds,
            )

        return _let_in(self.host.target, project, push)


class _Way(Protocol):
    """GitHost.remote or GitHost.target."""

    def __call__(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]: ...


def _let_in(way: _Way, project: str, go: Callable[[str, Mapping[str, str]], Finished]) -> Finished:
    """Go; where our credentials are refused, once more with others. Nothing was moved by what was not let in."""
    finished = go(*way(project))
    return go(*way(project, refused=True)) if is_denied(finished) else finished


def _bound_receive_pack(url: str) -> list[str]:
    # When we are killed, git push dies with us; on this machine the receive-pack behind it has to follow, or its push
    # could land long after everybody has looked for it. Git itself gives this line to a shell.
    if not url.startswith("/") or shutil.which("setpriv") is None:
        return []
    return ["--receive-pack=exec setpriv --pdeathsig TERM git-receive-pack"]
