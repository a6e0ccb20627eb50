"""Comparing previews with the requests that a forge says are open, for deliveries that never came.

A preview goes on evidence only: its request was read and is closed, or is not there while its repository is. A forge
that does not answer deletes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import structlog

from adapters.codec import load_change
from adapters.forges.calls import Denied, ForgeFailure, Limited
from adapters.forges.deliveries import PullRequest
from adapters.forges.places import place_of
from adapters.ports import Unreachable
from adapters.records import JobFilter
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import JobKind
from gitops.operations.builds import Build
from gitops.problems import Refused
from jobs import heads, project_secrets
from jobs.expiry import lucity
from jobs.forges import REQUESTS, Forges, is_preview
from jobs.previews import PREFIX, accept_request, close, preview_name
from jobs.pushes import Asking

MOST_DELETIONS: Final = 5
"""Previews that one round deletes of one project."""
_SECONDS: Final = 60.0
_BUILDS: Final = 1000
_log = structlog.get_logger()


def sweep(ports: Ports, project: str, known: repository.Repository) -> None:
    """One round of a project that has a token for its forge; what fails is logged. Raises Unreachable('redis')."""
    head = heads.current(ports, project).sha
    if head is None or project_secrets.updated_at(ports.secrets, project, project_secrets.FORGE) is None:
        return
    forges = Forges(ports, project, known, _SECONDS)
    sweeping = _Sweeping(forges, head, _previews(forges, head))
    if not known.settings.previews.enabled and not sweeping.previews:
        return
    try:
        with forges.asking(REQUESTS):
            sweeping.run()
    except (Denied, Limited):
        return
    except (ForgeFailure, Refused) as failure:
        _log.warning("requests not compared", project=project, message=str(failure))
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        _log.warning("requests not compared", project=project, component=outage.component, message=str(outage))


@dataclass(frozen=True)
class _Sweeping:
    forges: Forges
    head: str
    previews: Mapping[int, str]
    """Number of a request → the address of its source."""

    def run(self) -> None:
        """Ask for the open requests of each source; delete and make what that asks for."""
        found = {url: self._open(url) for url in self.forges.sources()}
        self._close([(number, url) for number, url in self.previews.items() if number not in found.get(url, ())])
        if self.forges.known.settings.previews.enabled:
            built, closed = self._built(), self.forges.ports.requests.closed(self.forges.project)
            for request in (request for requests in found.values() for request in requests.values()):
                is_built = (preview_name(request.number), request.head_sha) in built
                if not is_built or request.number in closed:
                    self._take_up(request)

    def _open(self, url: str) -> Mapping[int, PullRequest]:
        forge = self.forges.of(url)
        return {} if forge is None else {request.number: request for request in forge.open_requests()}

    def _close(self, unlisted: Sequence[tuple[int, str]]) -> None:
        gone = 0
        for number, url in unlisted:
            if gone == MOST_DELETIONS:
                _log.warning("more previews to delete in the next round", project=self.forges.project)
                return
            gone += self._close_if_closed(number, url)

    def _take_up(self, request: PullRequest) -> None:
        """As if a delivery told of it."""
        project, place = self.forges.project, place_of(request.repository_urls[0], self.forges.known.settings.forge)
        if place is None:
            return
        accepted = accept_request(self.forges.ports, project, place.kind, _as_delivered(request))
        if accepted.jobs:
            _log.info("request taken up", project=project, number=request.number, jobs=len(accepted.jobs))

    def _built(self) -> set[tuple[str, str | None]]:
        """(environment, revision) of the builds that are remembered: a request that was built and has no preview any
        more was closed, or its preview expired.
        """
        where = JobFilter(kinds=(JobKind.BUILD,), project=self.forges.project)
        changes = [load_change(job.change) for job in self.forges.ports.ledger.page(where, _BUILDS, None).jobs]
        return {(name, one.revision) for one in changes if isinstance(one, Build) for name in one.deploy_to}

    def _close_if_closed(self, number: int, url: str) -> bool:
        """Whether its preview is deleted."""
        ports, project = self.forges.ports, self.forges.project
        forge = self.forges.of(url)
        if forge is None:
            return False
        request = forge.request(number)
        if request is not None:
            moment = _as_delivered(request).updated_at
            if request.is_open or not ports.requests.hear(project, number, moment, is_open=False):
                return False
        reason = f"request {number} is {'gone' if request is None else f'closed: {request.url}'}"
        accepted = close(ports, project, self.forges.known, preview_name(number), Asking(lucity(ports), None, reason))
        _log.info("preview swept", project=project, number=number, jobs=len(accepted.jobs), ignored=accepted.ignored)
        return bool(accepted.jobs)


def _previews(forges: Forges, head: str) -> Mapping[int, str]:
    """The previews that requests made, and the source of each."""
    found = {}
    for environment in forges.known.environments:
        number = environment.name.removeprefix(PREFIX)
        if environment.name.startswith(PREFIX) and number.isdigit():
            url = forges.source_of(environment.name)
            if url is not None and is_preview(forges.ports, forges.project, head, environment):
                found[int(number)] = url
    return found


def _as_delivered(request: PullRequest) -> PullRequest:
    """With an id, and its time in whole seconds as deliveries give it."""
    moment = request.updated_at.replace(microsecond=0)
    return replace(request, delivery_id=f"sweep-{request.number}-{moment.timestamp():.0f}", updated_at=moment)
