"""What a forge's delivery comes to, whichever forge sent it. Plain data; nothing here knows a forge."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Author:
    """Who pushed or asked, as the forge names them; may be empty where it does not say."""

    name: str
    email: str


@dataclass(frozen=True)
class Push:
    """A branch moved."""

    delivery_id: str
    """The same for a delivery that is sent again."""
    repository_urls: tuple[str, ...]
    """Every address that the payload gives the repository."""
    branch: str
    after: str | None
    """Full SHA of its head now; None: the branch was deleted."""
    author: Author


@dataclass(frozen=True)
class PullRequest:
    """A request to merge one branch into another was opened, changed, closed or merged."""

    delivery_id: str
    repository_urls: tuple[str, ...]
    """Of the repository that it is to be merged into."""
    number: int
    is_open: bool
    updated_at: datetime
    """By the forge's clock: of two deliveries about one request, the later is the one to believe."""
    head_sha: str
    head_ref: str
    """Full name of a ref of that repository which is the request's head: `refs/heads/…`, `refs/pull/142/head` …"""
    from_fork: bool
    title: str
    url: str
    author: Author


@dataclass(frozen=True)
class Ping:
    """The forge tries whether anybody is there."""

    delivery_id: str


Delivery = Push | PullRequest | Ping
