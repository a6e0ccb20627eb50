"""A project's way to its forge: with its secret `forge` alone, and not while the forge asks to be left alone."""

import hashlib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from adapters.forges.api import Forge
from adapters.forges.calls import Denied, Limited
from adapters.forges.places import place_of
from adapters.records import JobFilter
from adapters.trust import Trust
from adapters.wiring import Ports
from gitops import messages, repository
from gitops.changes import JobKind
from jobs import project_secrets
from jobs.pushes import ACTOR_PREFIX

STATUSES, COMMENTS, REQUESTS = "statuses", "comments", "requests"
"""What a token may be good for, each by a permission of its own."""
_REFUSED_SECONDS: Final = 3600.0
"""How long a token that was refused is not tried again; another token or place is tried at once."""
_PAUSE_SECONDS: Final = 30.0
_BUILDS: Final = 20
_log = structlog.get_logger()


@dataclass(frozen=True)
class Forges:
    """The forges of one project's sources. Each call may take `seconds` in all."""

    ports: Ports
    project: str
    known: repository.Repository
    seconds: float

    def of(self, url: str) -> Forge | None:
        """Where a source is; None when it is on no known forge or the project has no token. Raises Denied for a token
        that is for elsewhere, and Unreachable.
        """
        place = place_of(url, self.known.settings.forge)
        secret = project_secrets.read(self.ports.secrets, self.project, project_secrets.FORGE) if place else None
        if place is None or secret is None:
            return None
        settings = self.ports.settings
        trust, local = Trust.of(settings), settings.allow_local_sources
        return Forge.reach(place, url, secret, trust=trust, local=local, seconds=self.seconds)

    def sources(self) -> tuple[str, ...]:
        """The addresses of the services' sources, one for each repository on a forge."""
        urls = [service.source.repository_url for service in self.known.services or () if service.source]
        places = {place_of(url, self.known.settings.forge): url for url in reversed(urls)}
        return tuple(url for place, url in places.items() if place is not None)

    def source_of(self, environment: str) -> str | None:
        """The address of the source that a preview's request is about: the only one, or that of its last build."""
        urls = self.sources()
        if len(urls) <= 1:
            return urls[0] if urls else None
        where = JobFilter(kinds=(JobKind.BUILD,), project=self.project, environment=environment)
        for job in self.ports.ledger.page(where, _BUILDS, None).jobs:
            service = self.known.service(job.services[0])
            if service is not None and service.source is not None:
                return service.source.repository_url
        return None

    @contextmanager
    def asking(self, what: str) -> Iterator[None]:
        """While a forge is asked. Raises Limited and Denied without asking while that is known, tells of refusals once
        and remembers both.
        """
        leases = self.ports.leases
        limited, refused = f"forge-limited:{self.project}", f"forge-refused:{self.project}:{what}:{self._known_by()}"
        if leases.held(refused):
            raise Denied("the forge refused the project's token within the last hour")
        if leases.held(limited):
            raise Limited(_PAUSE_SECONDS)
        try:
            yield
        except Limited as limit:
            leases.acquire(limited, uuid.uuid4().hex, limit.seconds)
            raise
        except Denied as denial:
            if leases.acquire(refused, uuid.uuid4().hex, _REFUSED_SECONDS):
                advice = f"setProjectSecret `forge` with a token that may read and write {what} of the repository"
                _log.warning("the forge refuses", project=self.project, message=str(denial), advice=advice)
            raise

    def _known_by(self) -> str:
        """Another text whenever something changed that a refusal could come from."""
        since = project_secrets.updated_at(self.ports.secrets, self.project, project_secrets.FORGE)
        parts = f"{since} {self.known.settings.forge} {self.sources()}"
        return hashlib.sha256(parts.encode()).hexdigest()[:16]


def is_preview(ports: Ports, project: str, head: str, environment: repository.Environment) -> bool:
    """Whether a request made this environment: one that a person made under such a name is theirs."""
    created = ports.history.newest(project, head).get((environment.name, "+"))
    if created is None or not environment.ephemeral or not created.git.trusted:
        return False
    return is_of_forge(messages.parse(created.git.message).first(messages.ACTOR_ID) or "")


def is_of_forge(actor_id: str) -> bool:
    """Whether who asked is one whom pushes.actor_of named."""
    return actor_id.startswith(ACTOR_PREFIX)
