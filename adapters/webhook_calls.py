"""One webhook call in the Standard Webhooks form (https://www.standardwebhooks.com): signed, bounded, no redirects."""

import base64
import hashlib
import hmac
import ipaddress
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

import httpx

from adapters.source_addresses import is_public
from gitops.problems import Refused, invalid

TIMEOUT_SECONDS: Final = 10.0
_LONGEST_URL: Final = 2000
_PREFIX: Final = "whsec_"


@dataclass(frozen=True)
class Answer:
    """What came of a call: the HTTP status, or why there is none."""

    status: int | None
    error: str | None

    @property
    def is_success(self) -> bool:
        """Whether the endpoint took it."""
        return self.status is not None and 200 <= self.status < 300  # noqa: PLR2004 - HTTP's successes


def signature(message_id: str, timestamp: int, body: bytes, secrets: Sequence[str]) -> str:
    """The header `webhook-signature`: one `v1,…` for each secret, so that one may be replaced by the next."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    keys = (base64.b64decode(secret.removeprefix(_PREFIX)) for secret in secrets)
    return " ".join("v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode() for key in keys)


def judge_url(url: str, *, local: bool) -> None:
    """Raise Refused(InvalidInput) for what no call may go to: `local` allows http and addresses that are not public."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise invalid("url", "This is no URL.") from None
    schemes = {"https", "http"} if local else {"https"}
    if parts.scheme not in schemes or not parts.hostname or port == 0:
        raise invalid("url", "An endpoint's address begins with https:// and names a host.")
    if parts.username or parts.password or len(url) > _LONGEST_URL or not url.isprintable() or " " in url:
        raise invalid("url", "An endpoint's address holds no login, no spaces and at most 2000 characters.")
    try:
        literal = ipaddress.ip_address(parts.hostname)
    except ValueError:
        return
    if not local and not is_public(literal):
        raise invalid("url", _not_public(parts.hostname))


def call(url: str, headers: Mapping[str, str], body: bytes, *, local: bool) -> Answer:
    """POST once, to the address that was judged: a name that stands for another one a moment later gains nothing."""
    try:
        judge_url(url, local=local)
        address = resolve(url, local=local)
        return _post(url, address, headers, body)
    except Refused as refusal:
        return Answer(None, refusal.problem.message)
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        return Answer(None, f"{type(error).__name__}: {error}"[:500])


def resolve(url: str, *, local: bool) -> str:
    """The address to call, so that none but the one that was judged is. Raises Refused(InvalidInput) and OSError."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(info[4][0]).partition("%")[0] for info in found]
    if not local and not all(is_public(ipaddress.ip_address(address)) for address in addresses):
        raise invalid("url", _not_public(host))
    return addresses[0]


def _post(url: str, address: str, headers: Mapping[str, str], body: bytes) -> Answer:
    parts = urlsplit(url)
    target = httpx.URL(url).copy_with(host=address)
    host = parts.netloc.rpartition("@")[2]
    given = {**headers, "host": host, "content-type": "application/json"}
    with httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False) as client:
        request = client.build_request(
            "POST", target, headers=given, content=body, extensions={"sni_hostname": parts.hostname}
        )
        answer = client.send(request, stream=True)
        answer.close()
    if answer.is_success:
        return Answer(answer.status_code, None)
    return Answer(answer.status_code, f"answered {answer.status_code}" + (", a redirect" if answer.is_redirect else ""))


def _not_public(host: str) -> str:
    return f"{host} is no public address (LUCITY_ALLOW_LOCAL_SOURCES allows others)"
