"""The doorbell's wire: a Celery app whose one task carries out a queue. Messages hold ids only and may be lost.

Settings of Celery: design section 8. The pool forks, so ports are built in each pool process after the fork.
"""

import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ClassVar

import structlog
from celery import Celery, bootsteps, signals
from celery.worker.request import Request
from kombu.asynchronous import get_event_loop, set_event_loop
from kombu.exceptions import OperationalError

from adapters.job_fields import is_build_lane
from adapters.lifetime import die_with_parent
from adapters.logging import configure_logging
from adapters.ports import Leases, Unreachable
from adapters.settings import Settings
from adapters.wiring import Ports, build
from jobs.engine import carry_out
from jobs.sweeps import sweep_until
from jobs.tending import tend_until

_log = structlog.get_logger()
TASK = "lucity.carry_out"
_QUEUE, _BUILDS = "lucity", "lucity-builds"
_LONGEST_TASK_SECONDS = 7200
_ACKNOWLEDGED_SECONDS = 1.0


class CeleryBell:
    """ports.Bell over Celery. A queue that was rung for and not yet answered is not rung for again."""

    def __init__(self, app: Celery, leases: Leases, seconds: float) -> None:
        self._app = app
        self._leases = leases
        self._seconds = seconds

    def ring(self, projects: Iterable[str]) -> None:
        """See ports.Bell.ring."""
        for lane in projects:
            if self._leases.acquire(f"bell:{lane}", uuid.uuid4().hex, self._seconds):
                self._send(lane)

    def answered(self, lane: str) -> None:
        """The next ring counts again. Call before looking at the queue."""
        self._leases.drop(f"bell:{lane}")

    def _send(self, lane: str) -> None:
        try:
            queue = _BUILDS if is_build_lane(lane) else _QUEUE
            self._app.send_task(TASK, args=[lane], queue=queue, retry=False, ignore_result=True)
        except (OperationalError, OSError) as error:
            raise Unreachable("redis", f"the bell could not be rung: {error}") from error


class NoticedRequest(Request):  # type: ignore[misc]
    """A delivery that notices when it could not be acknowledged.

    Celery logs that and goes on: the message counts as one that is worked on, and once every pool process has such a
    one the worker waits for none of them to end, listens no more, and does not even see that its connection is gone.
    """

    def acknowledge(self) -> None:
        """See celery.worker.request.Request."""
        super().acknowledge()
        loop = get_event_loop()
        if loop is not None:
            loop.call_later(_ACKNOWLEDGED_SECONDS, self._look)  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        # What the loop meets as a ConnectionError makes Celery connect anew.
        if not self._message.acknowledged and not self._message.channel.closed:
            raise ConnectionError("a delivery could not be acknowledged")


class KeptLoop(bootsteps.StartStopStep):  # type: ignore[misc]
    """Names the event loop again at each connection: losing one resets the loop, and kombu then forgets it."""

    requires: ClassVar = {"celery.worker.consumer.tasks:Tasks"}

    def start(self, parent: Any) -> None:
        """See celery.bootsteps.StartStopStep; the parent is the consumer."""
        set_event_loop(parent.hub)


def make_app(settings: Settings) -> Celery:
    """The app without its task: enough to ring."""
    app = Celery("lucity", broker=settings.redis, set_as_current=False)
    app.conf.update(
        task_ignore_result=True,
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": _LONGEST_TASK_SECONDS,
            "socket_timeout": 5,
            "socket_connect_timeout": 1,
            "socket_keepalive": True,
        },
        task_default_queue=_QUEUE,
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
    )
    return app


def ring_bell(settings: Settings, leases: Leases) -> CeleryBell:
    """A bell that builds its Celery app when it is first rung."""
    return CeleryBell(make_app(settings), leases, settings.sweep_seconds)


def run_worker(settings: Settings) -> None:
    """A worker until it is told to stop: a pool that carries out changes, and a thread that sweeps."""
    _run(settings, _QUEUE, settings.worker_concurrency, sweep_until)


def run_builder(settings: Settings) -> None:
    """A builder until it is told to stop: a pool that carries out builds, and a thread that tidies up after them."""
    _run(settings, _BUILDS, settings.builder_concurrency, tend_until)


def _run(
    settings: Settings, queue: str, concurrency: int, beside: Callable[[Ports, str, threading.Event], None]
) -> None:
    app = make_app(settings)
    app.steps["consumer"].add(KeptLoop)
    owner = f"{socket.gethostname()}:{os.getpid()}"

    @cache
    def ports() -> Ports:
        return build(settings, ring_bell)

    @app.task(name=TASK, Request=NoticedRequest)  # type: ignore[untyped-decorator]
    def carry_out_queue(lane: str) -> None:
        own = ports()
        try:
            own.bell.answered(lane)
            if carry_out(own, lane, f"{owner}:{os.getpid()}"):
                own.bell.ring([lane])
        except Unreachable as outage:
            _log.warning("task interrupted; a sweep rings again", lane=lane, message=str(outage))

    @signals.worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def start_pool_process(**_: Any) -> None:
        die_with_parent()
        configure_logging(settings)
        ports.cache_clear()

    stopped = threading.Event()

    @signals.worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def start_beside(**_: Any) -> None:
        threading.Thread(target=beside, args=(build(settings, ring_bell), owner, stopped), daemon=True).start()

    @signals.worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
    def stop_beside(**_: Any) -> None:
        stopped.set()

    app.Worker(
        pool="prefork",
        concurrency=concurrency,
        queues=[queue],
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
    ).start()
