"""The lines of docs/operations.md that verify a webhook do so."""

import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from adapters.webhook_calls import signature
from jobs.outbound import SCHEDULE

DOCUMENT = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
SECRET, FORMER, STRANGE = "whsec_" + "a" * 32, "whsec_" + "b" * 32, "whsec_" + "c" * 32
BODY = b'{"type":"job.queued"}'


@pytest.fixture
def verified() -> Callable[[Mapping[str, str], bytes, str], bool]:
    """The function of the document."""
    found = re.search(r"<!-- verify: .*? -->\n\n```python\n(.*?)```", DOCUMENT, re.DOTALL)
    assert found is not None
    names: dict[str, Callable[[Mapping[str, str], bytes, str], bool]] = {}
    exec(found[1], names)  # noqa: S102 - what is documented is what is tried
    return names["verified"]


def headers(at: float, *secrets: str) -> dict[str, str]:
    moment = int(at)
    signed = signature("msg_1", moment, BODY, secrets)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(moment), "webhook-signature": signed}


def test_what_lucity_signed_is_verified_and_nothing_else(
    verified: Callable[[Mapping[str, str], bytes, str], bool],
) -> None:
    now = time.time()
    assert verified(headers(now, SECRET), BODY, SECRET)
    assert verified(headers(now, SECRET, FORMER), BODY, FORMER)
    assert not verified(headers(now, SECRET), BODY, STRANGE)
    assert not verified(headers(now, SECRET), BODY + b" ", SECRET)
    assert not verified({**headers(now, SECRET), "webhook-id": "msg_2"}, BODY, SECRET)
    assert not verified(headers(now - 3600, SECRET), BODY, SECRET)


def test_the_documented_waits_are_those_between_attempts() -> None:
    minute, hour = 60, 3600
    told = "5 s, 30 s, 2, 10 and 30 minutes, 1, 2 and 4 hours, and twice 8 hours"
    assert told in " ".join(DOCUMENT.split())
    waits = (5, 30, 2 * minute, 10 * minute, 30 * minute, 1 * hour, 2 * hour, 4 * hour, 8 * hour, 8 * hour)
    assert waits == SCHEDULE
