"""The API of Gitea and Forgejo; https://docs.gitea.com/api. It looks like GitHub's, but for pages and logins."""

from collections.abc import Mapping

from adapters.forges.calls import PAGE, Call, quoted
from adapters.forges.github_api import (
    add_comment,
    edit_comment,
    read_request,
    repository,
    request,
    says_already,
    set_status,
)

__all__ = [
    "add_comment",
    "comments",
    "edit_comment",
    "headers",
    "open_requests",
    "read_request",
    "repository",
    "request",
    "says_already",
    "set_status",
]


def headers(token: str) -> Mapping[str, str]:
    """Who asks."""
    return {"authorization": f"token {token}", "accept": "application/json"}


def comments(path: str, number: int, page: int) -> Call:
    """The comments of a request, oldest first; Gitea gives all of them as one page."""
    return Call("GET", f"/repos/{quoted(path)}/issues/{number}/comments?limit={PAGE}&page={page}")


def open_requests(path: str, page: int) -> Call:
    """The open requests."""
    return Call("GET", f"/repos/{quoted(path)}/pulls?state=open&limit={PAGE}&page={page}")
