"""Dockerfiles of strangers, built by Buildah: whatever they do is bounded, ended and harmless to others."""

import os
import signal
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path

import pytest

from adapters.build_caches import key_of
from adapters.buildah import BuildahBuilder
from adapters.ports import Stopped
from tests.support.building import BOUNDS, BUSYBOX, Log, begun, builder, failure, never, order, processes, wait_for_end


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that busybox is there already."""
    return tmp_path_factory.mktemp("builds")


@pytest.fixture
def buildah(root: Path) -> BuildahBuilder:
    return builder(root)


def test_a_run_that_never_ends_is_ended_with_all_that_it_started(root: Path, tmp_path: Path) -> None:
    mark = f"9{uuid.uuid4().int % 10**12}"
    hurried = builder(root, replace(BOUNDS, timeout_seconds=8))
    seen: list[int] = []

    def look() -> bool:
        seen.extend(processes(mark))
        return False

    run = f"RUN trap '' TERM INT HUP; setsid sleep {mark} & (trap '' TERM; setsid sleep {mark}) & sleep {mark}\n"
    message = failure(lambda: hurried.build(order(tmp_path / "one", BUSYBOX + run), Log(), look))
    assert "LUCITY_BUILD_TIMEOUT_SECONDS" in message
    assert seen
    assert processes(mark) == []


def test_a_build_that_is_stopped_leaves_nothing_running_and_nothing_behind(
    root: Path, buildah: BuildahBuilder, tmp_path: Path
) -> None:
    mark = f"8{uuid.uuid4().int % 10**12}"
    given = order(tmp_path / "one", BUSYBOX + f"RUN setsid sleep {mark} & sleep {mark}\n")
    with pytest.raises(Stopped):
        buildah.build(given, Log(), begun(mark))
    assert processes(mark) == []
    assert not (root / key_of("shop/api") / "tmp").exists()
    assert "[]" in (root / key_of("shop/api") / "storage" / "vfs-containers" / "containers.json").read_text()


def test_a_log_of_100_mb_is_cut_while_the_build_goes_on(buildah: BuildahBuilder, tmp_path: Path) -> None:
    log = Log()
    run = "RUN head -c 50000000 /dev/zero | tr '\\0' x; yes line | head -c 50000000; echo; touch /reached\n"
    buildah.build(order(tmp_path / "one", BUSYBOX + run), log, never)
    assert len(log.text) < 2 * BOUNDS.log_mib << 20
    assert "more characters" in log.text
    assert "the log is cut here" in log.lines[-1][1]


def test_processes_without_end_are_bounded(root: Path, tmp_path: Path) -> None:
    mark = f"7{uuid.uuid4().int % 10**12}"
    few = builder(root, replace(BOUNDS, processes=100, timeout_seconds=30))
    seen = [0]

    def look() -> bool:
        seen.append(len(processes(mark)))
        return False

    bomb = f"RUN while true; do sleep {mark} & done; sleep {mark}\n"
    failure(lambda: few.build(order(tmp_path / "one", BUSYBOX + bomb), Log(), look))
    assert 0 < max(seen) <= 100
    assert processes(mark) == []


@pytest.mark.parametrize(
    "run",
    [
        "RUN dd if=/dev/zero of=/big bs=1M count=4000",
        "RUN i=0; while true; do i=$((i + 1)); dd if=/dev/zero of=/big$i bs=1M count=8 2> /dev/null; done",
    ],
    ids=["one-file", "many-files"],
)
def test_a_run_that_fills_the_disk_is_ended_and_its_files_are_gone(root: Path, tmp_path: Path, run: str) -> None:
    small = builder(root, replace(BOUNDS, disk_mib=96))
    message = failure(lambda: small.build(order(tmp_path / "one", f"{BUSYBOX}{run}\n"), Log(), never))
    assert "LUCITY_BUILD_DISK_MIB" in message
    big = [path for path in (root / key_of("shop/api")).rglob("big*") if path.is_file()]
    assert big == []


HOSTILE = """
env; id; ls -la / /dev
for process in /proc/[0-9]*; do
  cat $process/environ $process/maps $process/cmdline; ls -la $process/root/ $process/fd/
  cat $process/root/$1 $process/cwd/$1
done
mkdir /x; chroot /x; mount -t proc proc /x; mknod /disk b 254 0; cat $1
cat /etc/shadow /proc/kcore /dev/mem; echo changed > /proc/sys/kernel/core_pattern
find / -xdev -name "$2" | sed 's/^/found /'
"""


def test_a_run_sees_nothing_of_ours(root: Path, buildah: BuildahBuilder, tmp_path: Path) -> None:
    key = tmp_path / f"key-{uuid.uuid4().hex}"
    key.write_text("-----BEGIN MADE UP KEY-----")
    key.chmod(0o644)
    log = Log()
    hostile = f"COPY hostile.sh /\nRUN sh /hostile.sh {key} {key.name} 2>&1 | tr '\\0' '\\n'\n"
    given = order(tmp_path / "one", BUSYBOX + hostile, files={"hostile.sh": HOSTILE})
    buildah.build(given, log, never)
    assert "uid=0" in log.text
    assert "MADE UP KEY" not in log.text
    assert "found " not in log.text
    assert str(root) not in log.text
    variables = {line.partition("=")[0] for line in log.text.splitlines() if "=" in line}
    assert not variables & (set(os.environ) - {"PATH", "HOME", "PWD", "SHLVL", "HOSTNAME"})
    for refused in ("chroot: can't", "mount: permission denied", "mknod: /disk: Operation not permitted"):
        assert refused in log.text
    assert Path("/proc/sys/kernel/core_pattern").read_text() != "changed\n"


KILLED = """
import sys
from pathlib import Path
from tests.support.building import BUSYBOX, Log, builder, never, order
builder(Path(sys.argv[1])).build(order(Path(sys.argv[2]), BUSYBOX + f"RUN setsid sleep {sys.argv[3]}\\n"), Log(), never)
"""


def test_a_worker_that_is_killed_takes_its_build_along_and_the_next_one_works(
    root: Path, buildah: BuildahBuilder, tmp_path: Path
) -> None:
    mark = f"6{uuid.uuid4().int % 10**12}"
    arguments = [sys.executable, "-c", KILLED, str(root), str(tmp_path / "killed"), mark]
    worker = subprocess.Popen(arguments, cwd=Path(__file__).parent.parent.parent)
    running = order(tmp_path / "one", BUSYBOX)
    while not any(pid != worker.pid for pid in processes(f"sleep\0{mark}")):
        assert worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for_end(f"sleep\0{mark}")
    buildah.prune()
    containers = root / key_of("shop/api") / "storage" / "vfs-containers" / "containers.json"
    assert "[]" in containers.read_text()
    assert buildah.build(running, Log(), never)
