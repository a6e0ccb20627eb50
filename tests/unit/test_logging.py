"""Logs never hold what must not leave this process."""

import pytest

from adapters.logging import HIDDEN, hide_secrets

TOKEN = "lct_eyJpZCI6MX0.c2lnbmF0dXJl"


@pytest.mark.parametrize("name", ["authorization", "Cookie", "admin_token", "client_secret", "password"])
def test_a_secret_name_hides_its_value(name: str) -> None:
    assert hide_secrets(None, "info", {name: "x"})[name] == HIDDEN


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"got {TOKEN} from ci", f"got {HIDDEN} from ci"),
        ("redis://:hunter2@127.0.0.1:6379/0", f"redis://{HIDDEN}@127.0.0.1:6379/0"),
        ("GET /login?token=abc-DEF_1 HTTP/1.1", f"GET /login?token={HIDDEN} HTTP/1.1"),
        ("deploy(development): api a1b2c3d", "deploy(development): api a1b2c3d"),
    ],
)
def test_what_looks_like_a_secret_is_hidden_wherever_it_stands(text: str, shown: str) -> None:
    event = {"event": text, "deep": {"list": [text]}, "error": ValueError(text), "raw": text.encode()}
    assert hide_secrets(None, "info", event) == {
        "event": shown,
        "deep": {"list": [shown]},
        "error": shown,
        "raw": shown,
    }


def test_a_tokens_id_is_no_secret() -> None:
    assert hide_secrets(None, "info", {"token_id": "tok_1", "count": 3}) == {"token_id": "tok_1", "count": 3}
