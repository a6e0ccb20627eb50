"""GitLab's deliveries; https://docs.gitlab.com/user/project/integrations/webhook_events/.

GitLab signs nothing: each delivery carries the secret itself, so the address that it is sent to must be https.
"""

from adapters.forges.deliveries import Author, Delivery, PullRequest, Push
from adapters.forges.payloads import Fields, Headers, delivery_id, read, same_text

_URLS = ("git_http_url", "git_ssh_url", "web_url", "http_url", "ssh_url")
_STATES = {"opened": True, "locked": True, "closed": False, "merged": False}
"""`locked`: it is being merged just now."""


def verify(headers: Headers, body: bytes, secret: bytes) -> bool:  # noqa: ARG001 - the same for every forge
    """Whether the delivery carries the secret."""
    return same_text(secret, headers.get("x-gitlab-token", ""))


def parse(headers: Headers, body: bytes) -> Delivery | None:
    """What a delivery says; None for what is neither push nor merge request. Raises Unreadable."""
    given = headers.get("idempotency-key") or headers.get("x-gitlab-event-uuid")
    named, fields = delivery_id(given, body), read(headers, body)
    match headers.get("x-gitlab-event"):
        case "Push Hook":
            return _push(named, fields)
        case "Merge Request Hook":
            return request(named, fields)
    return None


def _push(named: str, fields: Fields) -> Push | None:
    branch = fields.branch("ref")
    if branch is None:
        return None
    author = Author(fields.first(("user_name",), ("user_username",)), fields.words("user_email"))
    return Push(named, _urls(fields), branch, fields.sha("after"), author)


def request(named: str, fields: Fields) -> PullRequest:
    """A merge request as a delivery tells it. Raises Unreadable."""
    about = "object_attributes"
    number = fields.number(about, "iid")
    source, target = fields.at(about, "source_project_id"), fields.at(about, "target_project_id")
    return PullRequest(
        delivery_id=named,
        repository_urls=_urls(fields),
        number=number,
        is_open=fields.one_of(_STATES, about, "state"),
        updated_at=fields.moment(about, "updated_at"),
        head_sha=fields.commit(about, "last_commit", "id"),
        head_ref=f"refs/merge-requests/{number}/head",
        from_fork=source is None or source != target,
        title=fields.words(about, "title"),
        url=fields.words(about, "url"),
        author=Author(fields.first(("user", "name"), ("user", "username")), fields.words("user", "email")),
    )


def _urls(fields: Fields) -> tuple[str, ...]:
    return fields.urls(*(("project", name) for name in _URLS))
