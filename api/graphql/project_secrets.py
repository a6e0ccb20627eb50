"""A project's secrets: that they are there, never what they are."""

from datetime import datetime
from typing import Self

import strawberry

from jobs import project_secrets


@strawberry.type(description="A secret's name; its value is never shown again.")
class ProjectSecret:
    """See jobs.project_secrets."""

    name: str = strawberry.field(description="webhook, clone or forge.")
    updated_at: datetime = strawberry.field(description="When it was last set.")

    @classmethod
    def of(cls, model: project_secrets.ProjectSecret) -> Self:
        """From the store."""
        return cls(name=model.name, updated_at=model.updated_at)
