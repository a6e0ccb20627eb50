"""HTTP calls to addresses that users chose: to public ones unless others are allowed, without redirects, and bounded in
time and size whatever the other side does.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from adapters.source_addresses import is_public
from gitops.problems import Refused, invalid

TIMEOUT_SECONDS: Final = 10.0
"""How long the other side may be silent."""
_LONGEST_URL: Final = 2000


class TooLarge(Exception):  # noqa: N818 - reads as a state, like Unreachable
    """An answer was larger than its bound."""


@dataclass(frozen=True)
class Request:
    """What is sent."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes | None = None


def judge_url(url: str, *, local: bool) -> None:
    """Raise Refused(InvalidInput) for what no call may go to: `local` allows http and addresses that are not public."""
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        raise invalid("url", "This is no URL.") from None
    schemes = {"https", "http"} if local else {"https"}
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise invalid("url", "An endpoint's address begins with https:// and names a host.")
    if parts.username or parts.password or len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise invalid("url", "An endpoint's address holds no login, no spaces and at most 2000 characters.")
    if not local and _is_inside(parts.hostname):
        raise _not_public(parts.hostname)


def _is_inside(host: str) -> bool:
    """Whether it is an address that is not public, in any form that resolvers take: names are judged when called."""
    with suppress(ValueError):
        return not is_public(ipaddress.ip_address(host))
    with suppress(OSError):
        return not is_public(ipaddress.IPv4Address(socket.inet_aton(host)))
    return False


def exchange(
    request: Request, *, local: bool, context: ssl.SSLContext, seconds: float, most_bytes: int
) -> httpx.Response:
    """One call to the address that was judged: a name that stands for another one a moment later gains nothing. It ends
    after so many seconds, however slowly an answer comes; of none more than `most_bytes` are read, and nothing when
    that is 0. Raises Refused(InvalidInput), TooLarge, httpx.HTTPError, OSError (TimeoutError) and UnicodeError.
    """
    judge_url(request.url, local=local)
    address = _resolve(request.url, local=local)
    return asyncio.run(_exchange(request, address, context, seconds, most_bytes))


async def _exchange(
    request: Request, address: str, context: ssl.SSLContext, seconds: float, most_bytes: int
) -> httpx.Response:
    parts = urlsplit(request.url)
    async with (
        asyncio.timeout(seconds),
        httpx.AsyncClient(verify=context, timeout=min(TIMEOUT_SECONDS, seconds), trust_env=False) as client,
        client.stream(
            request.method,
            httpx.URL(request.url).copy_with(host=address),
            headers={"accept-encoding": "identity", **request.headers, "host": parts.netloc.rpartition("@")[2]},
            content=request.content,
            extensions={"sni_hostname": parts.hostname},
        ) as answer,
    ):
        body = await _body(answer, most_bytes) if most_bytes else b""
        return httpx.Response(answer.status_code, headers=_headers(answer), content=body)


async def _body(answer: httpx.Response, most_bytes: int) -> bytes:
    body = bytearray()
    async for chunk in answer.aiter_raw():
        body += chunk
        if len(body) > most_bytes:
            raise TooLarge(f"an answer of more than {most_bytes} bytes")
    return bytes(body)


def _headers(answer: httpx.Response) -> list[tuple[str, str]]:
    """Those about the answer, not about how it was sent."""
    framing = {"content-encoding", "content-length", "transfer-encoding"}
    return [(name, value) for name, value in answer.headers.multi_items() if name not in framing]


def _resolve(url: str, *, local: bool) -> str:
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    if not local and not all(is_public(ipaddress.ip_address(address)) for address in addresses):
        raise _not_public(host)
    return addresses[0]


def _not_public(host: str) -> Refused:
    return invalid("url", f"{host} is no public address (LUCITY_ALLOW_LOCAL_SOURCES allows others)")
