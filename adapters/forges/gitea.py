"""Gitea's and Forgejo's deliveries, in JSON; https://docs.gitea.com/usage/webhooks. They look like GitHub's."""

from adapters.forges import github
from adapters.forges.deliveries import Delivery
from adapters.forges.payloads import Headers, delivery_id, read, signed


def verify(headers: Headers, body: bytes, secret: bytes) -> bool:
    """Whether the body is signed with the secret."""
    return signed(body, secret, headers.get("x-gitea-signature", ""))


def parse(headers: Headers, body: bytes) -> Delivery | None:
    """What a delivery says; None for what is neither push nor request. Raises Unreadable."""
    named, fields = delivery_id(headers.get("x-gitea-delivery"), body), read(headers, body)
    match headers.get("x-gitea-event"):
        case "push":
            return github.push(named, fields)
        case "pull_request" | "pull_request_sync":
            return github.request(named, fields)
    return None
