"""GitHub's deliveries; https://docs.github.com/en/webhooks/webhook-events-and-payloads."""

from adapters.forges.deliveries import Author, Delivery, Ping, PullRequest, Push
from adapters.forges.payloads import Fields, Headers, delivery_id, read, signed

_URLS = ("clone_url", "ssh_url", "html_url", "git_url")
_STATES = {"open": True, "closed": False}


def verify(headers: Headers, body: bytes, secret: bytes) -> bool:
    """Whether the body is signed with the secret."""
    return signed(body, secret, headers.get("x-hub-signature-256", ""), "sha256=")


def parse(headers: Headers, body: bytes) -> Delivery | None:
    """What a delivery says; None for what is neither push, request nor ping. Raises Unreadable."""
    named, fields = delivery_id(headers.get("x-github-delivery"), body), read(headers, body)
    match headers.get("x-github-event"):
        case "push":
            return push(named, fields)
        case "pull_request":
            return request(named, fields)
        case "ping":
            return Ping(named)
    return None


def push(named: str, fields: Fields) -> Push | None:
    """A push as GitHub and Gitea tell it; None for one of a tag."""
    branch = fields.branch("ref")
    if branch is None:
        return None
    name = fields.first(("pusher", "full_name"), ("pusher", "name"), ("pusher", "login"), ("sender", "login"))
    author = Author(name, fields.words("pusher", "email"))
    return Push(named, urls(fields), branch, fields.sha("after"), author)


def request(named: str, fields: Fields) -> PullRequest:
    """A request as GitHub and Gitea tell it. A head whose repository is gone came from a fork."""
    about, number = "pull_request", fields.number("number")
    head, base = (fields.at(about, side, "repo", "id") for side in ("head", "base"))
    return PullRequest(
        delivery_id=named,
        repository_urls=urls(fields),
        number=number,
        is_open=fields.one_of(_STATES, about, "state"),
        updated_at=fields.moment(about, "updated_at"),
        head_sha=fields.commit(about, "head", "sha"),
        head_ref=f"refs/pull/{number}/head",
        from_fork=head is None or head != base,
        title=fields.words(about, "title"),
        url=fields.words(about, "html_url"),
        author=Author(
            fields.first((about, "user", "full_name"), (about, "user", "login")),
            fields.words(about, "user", "email"),
        ),
    )


def urls(fields: Fields) -> tuple[str, ...]:
    """Every address of the repository that a delivery is about. Raises Unreadable when there is none."""
    return fields.urls(*(("repository", name) for name in _URLS))
