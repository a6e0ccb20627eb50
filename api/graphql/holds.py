"""Holds: what stops automation in an environment."""

from datetime import datetime
from typing import Self

import strawberry

from api.graphql.people import Person
from gitops import holds


@strawberry.type(description="Automation is stopped here; people may pass with an override.")
class Hold:
    """See gitops.holds."""

    service_name: str | None = strawberry.field(description="None: the whole environment.")
    reason: str
    actor: Person
    since: datetime
    expires_at: datetime | None = strawberry.field(description="When it ends by itself; null: never.")

    @classmethod
    def of(cls, model: holds.Hold) -> Self:
        """From the repository."""
        return cls(
            service_name=model.service,
            reason=model.reason,
            actor=Person.of(model.actor),
            since=model.since,
            expires_at=model.expires_at,
        )
