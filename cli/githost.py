"""Meets the Git host at a start: makes what is missing there, and says what a person has to mend."""

import threading
import time

import structlog

from adapters.git_wiring import build_git
from adapters.ports import Unreachable
from adapters.settings import Settings
from adapters.softserve import SoftServeGitHost
from adapters.softserve_ssh import Unfit
from cli.failures import StartFailed

_AGAIN_SECONDS = 5.0
_log = structlog.get_logger()


def meet(settings: Settings, *, wait: bool) -> None:
    """Prepare the host that settings name. Raises StartFailed when a person has to act first. A host that does not
    answer is one too with `wait`; without it, it is met later, in the background.
    """
    host = build_git(settings).host
    if not isinstance(host, SoftServeGitHost):
        return
    try:
        host.prepare()
    except Unfit as unfit:
        raise StartFailed(str(unfit)) from None
    except Unreachable as outage:
        if wait:
            raise StartFailed(str(outage)) from None
        _log.warning("the Git host is met later", reason=str(outage))
        threading.Thread(target=_meet_later, args=(host,), daemon=True, name="git host").start()


def _meet_later(host: SoftServeGitHost) -> None:
    while True:
        time.sleep(_AGAIN_SECONDS)
        try:
            host.prepare()
        except Unfit as unfit:
            _log.error("the Git host cannot be used", reason=str(unfit))
        except Unreachable:
            continue
        else:
            _log.info("the Git host was met")
            return
