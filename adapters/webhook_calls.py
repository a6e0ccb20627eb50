"""One webhook call in the Standard Webhooks form (https://www.standardwebhooks.com): signed, bounded, no redirects."""

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx

from adapters.judged_calls import TIMEOUT_SECONDS, Request, exchange
from adapters.trust import SYSTEM, Trust
from gitops.problems import Refused

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


def call(
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    local: bool,
    trust: Trust = SYSTEM,
    seconds: float = TIMEOUT_SECONDS,
) -> Answer:
    """POST once; what comes of it in so many seconds."""
    request = Request("POST", url, {**headers, "content-type": "application/json"}, body)
    try:
        answer = exchange(request, local=local, context=trust.context, seconds=seconds, most_bytes=0)
    except Refused as refusal:
        return Answer(None, refusal.problem.message)
    except TimeoutError:
        return Answer(None, f"no answer within {seconds:g} s")
    except (httpx.HTTPError, OSError, UnicodeError) as error:
        return Answer(None, f"{type(error).__name__}: {error}"[:500])
    if answer.is_success:
        return Answer(answer.status_code, None)
    return Answer(answer.status_code, f"answered {answer.status_code}" + (", a redirect" if answer.is_redirect else ""))
