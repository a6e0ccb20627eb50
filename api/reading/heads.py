"""Which commit each project is read at: the head that Redis records if our mirror holds it, else what a fetch says."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotInTime

from adapters.ports import Unreachable
from adapters.wiring import Ports
from gitops.names import ProjectName
from jobs.heads import Head, fetched, holds

WAIT_SECONDS = 5.0
_ASK_AGAIN_SECONDS = 1.0


class Flights:
    """Fetches, at most one per project at a time: whoever comes meanwhile shares its answer."""

    def __init__(self, ports: Ports, wait_seconds: float = WAIT_SECONDS) -> None:
        self._ports = ports
        self._wait_seconds = wait_seconds
        self._lock = threading.Lock()
        self._running: dict[str, Future[Head]] = {}
        self._asked_at, self._away = -_ASK_AGAIN_SECONDS, False

    def fetch(self, project: str) -> Head:
        """The head after a fetch; the mirror's last knowledge, stale, when the host does not answer in time."""
        with self._lock:
            flight = self._running.get(project) or self._start(project)
        try:
            return flight.result(self._wait_seconds)
        except (NotInTime, Unreachable):
            return Head(self._ports.repositories.head(project), stale=True)

    def host_is_away(self) -> bool:
        """Whether the Git host did not answer the observer lately; False when nobody can tell."""
        if time.monotonic() - self._asked_at >= _ASK_AGAIN_SECONDS:
            self._asked_at = time.monotonic()
            try:
                self._away = self._ports.statuses.signs().git_away
            except Unreachable:
                self._away = False
        return self._away

    def _start(self, project: str) -> Future[Head]:
        flight = self._running[project] = Future[Head]()
        threading.Thread(target=self._fly, args=(project, flight), daemon=True, name=f"fetch-{project}").start()
        return flight

    def _fly(self, project: str, flight: Future[Head]) -> None:
        try:
            flight.set_result(fetched(self._ports, project))
        except Exception as error:  # noqa: BLE001 - raised again where the answer is awaited
            flight.set_exception(error)
        finally:
            with self._lock:
                del self._running[project]


def heads_of(ports: Ports, flights: Flights, projects: Sequence[str]) -> list[Head]:
    """The head of each project to read at, in order; one question to Redis, and one to the Git host for the rest.

    Every way to read a project begins here, so nothing of a reserved name can be read: `settings` holds the tokens.
    """
    allowed = [project for project in projects if not ProjectName.reserved(project)]
    recorded = _recorded(ports, allowed)
    unknown = [project for project in allowed if project not in recorded]
    asked = _asked(ports, unknown) if unknown else {}
    found = {project: _readable(ports, flights, project, recorded.get(project), asked) for project in allowed}
    return [found.get(project, Head(None)) for project in projects]


def head_of(ports: Ports, flights: Flights, project: str) -> Head:
    """See heads_of."""
    return heads_of(ports, flights, [project])[0]


def _recorded(ports: Ports, projects: Sequence[str]) -> Mapping[str, str]:
    try:
        return ports.events.heads(projects)
    except Unreachable:
        return {}


def _asked(ports: Ports, projects: Sequence[str]) -> Mapping[str, str] | None:
    try:
        return ports.githost.heads(projects)
    except Unreachable:
        return None


def _readable(
    ports: Ports, flights: Flights, project: str, recorded: str | None, asked: Mapping[str, str] | None
) -> Head:
    if recorded is None and asked is None:
        return Head(ports.repositories.head(project), stale=True)
    wanted = recorded or (asked or {}).get(project)
    if wanted is None:
        return Head(None)
    if not holds(ports, project, wanted):
        return flights.fetch(project)
    return Head(wanted, stale=recorded is not None and flights.host_is_away())
