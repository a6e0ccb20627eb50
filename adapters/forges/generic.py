"""Deliveries of anything that can sign a small JSON body, e.g. a hook of a Git host of one's own.

`X-Lucity-Signature-256: sha256=<HMAC-SHA256 of the body, hexadecimal>`; `X-Lucity-Delivery`: an id, the same when it is
sent again. The body is one of:

    {"event": "ping"}
    {"event": "push", "repository": "https://…", "branch": "main", "after": "<full SHA; all zeros: deleted>",
     "author": {"name": "Ann", "email": "ann@example.org"}}
    {"event": "pull_request", "repository": "https://…", "number": 142, "state": "open" or "closed",
     "updated_at": "2026-11-23T12:00:00Z", "head": {"sha": "<full SHA>", "ref": "refs/heads/feature"},
     "fork": false, "title": "…", "url": "https://…", "author": {"name": "Ann", "email": "ann@example.org"}}

Without `fork: false` the request counts as one from a fork.
"""

from adapters.forges.deliveries import Author, Delivery, Ping, PullRequest, Push
from adapters.forges.payloads import Fields, Headers, Unreadable, delivery_id, read, signed

_STATES = {"open": True, "closed": False}


def verify(headers: Headers, body: bytes, secret: bytes) -> bool:
    """Whether the body is signed with the secret."""
    return signed(body, secret, headers.get("x-lucity-signature-256", ""), "sha256=")


def parse(headers: Headers, body: bytes) -> Delivery:
    """What a delivery says. Raises Unreadable."""
    named, fields = delivery_id(headers.get("x-lucity-delivery"), body), read(headers, body)
    match fields.at("event"):
        case "push":
            return Push(
                named, fields.urls(("repository",)), fields.text("branch"), fields.sha("after"), _author(fields)
            )
        case "pull_request":
            return _request(named, fields)
        case "ping":
            return Ping(named)
    raise Unreadable("event is not push, pull_request or ping")


def _request(named: str, fields: Fields) -> PullRequest:
    return PullRequest(
        delivery_id=named,
        repository_urls=fields.urls(("repository",)),
        number=fields.number("number"),
        is_open=fields.one_of(_STATES, "state"),
        updated_at=fields.moment("updated_at"),
        head_sha=fields.commit("head", "sha"),
        head_ref=fields.text("head", "ref"),
        from_fork=fields.at("fork") is not False,
        title=fields.words("title"),
        url=fields.words("url"),
        author=_author(fields),
    )


def _author(fields: Fields) -> Author:
    return Author(fields.words("author", "name"), fields.words("author", "email"))
