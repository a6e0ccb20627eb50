"""One project's trouble never stops the others: what is raised for one of them is logged, and the round goes on."""

from collections.abc import Callable

import structlog

from adapters.ports import MissingCommit, StaleLead, Unreachable
from gitops.problems import Refused

_log = structlog.get_logger()


def guarded(who: str, project: str, work: Callable[[str], object]) -> None:
    """Do a project's work. Raises only what concerns all of them: StaleLead, and Unreachable('redis')."""
    try:
        work(project)
    except StaleLead:
        raise
    except Unreachable as outage:
        if outage.component == "redis":
            raise
        _log.warning(f"{who} skipped a project", project=project, component=outage.component, message=str(outage))
    except (Refused, MissingCommit) as trouble:
        _log.warning(f"{who} skipped a project", project=project, message=str(trouble))
    except Exception:  # noqa: BLE001 - a mistake of ours must not end the round
        _log.exception(f"{who} failed on a project", project=project)
