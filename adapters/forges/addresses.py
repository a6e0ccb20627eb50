"""Addresses of repositories as people and forges write them: https, ssh, scp's short form, with .git and without."""

import re
from typing import Final
from urllib.parse import urlsplit

_SCP: Final = re.compile(r"(?:[^/@:]+@)?([^/@:]+):(?!//)(.+)")
_PORTS: Final = {"http": 80, "https": 443, "ssh": 22, "git": 9418}


def same_repository(one: str, other: str) -> bool:
    """Whether both lead to the same repository, whatever the protocol and the user; never raises."""
    place = _place(one)
    return place is not None and place == _place(other)


def _place(url: str) -> tuple[str, str] | None:
    """Host and path in one form; None when it is no address."""
    scp = _SCP.fullmatch(url.strip()) if "://" not in url else None
    if scp is not None:
        return scp[1].lower(), _path(scp[2])
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme == "file" or (not parts.scheme and parts.path.startswith("/")):
        return "", _path(parts.path)
    if not parts.scheme or not parts.hostname:
        return None
    default = port is None or port == _PORTS.get(parts.scheme)
    return parts.hostname.lower() if default else f"{parts.hostname.lower()}:{port}", _path(parts.path)


def _path(path: str) -> str:
    return path.strip("/").removesuffix(".git").strip("/").lower()
