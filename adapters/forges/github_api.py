"""GitHub's API; https://docs.github.com/en/rest. Gitea's is modelled after it."""

from collections.abc import Mapping

from adapters.forges import github
from adapters.forges.calls import PAGE, Call, Status, quoted
from adapters.forges.deliveries import PullRequest
from adapters.forges.payloads import Fields


def headers(token: str) -> Mapping[str, str]:
    """Who asks, and for which version of the API."""
    return {
        "authorization": f"Bearer {token}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }


def repository(path: str) -> Call:
    """Whether the repository can be read."""
    return Call("GET", f"/repos/{quoted(path)}")


def set_status(path: str, sha: str, status: Status) -> Call:
    """Say something about a commit."""
    body = {
        "state": status.state.value,
        "context": status.context,
        "description": status.description,
        "target_url": status.url,
    }
    return Call("POST", f"/repos/{quoted(path)}/statuses/{sha}", body)


def says_already(status: int, content: object) -> bool:  # noqa: ARG001 - the same for every forge
    """Whether an answer that is no success means that the status says this already."""
    return False


def comments(path: str, number: int, page: int) -> Call:
    """The comments of a request, oldest first."""
    return Call("GET", f"/repos/{quoted(path)}/issues/{number}/comments?per_page={PAGE}&page={page}")


def add_comment(path: str, number: int, text: str) -> Call:
    """A new comment on a request."""
    return Call("POST", f"/repos/{quoted(path)}/issues/{number}/comments", {"body": text})


def edit_comment(path: str, number: int, comment_id: int, text: str) -> Call:  # noqa: ARG001 - the same for every forge
    """Another text of a comment."""
    return Call("PATCH", f"/repos/{quoted(path)}/issues/comments/{comment_id}", {"body": text})


def open_requests(path: str, page: int) -> Call:
    """The open requests, newest first."""
    return Call("GET", f"/repos/{quoted(path)}/pulls?state=open&per_page={PAGE}&page={page}")


def request(path: str, number: int) -> Call:
    """One request."""
    return Call("GET", f"/repos/{quoted(path)}/pulls/{number}")


def read_request(item: Mapping[str, object], url: str) -> PullRequest:
    """A request as a delivery would tell it. Raises Unreadable."""
    told = {"number": item.get("number"), "pull_request": item, "repository": {"clone_url": url}}
    return github.request("", Fields(told))
