"""Ephemeral environments end: when their time has come, Lucity itself admits their deletion like any change."""

from datetime import datetime, timedelta
from typing import Final

from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Actor, ActorKind
from gitops.operations.environments import DeleteEnvironment
from gitops.problems import Refused
from gitops.times import rfc3339
from jobs import heads
from jobs.admission import admit

_TRY_AGAIN: Final = timedelta(hours=1)
"""How long after a deletion that failed the next one may begin."""


def lucity(ports: Ports) -> Actor:
    """Lucity as the one who acts."""
    return Actor("lucity", ports.settings.committer_name, ports.settings.committer_email, ActorKind.AUTOMATION)


def admit_expired(ports: Ports, project: str, now: datetime) -> None:
    """Admit the deletion of every environment of the project whose end has passed; keyed, so once each, and once an
    hour while they fail.
    """
    head = heads.current(ports, project).sha
    if head is None:
        return
    for environment in repository.read(ports.repositories.snapshot(project, head)).environments:
        if environment.expires_at is None or environment.expires_at > now:
            continue
        expiry = rfc3339(environment.expires_at)
        change = DeleteEnvironment(project, environment.name, expires_at=expiry)
        try:
            admit(
                ports,
                lucity(ports),
                change,
                key=f"expire:{project}:{environment.name}:{expiry}:{(now - environment.expires_at) // _TRY_AGAIN}",
                reason=f"expired at {expiry}",
                expected_head=None,
                mutation="deleteEnvironment",
                arguments={"project": project, "name": environment.name, "expiry": expiry},
            )
        except Refused:
            continue
