"""GitLab's API; https://docs.gitlab.com/api/rest/. Its requests are merge requests, their comments notes."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from adapters.forges import gitlab
from adapters.forges.calls import PAGE, Call, Status, StatusState
from adapters.forges.deliveries import PullRequest
from adapters.forges.payloads import Fields

_STATES: Final = {
    StatusState.PENDING: "pending",
    StatusState.SUCCESS: "success",
    StatusState.FAILURE: "failed",
    StatusState.ERROR: "canceled",
}
_BAD_REQUEST: Final = 400


def headers(token: str) -> Mapping[str, str]:
    """Who asks."""
    return {"private-token": token, "accept": "application/json"}


def repository(path: str) -> Call:
    """Whether the repository can be read."""
    return Call("GET", _project(path))


def set_status(path: str, sha: str, status: Status) -> Call:
    """Say something about a commit."""
    body = {
        "state": _STATES[status.state],
        "name": status.context,
        "description": status.description,
        "target_url": status.url,
    }
    return Call("POST", f"{_project(path)}/statuses/{sha}", body)


def says_already(status: int, content: object) -> bool:
    """Whether an answer that is no success means that the status says this already: pending twice is an error."""
    return status == _BAD_REQUEST and "Cannot transition status" in str(content)


def comments(path: str, number: int, page: int) -> Call:
    """The notes of a merge request, oldest first."""
    query = f"sort=asc&order_by=created_at&per_page={PAGE}&page={page}"
    return Call("GET", f"{_project(path)}/merge_requests/{number}/notes?{query}")


def add_comment(path: str, number: int, text: str) -> Call:
    """A new note on a merge request."""
    return Call("POST", f"{_project(path)}/merge_requests/{number}/notes", {"body": text})


def edit_comment(path: str, number: int, comment_id: int, text: str) -> Call:
    """Another text of a note."""
    return Call("PUT", f"{_project(path)}/merge_requests/{number}/notes/{comment_id}", {"body": text})


def open_requests(path: str, page: int) -> Call:
    """The open merge requests, newest first."""
    return Call("GET", f"{_project(path)}/merge_requests?state=opened&per_page={PAGE}&page={page}")


def request(path: str, number: int) -> Call:
    """One merge request."""
    return Call("GET", f"{_project(path)}/merge_requests/{number}")


def read_request(item: Mapping[str, object], url: str) -> PullRequest:
    """A merge request as a delivery would tell it. Raises Unreadable."""
    about = {**item, "last_commit": {"id": item.get("sha")}, "url": item.get("web_url")}
    told = {"object_attributes": about, "user": item.get("author"), "project": {"git_http_url": url}}
    return gitlab.request("", Fields(told))


def _project(path: str) -> str:
    return f"/projects/{quote(path, safe='')}"
