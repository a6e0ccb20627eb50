"""Where a source repository stands: on which forge, at which API, under which name. Pure; nothing is asked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from adapters.source_addresses import SourceAddress
from gitops.problems import Refused
from gitops.projectsettings import ForgeSettings

_HOSTS: Final[Mapping[str, str]] = {"github.com": "github", "gitlab.com": "gitlab", "codeberg.org": "gitea"}
_VERSIONS: Final[Mapping[str, str]] = {"github": "v3", "gitlab": "v4", "gitea": "v1"}
_GITHUB: Final = "https://api.github.com"
_PUBLIC: Final = frozenset({_GITHUB, "https://gitlab.com", "https://codeberg.org"})
"""Origins that a token which names none is for."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}


@dataclass(frozen=True)
class ForgePlace:
    """A repository on a forge: `path` is owner/name, on GitLab with its groups."""

    kind: str
    api_url: str
    path: str


def place_of(url: str, settings: ForgeSettings) -> ForgePlace | None:
    """Where a source is, by its host's name or, for other hosts, by what the project says; None: on no known forge."""
    try:
        address = SourceAddress.parse(url, local=True)
    except Refused:
        return None
    host, path = address.host.lower(), _path(url, address)
    named = _HOSTS.get(host)
    kind = named or settings.kind
    if not host or kind is None or not _is_repository(kind, path):
        return None
    told = None if named else settings.api_url
    return ForgePlace(kind, told.rstrip("/") if told else _api_url(kind, address), path)


def token_for(place: ForgePlace, secret: bytes) -> str | None:
    """The token to show there; None when it is for elsewhere.

    The secret is `<token>`, for the public forges alone, or `<origin of the API> <token>`: whoever may change a
    project's sources and settings must not be able to have the token sent to a host of theirs.
    """
    origin, separator, token = secret.decode(errors="replace").rpartition(" ")
    there = _origin(place.api_url)
    if not separator:
        return token if there in _PUBLIC else None
    return token if _origin(origin.strip()) == there else None


def is_secret(text: str) -> bool:
    """Whether a project's secret `forge` can be this."""
    parts = text.split(" ")
    named = len(parts) == 2 and (_origin(parts[0]) or "").startswith(("https://", "http://"))  # noqa: PLR2004 - see token_for
    return all(parts) and (len(parts) == 1 or named)


def _path(url: str, address: SourceAddress) -> str:
    path = urlsplit(url).path if "://" in url else url.partition(":")[2]
    return path.strip("/").removesuffix(".git").strip("/") if address.scheme != "file" else ""


def _is_repository(kind: str, path: str) -> bool:
    parts = path.split("/")
    right = len(parts) >= 2 if kind == "gitlab" else len(parts) == 2  # noqa: PLR2004 - owner and name
    return right and not any(part in {"", ".", ".."} for part in parts)


def _api_url(kind: str, address: SourceAddress) -> str:
    if address.host.lower() == "github.com":
        return _GITHUB
    scheme = "http" if address.scheme == "http" else "https"
    web = address.scheme in _DEFAULT_PORTS and address.port != _DEFAULT_PORTS[address.scheme]
    return f"{scheme}://{address.host.lower()}{f':{address.port}' if web else ''}/api/{_VERSIONS[kind]}"


def _origin(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if not parts.hostname:
        return None
    default = port is None or port == _DEFAULT_PORTS.get(parts.scheme)
    return f"{parts.scheme}://{parts.hostname}" + ("" if default else f":{port}")
