"""Looking at followed branches and requests now and then, so that a webhook that was lost costs a minute."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import structlog

from adapters.ports import Unreachable
from adapters.wiring import Ports
from gitops import repository
from gitops.operations.builds import Build
from gitops.problems import Refused
from jobs import project_secrets, request_sweeps
from jobs.expiry import lucity
from jobs.guarding import guarded
from jobs.pushes import Asking, admit_all, following, read

_LEASE: Final = "source-polls"
_PROJECTS: Final = 8
"""Whose sources and forges are asked at once: some of them may take long to answer."""
_log = structlog.get_logger()


@dataclass(frozen=True)
class _Followed:
    """A branch of a service's source, and where its pushes go."""

    project: str
    service: str
    url: str
    branch: str
    environments: tuple[str, ...]


def poll(ports: Ports) -> None:
    """One round over every project, by one process at a time and not more often than settings say."""
    if not ports.leases.acquire(_LEASE, uuid.uuid4().hex, ports.settings.source_poll_seconds):
        return
    with ThreadPoolExecutor(_PROJECTS, thread_name_prefix="poll") as polls:
        list(polls.map(partial(guarded, "poll", work=partial(_poll, ports)), ports.githost.projects()))


def _poll(ports: Ports, project: str) -> None:
    known = read(ports, project)
    if known is not None and not known.settings.deleting:
        for followed in _followed(project, known):
            _look(ports, followed)
        request_sweeps.sweep(ports, project, known)


def _followed(project: str, known: repository.Repository) -> Iterator[_Followed]:
    for branch in known.settings.branches:
        environments = following(known, branch)
        for service in known.services or () if environments else ():
            if service.source is not None:
                yield _Followed(project, service.name, service.source.repository_url, branch, environments)


def _look(ports: Ports, followed: _Followed) -> None:
    """Build the branch when it moved since somebody took it up."""
    try:
        credentials = project_secrets.read(ports.secrets, followed.project, project_secrets.CLONE)
        head = ports.sources.head(followed.url, followed.branch, credentials)
        known = ports.followed.heads(followed.project).get((followed.service, followed.branch))
        if head is None or head == known:
            return
        change = Build(followed.project, followed.service, head, followed.environments, branch=followed.branch)
        accepted = admit_all(ports, Asking(lucity(ports), None, f"push to {followed.branch}"), [change])
        if accepted.jobs:
            ports.followed.note(followed.project, followed.service, followed.branch, head)
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        _log.warning("source not looked at", url=followed.url, message=str(outage))
    except Refused as refusal:
        _log.warning("source not taken up", url=followed.url, message=refusal.problem.message)
