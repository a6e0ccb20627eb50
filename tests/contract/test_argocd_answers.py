"""What answers in place of Argo CD: pages of proxies are no news of Applications."""

from collections.abc import Callable
from contextlib import closing

import pytest
from pydantic import SecretStr

from adapters.argocd import ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, FixedToken, login_of
from adapters.argocd_objects import Place
from adapters.ports import Unreachable
from adapters.records import Application
from adapters.settings import Settings
from tests.support.serving import always

SHOP = Application("shop", "development", "shop-development", "a" * 40, ephemeral=False)
USES: list[Callable[[ArgoCdDelivery], object]] = [
    lambda delivery: delivery.applications("shop"),
    lambda delivery: delivery.statuses(),
    lambda delivery: delivery.apply(SHOP),
    lambda delivery: delivery.delete(SHOP),
    lambda delivery: delivery.end("shop"),
]
PAGES = [
    *(b"<html>welcome</html>", b"", b"[]", b"5", b"[" * 100_000),
    *(b"{}", b'{"message": "hello"}', b'{"items": 5}', b'{"metadata": []}'),
    b'{"metadata": {"name": "shop-development"}}',
]


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("status", [200, 404, 503])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_a_proxy_is_an_outage(use: Callable[[ArgoCdDelivery], object], status: int, page: bytes) -> None:
    with always(status, page) as url:
        api = ArgoCdApi(url, FixedToken("token"))
        delivery = ArgoCdDelivery(api, lambda project: (f"http://git/{project}", "me", "password"), Place())
        with closing(delivery), pytest.raises(Unreachable) as outage:
            use(delivery)
    assert outage.value.component == "delivery"


@pytest.mark.parametrize("token", ["made up\ntoken", "made up t\u00f6ken", "made up\x00token"])
def test_a_token_that_fits_no_header_is_told_without_being_shown(token: str) -> None:
    api = ArgoCdApi("http://127.0.0.1:1", FixedToken(token))
    for ask in (lambda: api.get("/x"), lambda: api.send("POST", "/x"), lambda: api.opening("/x")):
        with pytest.raises(Unreachable, match="the token for Argo CD") as outage:
            ask()
        assert "made up" not in str(outage.value)
    api.close()


def test_a_line_break_behind_a_token_is_none_of_it() -> None:
    settings = Settings(delivery="argocd", argocd_url="https://argocd.example.org", argocd_token=SecretStr("made-up\n"))
    api = ArgoCdApi("http://127.0.0.1:1", login_of(settings))
    assert api.opening("/x")[1]["Authorization"] == "Bearer made-up"
    api.close()
