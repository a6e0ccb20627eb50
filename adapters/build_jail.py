"""Runs a program that runs strangers' code: `python -m adapters.build_jail PARENT_PID LOCK_FD`, as root, with a
Specification on stdin.

The program gets a root folder with nothing but what is named, process ids of its own (with the first of them all others
end), and a root user that is nobody outside: a range of ids that no account has. The network is the machine's. The
first process ends with Lucity; SIGTERM ends everything and returns when nothing is left. LOCK_FD stays open until then.
See user_namespaces(7), pid_namespaces(7), pivot_root(2).
"""

import ctypes
import fcntl
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from adapters.lifetime import PR_SET_PDEATHSIG, die_with_parent

FIRST_ID = 0x60000000
"""Where the ids inside begin outside: in the range that systemd leaves to containers."""
IDS = 65536
FAILED = 124
"""Exit code when the jail itself could not be made; its stderr says why."""
_NEW_MOUNTS, _NEW_HOSTNAME, _NEW_IPC, _NEW_USERS, _NEW_PIDS = 0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000
_READ_ONLY, _NO_SUID, _NO_DEVICES, _NO_EXEC, _REMOUNT, _BIND = 1, 2, 4, 8, 32, 4096
_RECURSIVE, _PRIVATE = 16384, 1 << 18
_DETACH = 2
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41, "riscv64": 41, "s390x": 217, "ppc64le": 203}


@dataclass(frozen=True)
class Bind:
    """A file or folder of outside, shown inside."""

    source: str
    target: str
    writable: bool = False


@dataclass(frozen=True)
class Specification:
    """What runs, and all that it may see; `root` is an empty folder to build its root in."""

    root: str
    binds: tuple[Bind, ...]
    files: dict[str, str]
    """Small ones by path, that are on no disk."""
    arguments: tuple[str, ...]
    environment: dict[str, str]
    processes: int
    file_bytes: int

    def render(self) -> str:
        """JSON. It may hold secrets, in `files`."""
        return json.dumps({**vars(self), "binds": [vars(bind) for bind in self.binds]})

    @classmethod
    def parse(cls, text: str) -> "Specification":
        """The pair of `render`."""
        given = json.loads(text)
        return cls(**{**given, "binds": tuple(Bind(**bind) for bind in given["binds"])})


def main(parent_pid: int, lock: int, specification: Specification) -> NoReturn:
    """Run it, and exit as it does: its exit code, or 128 and its signal."""
    die_with_parent(parent_pid)
    os.nice(10)
    Path("/proc/self/oom_score_adj").write_text("1000")
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (specification.processes,) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (specification.file_bytes,) * 2)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    fcntl.fcntl(lock, fcntl.F_SETFD, fcntl.FD_CLOEXEC)
    _unshare(_NEW_PIDS)
    (ready, say_ready), (go, say_go) = os.pipe(), os.pipe()
    first = os.fork()
    if first == 0:
        os.close(say_go)
        os.close(ready)
        _guarded(specification, say_ready, go)
    os.close(go)
    os.close(say_ready)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    if os.read(ready, 1):
        _map_ids(first)
        os.write(say_go, b"1")
        os.read(ready, 1)
        os.write(say_go, b"1")
    os._exit(_exit_code(os.waitpid(first, 0)[1]))


def _guarded(specification: Specification, say_ready: int, go: int) -> NoReturn:
    """The first process inside."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
        _end_with_outside()
        _unshare(_NEW_MOUNTS | _NEW_IPC | _NEW_HOSTNAME)
        _build_root(specification)
        _unshare(_NEW_USERS | _NEW_MOUNTS)
        _exchange(say_ready, go)
        os.setgroups([])
        os.setresgid(0, 0, 0)
        os.setresuid(0, 0, 0)
        _end_with_outside()  # again: a change of user undoes it
        _exchange(say_ready, go)
        os.close(say_ready)
        os.close(go)
        code = _run(specification)
    except BaseException as error:  # noqa: BLE001 - this process must not return into its parent's code
        with suppress(BaseException):
            os.write(2, f"the build's confinement failed: {error}\n".encode())
        code = FAILED
    os._exit(code)


def _exchange(say_ready: int, go: int) -> None:
    """Wait until the outside process has answered; it is gone when it does not."""
    os.write(say_ready, b"1")
    if not os.read(go, 1):
        os._exit(FAILED)


def _run(specification: Specification) -> int:
    """Run the program and take in every orphan, until the program ends; with this process all others end."""
    program = os.fork()
    if program == 0:
        os.chdir("/")
        os.umask(0o022)
        os.execve(specification.arguments[0], specification.arguments, specification.environment)  # noqa: S606
    while True:
        pid, status = os.wait()
        if pid == program:
            return _exit_code(status)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _map_ids(pid: int) -> None:
    for kind in ("uid", "gid"):
        Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {FIRST_ID} {IDS}\n")


def _build_root(specification: Specification) -> None:
    """Make a root of what is named, and go there; the machine's own is out of reach then."""
    root = Path(specification.root)
    _mount("none", "/", None, _RECURSIVE | _PRIVATE)
    _mount("tmpfs", str(root), "tmpfs", _NO_SUID | _NO_DEVICES, "size=1m,mode=0755")
    for bind in specification.binds:
        _bind(bind.source, root / bind.target.lstrip("/"), writable=bind.writable)
    for name, content in specification.files.items():
        _write(root / name.lstrip("/"), content)
    for name in ("proc", "sys", "old"):
        (root / name).mkdir(exist_ok=True)
    _build_devices(root / "dev")
    _mount("proc", str(root / "proc"), "proc", _NO_SUID | _NO_DEVICES | _NO_EXEC)
    _call("pivot_root", _LIBC.syscall(_PIVOT_ROOT[os.uname().machine], os.fsencode(root), os.fsencode(root / "old")))
    os.chdir("/")
    _call("umount2", _LIBC.umount2(b"/old", _DETACH))
    Path("/old").rmdir()
    _mount("none", "/", None, _REMOUNT | _BIND | _READ_ONLY | _NO_SUID | _NO_DEVICES)


def _write(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(content)
    os.chown(path, FIRST_ID, FIRST_ID)


def _build_devices(folder: Path) -> None:
    folder.mkdir()
    for name in _DEVICES:
        _bind(f"/dev/{name}", folder / name, writable=True, flags=0)
    (folder / "shm").mkdir()
    (folder / "pts").mkdir()
    _mount("tmpfs", str(folder / "shm"), "tmpfs", _NO_SUID | _NO_DEVICES, "size=64m,mode=1777")
    (folder / "fd").symlink_to("/proc/self/fd")
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        (folder / name).symlink_to(f"/proc/self/fd/{number}")


def _bind(source: str, target: Path, *, writable: bool, flags: int = _NO_SUID | _NO_DEVICES) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if Path(source).is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(source, str(target), None, _BIND | _RECURSIVE)
    access = 0 if writable else _READ_ONLY
    _mount("none", str(target), None, _REMOUNT | _BIND | flags | access)


def _end_with_outside() -> None:
    _call("prctl", _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL))


def _unshare(flags: int) -> None:
    _call("unshare", _LIBC.unshare(flags))


def _mount(source: str, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    encoded = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    _call(f"mount {target}", _LIBC.mount(*encoded[:3], ctypes.c_ulong(flags), encoded[3]))


def _call(what: str, result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


_LIBC = ctypes.CDLL(None, use_errno=True)

if __name__ == "__main__":
    given = Specification.parse(sys.stdin.read())
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    main(int(sys.argv[1]), int(sys.argv[2]), given)
