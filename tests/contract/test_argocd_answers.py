"""What answers in place of Argo CD: pages of proxies are no news of Applications."""

from collections.abc import Callable
from contextlib import closing

import pytest

from adapters.argocd import ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, FixedToken
from adapters.argocd_objects import Place
from adapters.ports import Unreachable
from adapters.records import Application
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
