"""Calls to the outside: which addresses are refused, and how a call is signed."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.judged_calls import judge_url
from adapters.webhook_calls import Answer, call, signature
from gitops.problems import Refused
from tests.support.webhook_receiver import Call, Receiver, is_signed_by


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://169.254.169.254/latest",
        "https://[::ffff:10.0.0.1]/",
        "https://user:secret@example.org/",
        "ftp://example.org",
        "https://",
        "https://example.org:0/",
        "https://exa mple.org/",
        "https://8.8.8.010/octal",
        "https://☃.example.org/",
    ],
)
def test_addresses_inside_are_refused(url: str) -> None:
    with pytest.raises(Refused):
        judge_url(url, local=False)


def test_a_name_that_stands_for_an_address_inside_is_not_called(taker: Receiver) -> None:
    answer = call(f"https://localhost:{taker.port}/hook", {}, b"{}", local=False)
    assert (answer.status, taker.calls) == (None, [])
    assert "no public address" in (answer.error or "")


def test_an_answer_that_never_comes_to_an_end_is_not_waited_for(taker: Receiver) -> None:
    taker.lingers = True
    answer = call(taker.url(), {}, b"{}", local=True, seconds=0.5)
    assert answer == Answer(None, "no answer within 0.5 s")
    assert [each.body for each in taker.calls] == [b"{}"]


def test_an_address_that_is_none_is_an_answer_too() -> None:
    assert call("http://127.0.0.01/", {}, b"{}", local=True) == Answer(None, "This is no URL.")


@given(body=st.binary(max_size=200), at=st.integers(0, 2**33), key=st.binary(min_size=24, max_size=64))
def test_signatures_are_those_of_the_specification(body: bytes, at: int, key: bytes) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(at),
        "webhook-signature": signature("msg_1", at, body, [secret]),
    }
    assert is_signed_by(secret, Call(headers, body))
    assert not is_signed_by(secret, Call({**headers, "webhook-timestamp": str(at + 1)}, body))
