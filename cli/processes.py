"""The bodies of `lucity api`, `worker`, `builder` and `observer`: settings in, one process running until
it is told to stop.
"""

import gc
import os
import signal
import socket
import threading

from adapters.lifetime import die_with_parent
from adapters.settings import Settings
from cli.configuration import read_settings, require_secrets

LISTEN_FD = "LUCITY_LISTEN_FD"
"""The listening socket that `lucity up` hands to the API, so that its address stays taken while the API restarts."""
PARENT = "LUCITY_PARENT"
"""Process id of the `lucity up` that started this process."""


def run_api() -> None:
    """Serve the API until SIGTERM; open sockets get five seconds."""
    settings = begin()
    import uvicorn  # noqa: PLC0415 - `lucity --help` stays fast

    from adapters.wiring import build  # noqa: PLC0415
    from api.app import create_app  # noqa: PLC0415
    from jobs.celery_app import ring_bell  # noqa: PLC0415

    config = uvicorn.Config(
        create_app(build(settings, ring_bell)),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
        ws_max_size=settings.body_bytes,
        ws_per_message_deflate=False,
    )
    _spare_garbage_collection()
    given = os.environ.pop(LISTEN_FD, None)
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=int(given))] if given else None)


def run_worker() -> None:
    """Carry changes out with a pool of processes until SIGTERM, which lets running tasks end."""
    settings = begin()
    from jobs import celery_app  # noqa: PLC0415 - `lucity --help` stays fast

    celery_app.run_worker(settings)


def run_builder() -> None:
    """Carry builds out with a pool of processes until SIGTERM."""
    settings = begin()
    from jobs import celery_app  # noqa: PLC0415 - `lucity --help` stays fast

    celery_app.run_builder(settings)


def run_observer() -> None:
    """Watch the Git host and the delivery until SIGTERM."""
    settings = begin()
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopped.set())
    from adapters.wiring import build  # noqa: PLC0415 - `lucity --help` stays fast
    from jobs.celery_app import ring_bell  # noqa: PLC0415
    from jobs.observer import observe  # noqa: PLC0415
    from jobs.outbound import tell_until  # noqa: PLC0415

    ports = build(settings, ring_bell)
    threading.Thread(target=tell_until, args=(ports, stopped), daemon=True, name="webhooks").start()
    observe(ports, stopped)


def _spare_garbage_collection() -> None:
    """What is there when serving begins stays; looking it through again and again is a quarter of an event's way to
    its subscribers.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def begin() -> Settings:
    """Tie this process to the `lucity up` that started it, if one did; its settings, judged. Raises StartFailed."""
    parent = os.environ.pop(PARENT, None)
    if parent:
        die_with_parent(int(parent))
    settings = read_settings()
    require_secrets(settings)
    from adapters.logging import configure_logging  # noqa: PLC0415 - `lucity --help` stays fast

    configure_logging(settings)
    if settings.git_host != "local" and not parent:
        from cli.githost import meet  # noqa: PLC0415 - `lucity --help` stays fast

        meet(settings, wait=False)
    return settings
