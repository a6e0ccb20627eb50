"""Runs `buildah` where strangers' code may run: confined by adapters/build_jail.py, watched, and ended as a whole."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from adapters.build_caches import Cache
from adapters.build_jail import Bind, Specification
from adapters.watched_process import pump

_PROGRAM = "/buildah"
_FOLDERS = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/sbin")
_CONFIGURATION = (
    *("resolv.conf", "hosts", "nsswitch.conf", "passwd", "group", "protocols", "services", "localtime"),
    *("ssl", "pki", "ca-certificates", "docker/certs.d"),
)
_CONTAINERS = Path("/etc/containers")
_DROP_INS = "registries.conf.d"
_POLICY = {"default": [{"type": "insecureAcceptAnything"}]}
_AUTHFILE = "/credentials.json"
_AUTHORITIES = "/authorities.pem"
_END_SECONDS = 15.0
_INHERITED = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "all_proxy",
)


@dataclass(frozen=True)
class RegistryAccess:
    """How to reach the registry that Lucity was given: `host[:port]`, without its prefix."""

    host: str
    insecure: bool
    login: str | None = None
    """`user:password` in Base64."""
    authorities: str = ""
    """PEM that counts besides the system's, at every registry."""

    @property
    def authfile(self) -> str | None:
        """See containers-auth.json(5)."""
        return None if self.login is None else json.dumps({"auths": {self.host: {"auth": self.login}}})

    @property
    def secrets(self) -> tuple[str, ...]:
        """What no log may show."""
        return () if self.login is None else (self.login, b64decode(self.login).decode().partition(":")[2])


@dataclass(frozen=True)
class Confinement:
    """What confines every process of a build."""

    processes: int
    file_mib: int


@dataclass(frozen=True)
class Buildah:
    """The program, and the one cache that it works in."""

    program: str
    cache: Cache
    registry: RegistryAccess | None
    confinement: Confinement

    def run(
        self,
        arguments: Sequence[str],
        sinks: tuple[Callable[[bytes], None], Callable[[bytes], None]],
        watch: Callable[[], None],
        *,
        source: Path | None = None,
        with_credentials: bool = False,
    ) -> int:
        """Run `buildah ARGUMENTS`; its exit code. `source` is seen as /source, scratch as /tmp. What `watch` raises is
        raised when nothing is left running. Never give credentials where strangers' code runs.
        """
        storage = ("--root", "/storage", "--runroot", "/run", "--storage-driver", "vfs")
        authfile = self.registry.authfile if self.registry and with_credentials else None
        login = ("--authfile", _AUTHFILE) if authfile else ()
        specification = Specification(
            root=str(self.cache.root),
            binds=(*_system(), *self._own(source)),
            files={**_configuration(self.registry), **({_AUTHFILE: authfile} if authfile else {})},
            arguments=(_PROGRAM, *storage, arguments[0], *login, *arguments[1:]),
            environment=_environment(self.registry),
            processes=self.confinement.processes,
            file_bytes=self.confinement.file_mib << 20,
        )
        return confined(specification, self.cache.lock, sinks, watch)

    def _own(self, source: Path | None) -> tuple[Bind, ...]:
        cache = self.cache
        folders = (
            *((cache.storage, "/storage"), (cache.run, "/run"), (cache.blobs, "/var/lib/containers/cache")),
            *((cache.scratch, "/tmp"), (cache.scratch, "/var/tmp")),  # noqa: S108 - of inside
        )
        writable = tuple(Bind(str(path), target, writable=True) for path, target in folders)
        given = () if source is None else (Bind(str(source), "/source"),)
        return (Bind(self.program, _PROGRAM), *writable, *given)


def confined(
    specification: Specification,
    lock: int,
    sinks: tuple[Callable[[bytes], None], Callable[[bytes], None]],
    watch: Callable[[], None],
) -> int:
    """Run a program in the jail; its exit code. Nothing of it is left when this returns or raises."""
    code = str(Path(__file__).parent.parent)
    process = subprocess.Popen(
        [sys.executable, "-m", "adapters.build_jail", str(os.getpid()), str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath, "PYTHONPATH": code, "PYTHONDONTWRITEBYTECODE": "1"},
        pass_fds=(lock,),
        start_new_session=True,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None  # noqa: S101, PT018
    with process:
        try:
            with suppress(BrokenPipeError), process.stdin:
                process.stdin.write(specification.render().encode())
            return pump(process, {process.stdout: sinks[0], process.stderr: sinks[1]}, watch)
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def _system() -> tuple[Bind, ...]:
    """The machine's programs and libraries, and the configuration that is no secret."""
    names = [*_FOLDERS, *(f"/etc/{name}" for name in _CONFIGURATION)]
    if _CONTAINERS.is_dir():
        parts = [path for path in _CONTAINERS.iterdir() if path.name != _DROP_INS]
        drop_ins = _CONTAINERS / _DROP_INS
        names += map(str, [*parts, *(drop_ins.iterdir() if drop_ins.is_dir() else ())])
    return tuple(Bind(os.path.realpath(name), name) for name in names if Path(name).exists())


def _configuration(registry: RegistryAccess | None) -> dict[str, str]:
    """What the machine's configuration lacks."""
    lines = []
    if not _says_where_to_search():
        lines.append('unqualified-search-registries = ["docker.io"]')
    if registry is not None and registry.insecure:
        lines.append(f"[[registry]]\nlocation = {json.dumps(registry.host)}\ninsecure = true")
    files = {f"{_CONTAINERS}/{_DROP_INS}/zz-lucity.conf": "\n".join(lines) + "\n"}
    if registry is not None and registry.authorities:
        files[_AUTHORITIES] = registry.authorities
    if not (_CONTAINERS / "policy.json").exists():
        files[f"{_CONTAINERS}/policy.json"] = json.dumps(_POLICY)
    return files


def _says_where_to_search() -> bool:
    with suppress(OSError):
        text = (_CONTAINERS / "registries.conf").read_text()
        return re.search(r"^\s*unqualified-search-registries", text, re.MULTILINE) is not None
    return False


def _environment(registry: RegistryAccess | None) -> dict[str, str]:
    """Nothing of ours but how to reach the world, and whom to trust there."""
    proxies = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    own = {"HOME": "/tmp", "TMPDIR": "/tmp", "XDG_RUNTIME_DIR": "/tmp"}  # noqa: S108 - of inside
    # Go reads the system's folder of certificates besides this file.
    trust = {"SSL_CERT_FILE": _AUTHORITIES} if registry and registry.authorities else {}
    return {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        **own,
        **trust,
        **proxies,
    }


def find() -> str | None:
    """Where the program is."""
    found = shutil.which("buildah")
    return None if found is None else os.path.realpath(found)


def is_allowed_here() -> str | None:
    """Why builds cannot be confined here; None when they can, as far as can be told without trying."""
    if sys.platform != "linux":
        return "builds run on Linux only"
    if os.geteuid() != 0:
        return "builds are confined by namespaces, which takes root: start the builder as root"
    return None


def sinks_into(keep: Mapping[str, list[bytes]]) -> tuple[Callable[[bytes], None], Callable[[bytes], None]]:
    """Sinks that keep all that is printed; for commands that print little."""
    return keep["stdout"].append, keep["stderr"].append
