"""Why workloads are degraded, found out beside those who read Applications: a slow answer holds no news up."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import structlog

from adapters.argocd_http import Declined
from adapters.argocd_newest import Where
from adapters.argocd_parse import Found
from adapters.argocd_reasons import unwell
from adapters.ports import Unreachable
from gitops.rollouts import Observation, ResourceStatus

_AT_ONCE = 4
_log = structlog.get_logger()

Reasons = Mapping[tuple[str, str], str]
"""Kind and name of a workload, and what one of its pods says."""
Ask = Callable[[Found, Sequence[ResourceStatus]], Reasons]


@dataclass(frozen=True)
class _Known:
    uid: str
    version: int
    reasons: Reasons


class Explanations:
    """What is known by now of each degraded Application, each state asked about once; one that could not be asked about
    is asked about again when it is next read. Safe for threads.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._tell: Callable[[Where], object] = lambda _where: None
        self._guard = threading.Lock()
        self._known: dict[Where, _Known] = {}
        self._wanted: dict[Where, Found] = {}
        self._asking: set[Where] = set()
        self._pool: ThreadPoolExecutor | None = None

    def tell(self, whom: Callable[[Where], object]) -> None:
        """Call this, from now on, where more is known than was added."""
        self._tell = whom

    def add_to(self, found: Found) -> Observation:
        """The observation with what is known; asks nobody, but has others ask."""
        where = found.application.project, found.application.environment
        if not unwell(found.observation):
            self.forget(where)
            return found.observation
        with self._guard:
            known = self._known.get(where)
            if known is None or known.uid != found.uid:
                known = self._known[where] = _Known(found.uid, -1, {})
            if known.version != found.version:
                self._want(where, found)
        resources = (_with_reason(one, known.reasons.get((one.kind, one.name))) for one in found.observation.resources)
        return replace(found.observation, resources=tuple(resources))

    def forget(self, where: Where) -> None:
        """There is nothing to explain any more."""
        with self._guard:
            self._known.pop(where, None)
            self._wanted.pop(where, None)

    def close(self) -> None:
        """End what was started."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _want(self, where: Where, found: Found) -> None:
        self._wanted[where] = found
        if where not in self._asking:
            self._asking.add(where)
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argocd reasons")
            self._pool.submit(self._find_out, where)

    def _find_out(self, where: Where) -> None:
        while (found := self._next(where)) is not None:
            try:
                reasons = self._ask(found, unwell(found.observation))
            except (Unreachable, Declined) as error:
                _log.warning("no reasons found", application=found.application, message=str(error))
            except Exception:  # noqa: BLE001 - a mistake of ours must not end the explaining
                _log.exception("no reasons found, unexpectedly", application=found.application)
            else:
                self._keep(where, _Known(found.uid, found.version, reasons))

    def _next(self, where: Where) -> Found | None:
        with self._guard:
            found = self._wanted.pop(where, None)
            if found is None:
                self._asking.discard(where)
            return found

    def _keep(self, where: Where, known: _Known) -> None:
        with self._guard:
            before = self._known.get(where)
            if before is None or before.uid != known.uid:
                return
            self._known[where] = known
        if before.reasons != known.reasons:
            self._tell(where)


def _with_reason(resource: ResourceStatus, reason: str | None) -> ResourceStatus:
    if reason is None:
        return resource
    return replace(resource, message=f"{resource.message}; {reason}" if resource.message else reason)
