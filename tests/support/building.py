"""A real Buildah for tests, and source folders to build from: images of busybox, since there is no network."""

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.build_caches import Caches
from adapters.buildah import BuildahBuilder, BuildBounds
from adapters.buildah_process import RegistryAccess
from adapters.ports import BuildOrder
from gitops.problems import JobFailure, Problem, Refused
from tests.support.waiting import wait_until

BOUNDS = BuildBounds(timeout_seconds=120, disk_mib=512, log_mib=1, processes=512)
CREATED = datetime(2026, 1, 1, tzinfo=UTC)
REVISION = {"org.opencontainers.image.revision": "c0ffee"}
BUSYBOX = "FROM scratch\nCOPY busybox /bin/busybox\n" + 'RUN ["/bin/busybox", "--install", "-s", "/bin"]\n'
"""An image with a shell; takes a second the first time."""


def builder(root: Path, bounds: BuildBounds = BOUNDS, registry: RegistryAccess | None = None) -> BuildahBuilder:
    """A builder; skips the test where there is none, and fails it in CI, which installs one."""
    made = BuildahBuilder(Caches(root, allowed_mib=4096, allowed_days=7), bounds, lambda: registry)
    _demand(made.absence())
    _demand(None if shutil.which("busybox") else "there is no busybox (Debian: apt-get install busybox-static)")
    return made


def order(
    folder: Path, dockerfile: str, *, cache: str = "shop/api", files: Mapping[str, str] | None = None
) -> BuildOrder:
    """An order for a new folder with a busybox, a Dockerfile and other files in it."""
    folder.mkdir()
    shutil.copy(shutil.which("busybox") or "", folder / "busybox")
    for name, text in {"Dockerfile": dockerfile, **(files or {})}.items():
        (folder / name).write_text(text)
    return BuildOrder(folder, ".", "Dockerfile", cache, REVISION, CREATED)


@dataclass
class Log:
    """What a build said."""

    lines: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, stream: str, line: str) -> None:
        self.lines.append((stream, line))

    @property
    def text(self) -> str:
        return "\n".join(line for _, line in self.lines)


def never() -> bool:
    """Nobody asks for an end."""
    return False


def processes(mark: str) -> list[int]:
    """Those whose command line holds the mark, ours excepted."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            if folder.name.isdecimal() and mark.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return [pid for pid in found if pid != os.getpid()]


def wait_for_end(mark: str) -> None:
    """Until no process has the mark."""
    wait_until(lambda: not processes(mark), f"the processes of {mark} to end")


def refusal(work: Callable[[], object]) -> Problem:
    """The problem of a refusal."""
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.problem


def failure(work: Callable[[], object]) -> str:
    """The message of a JobFailure."""
    problem = refusal(work)
    assert isinstance(problem, JobFailure)
    return problem.message


def begun(mark: str) -> Callable[[], bool]:
    """Whether a process has the mark: asks for a build's end as soon as it got there."""
    return lambda: bool(processes(mark))


def _demand(reason: str | None) -> None:
    if reason is not None:
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
