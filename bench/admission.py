"""Admission: a `deploy` mutation over HTTP against an empty Starlette route with one Redis round trip.

The worker stands still while single requests are measured; then it works, and the last lines show what that costs.
"""

import json
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from itertools import count
from urllib.parse import urlsplit

from bench import _reference, _support
from tests.support.product import Product
from tests.support.up import parent_of

ROUNDS = 600
QUERY = """mutation Deploy($input: DeployInput!) {
  deploy(input: $input) { __typename ... on Job { id state summary } ... on Problem { message } }
}"""


def main() -> None:
    """Print the figures."""
    with _support.lucity() as product, _reference.running(product) as address:
        product.found("shop")
        subjects = {
            "empty route, one read": post(address, "/read", dict),
            "empty route, one durable write": post(address, "/write", dict),
            "deploy mutation": deploy(product, keyed=False),
            "deploy mutation with idempotency key": deploy(product, keyed=True),
        }
        _support.title("admission, one client, the worker standing still")
        with still(product):
            samples = _support.in_turns(ROUNDS, subjects, warm=30)
        _support.show(samples, "empty route, one read")
        _support.title("admission, one client, the worker carrying out what is admitted")
        _support.show(_support.in_turns(ROUNDS // 3, subjects), "empty route, one read")


def deploy(product: Product, *, keyed: bool) -> Callable[[], None]:
    """One more deploy by every call."""
    numbers = count()

    def body() -> dict[str, object]:
        number = next(numbers)
        key = {"idempotencyKey": f"bench-{number}"} if keyed else {}
        services = [{"service": "api", "tag": f"v{number}"}]
        given = {"project": "shop", "environment": "development", "services": services, **key}
        return {"query": QUERY, "variables": {"input": given}}

    return post(product.up.url, "/graphql", body, {"Authorization": f"Bearer {product.up.token}"})


def post(url: str, path: str, body: Callable[[], object], headers: dict[str, str] | None = None) -> Callable[[], None]:
    """One request by every call, over a connection that is kept."""
    connection = HTTPConnection(urlsplit(url).netloc)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    fields = {"Content-Type": "application/json", **(headers or {})}

    def ask() -> None:
        connection.request("POST", path, json.dumps(body()), fields)
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 200, text
        assert b"Problem" not in text, text
        assert b"errors" not in text, text

    return ask


@contextmanager
def still(product: Product) -> Iterator[None]:
    """The worker and its pool, stopped while the block runs."""
    worker = product.up.child("worker")
    family = [worker, *(pid for pid in product.up.processes() if parent_of(pid) == worker)]
    for pid in family:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in family:
            os.kill(pid, signal.SIGCONT)


if __name__ == "__main__":
    main()
