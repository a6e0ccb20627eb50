"""Which secrets of its own a project has."""

from collections.abc import Collection

from adapters.ports import Unreachable
from adapters.wiring import Ports
from jobs.project_secrets import ProjectSecret, listed


def secrets_of(ports: Ports, project: str) -> Collection[ProjectSecret] | None:
    """All that are there; None when the store does not answer."""
    try:
        return listed(ports.secrets, project)
    except Unreachable:
        return None
