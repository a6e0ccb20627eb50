"""The configuration, and the login, with which Git reads one source repository: files in a folder of its own, 0600."""

import base64
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from adapters.source_addresses import Address, SourceAddress
from gitops.problems import InvalidInput, Refused

_CONFIGURATION, _KEY, _SSH = "config", "key", "ssh_config"
FILES: Final = (_CONFIGURATION, _KEY)
"""Those that hold a login."""
_TOKEN_USER: Final = "x-access-token"  # noqa: S105 - forges that take a token alone take it with any user
_SLOW_SECONDS: Final = 30
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----\n[A-Za-z0-9+/=\s]+-----END [A-Z ]*PRIVATE KEY-----\s*"
)


@dataclass(frozen=True)
class Login:
    """What a project's secret `clone` holds: `user:password` or a token for https, an OpenSSH private key for ssh."""

    header: str | None = None
    key: str | None = None
    secrets: tuple[str, ...] = ()
    """What no message may show."""

    @classmethod
    def parse(cls, credentials: bytes | None, scheme: str) -> "Login":
        """Raises Refused(InvalidInput) for what does not go with an address of this scheme; it shows nothing of it."""
        if credentials is None or scheme == "file":
            return cls()
        try:
            text = credentials.decode().strip()
        except UnicodeDecodeError:
            raise _refused("is no text") from None
        is_key = _PRIVATE_KEY.fullmatch(text) is not None
        if is_key != (scheme == "ssh"):
            raise _refused(
                "holds a private key, but the address is no ssh://" if is_key else "holds no private key for ssh://"
            )
        if is_key:
            return cls(key=text + "\n", secrets=(text,))
        if not text.isprintable() or not text:
            raise _refused("is neither `user:password` nor a token nor a private key")
        pair = text if ":" in text else f"{_TOKEN_USER}:{text}"
        encoded = base64.b64encode(pair.encode()).decode()
        return cls(header=f"Authorization: Basic {encoded}", secrets=(text, pair.partition(":")[2], encoded))


def write(
    folder: Path, address: SourceAddress, login: Login, pinned: tuple[Address, ...], known_hosts: Path
) -> dict[str, str]:
    """Write what Git needs into a private folder; the variables that lead it there. Git must run in that folder."""
    _write(folder / _CONFIGURATION, _configuration(address, login, pinned))
    if address.scheme == "ssh":
        if login.key is None:
            raise _refused("must hold a private key for ssh://")
        _write(folder / _KEY, login.key)
        _write(folder / _SSH, _ssh(address, pinned, known_hosts))
    return {
        "GIT_CONFIG_GLOBAL": str(folder / _CONFIGURATION),
        "GIT_ALLOW_PROTOCOL": address.scheme,
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_NO_LAZY_FETCH": "1",
    }


def _configuration(address: SourceAddress, login: Login, pinned: tuple[Address, ...]) -> str:
    http = ["followRedirects = false", "lowSpeedLimit = 1", f"lowSpeedTime = {_SLOW_SECONDS}"]
    if login.header is not None:
        http.append(f"extraHeader = {login.header}")
    if pinned and ":" not in address.host:
        listed = ",".join(f"[{one}]" if one.version == 6 else str(one) for one in pinned)  # noqa: PLR2004
        http.append(f"curloptResolve = {address.host}:{address.port}:{listed}")
    sections = {
        "core": [
            *("hooksPath = /dev/null", "attributesFile = /dev/null", "fsmonitor = false", "symlinks = true"),
            *("autocrlf = false", "bigFileThreshold = 16m", f"sshCommand = ssh -F {_SSH}"),
        ],
        "http": http,
        "credential": ["helper ="],
        "submodule": ["recurse = false"],
        "fetch": ["unpackLimit = 1", "recurseSubmodules = false"],
        "transfer": ["bundleURI = false"],
        "gc": ["auto = 0"],
        "maintenance": ["auto = false"],
        "safe": ["directory = *"],
    }
    return "".join(f"[{name}]\n" + "".join(f"\t{line}\n" for line in lines) for name, lines in sections.items())


def _ssh(address: SourceAddress, pinned: tuple[Address, ...], known_hosts: Path) -> str:
    """See ssh_config(5). A host's key is trusted when it is seen first, and no other after."""
    lines = [
        *("Host *", f"IdentityFile {_KEY}", "IdentitiesOnly yes", "IdentityAgent none", "BatchMode yes"),
        *("PreferredAuthentications publickey", "StrictHostKeyChecking accept-new", "GlobalKnownHostsFile /dev/null"),
        *(f'UserKnownHostsFile "{known_hosts}"', f"HostKeyAlias [{address.host}]:{address.port}"),
        *(f"ConnectTimeout {_SLOW_SECONDS}", "ServerAliveInterval 10", "ServerAliveCountMax 3"),
        *("ForwardAgent no", "ProxyCommand none", "ControlPath none"),
        *([f"HostName {pinned[0]}"] if pinned else []),
    ]
    return "\n".join(lines) + "\n"


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _refused(what: str) -> Refused:
    return Refused(InvalidInput(f"the project's secret `clone` {what}"))
