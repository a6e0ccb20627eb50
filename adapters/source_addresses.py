"""Where source repositories are: which addresses are allowed, and what a name stands for at the moment it is used."""

import ipaddress
import re
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from adapters.ports import Unreachable
from gitops.problems import FieldError, InvalidInput, Refused

_PORTS: Final = {"https": 443, "http": 80, "ssh": 22}
_LOCAL_SCHEMES: Final = frozenset({"http", "file"})
_SHORT_SSH: Final = re.compile(
    r"(?P<user>[A-Za-z0-9_][A-Za-z0-9_.-]*)@(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?P<path>[^/:-][^:]*)"
)
_HOST: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")
_USER: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_LONGEST: Final = 2000
_INSIDE: Final = tuple(map(ipaddress.ip_network, ("168.63.129.16/32", "192.0.0.0/24")))
"""Public by their number, yet where clouds keep what is their own, Azure and Oracle:
https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16.
"""
_TRANSLATED: Final = ipaddress.ip_network("64:ff9b::/96")
_UNICAST: Final = ipaddress.ip_network("2000::/3")
"""All that is given to anybody of IPv6: the rest translates, is reserved, or belongs to a site."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class SourceAddress:
    """A repository's address: `url` as Git takes it; `host` is '' for a file."""

    url: str
    scheme: str
    host: str = ""
    port: int = 0

    @classmethod
    def parse(cls, url: str, *, local: bool) -> "SourceAddress":
        """`https://host/path`, `ssh://user@host/path` or `user@host:path`; with `local` also http:// and file://.
        Raises Refused(InvalidInput).
        """
        if len(url) > _LONGEST or url.startswith("-") or not url.isprintable() or " " in url or "\\" in url:
            raise refused("the address of the source repository has characters that no address has")
        short = _SHORT_SSH.fullmatch(url)
        if short is not None:
            return cls(url, "ssh", short["host"], _PORTS["ssh"])
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise refused("the address of the source repository is no URL") from None
        _judge_scheme(parts.scheme, local=local)
        if parts.scheme == "file":
            if parts.netloc or not parts.path.startswith("/") or "%" in url:
                raise refused("a file:// address has three slashes and a path, as it is")
            return cls(url, "file")
        if parts.password is not None or (parts.username is not None and parts.scheme != "ssh"):
            raise refused("an address holds no login: put it into the project's secret `clone`")
        if not _HOST.fullmatch(host) or port == 0 or not _USER.fullmatch(parts.username or "git"):
            raise refused("the address of the source repository has no proper host")
        if len(parts.path) < len("/x") or parts.query or parts.fragment or parts.path.startswith("/-"):
            raise refused("the address of the source repository has no proper path")
        return cls(url, parts.scheme, host, port or _PORTS[parts.scheme])

    def judge_file(self, ours: Path) -> None:
        """Raise Refused(InvalidInput) for a file:// address of what is Lucity's own."""
        if self.scheme == "file" and Path(urlsplit(self.url).path).resolve().is_relative_to(ours.resolve()):
            raise refused("the source repository lies in Lucity's own folder")

    def resolve(self) -> tuple[Address, ...]:
        """The addresses of the host, all of them public. Raises Refused(InvalidInput) and Unreachable."""
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Unreachable("source", f"the name {self.host} cannot be resolved") from None
        addresses = tuple(dict.fromkeys(ipaddress.ip_address(str(info[4][0]).partition("%")[0]) for info in found))
        if not all(is_public(address) for address in addresses):
            raise refused(f"{self.host} is no public address (LUCITY_ALLOW_LOCAL_SOURCES allows others)")
        return addresses


def is_public(address: Address) -> bool:
    """Whether an address is out there, and no way to what is in here: an IPv4 address inside counts as itself."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if address in _TRANSLATED:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
        if address.teredo is not None or address not in _UNICAST:
            return False
    return address.is_global and not address.is_multicast and not any(address in network for network in _INSIDE)


def refused(message: str) -> Refused:
    """Refuse an address."""
    return Refused(InvalidInput(message, (FieldError(("repositoryUrl",), message),)))


def _judge_scheme(scheme: str, *, local: bool) -> None:
    if scheme not in {"https", "ssh", *_LOCAL_SCHEMES}:
        raise refused("the address of a source repository begins with https:// or ssh://")
    if scheme in _LOCAL_SCHEMES and not local:
        raise refused(f"{scheme}:// is for development: LUCITY_ALLOW_LOCAL_SOURCES allows it")
