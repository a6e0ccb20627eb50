"""Comparing two points of a project's history."""

from typing import Self

import strawberry

from api.graphql import commits, projects
from api.graphql.changes import ValueChange
from api.graphql.commits import Commit
from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.guards import query
from api.graphql.points import PointInput
from api.reading import comparisons as reading
from api.reading import differences
from api.threads import call
from gitops.problems import invalid


@strawberry.type(description="Two points of a project's history, beside each other.")
class Comparison:
    """See api.reading.comparisons."""

    model: strawberry.Private[reading.Comparison]
    base: Commit
    head: Commit
    commits: list[Commit] = strawberry.field(
        description="After base up to head, newest first, at most 250; of environments those that touched them."
    )

    @field("Value by value, from base to head; of two environments those of their values, told as the head's.")
    async def changes(self) -> list[ValueChange]:
        """Parsed when asked for."""
        found = await call(differences.changes_in, self.model.deltas)
        return [ValueChange.of(change) for change in found]

    @field("The same as unified text.")
    async def diff(self) -> str:
        """Compared when asked for."""
        return await call(differences.text_of, self.model.deltas)

    @classmethod
    def of(cls, project: str, model: reading.Comparison) -> Self:
        """From the index."""
        return cls(
            model=model,
            base=commits.Commit.of(project, model.base),
            head=commits.Commit.of(project, model.head),
            commits=[commits.Commit.of(project, record) for record in model.commits],
        )


@strawberry.type
class ComparisonQuery:
    """Root fields."""

    @query(
        "Two revisions, two environments, or one environment at two times; null when one is not there.", scope="project"
    )
    async def compare(self, info: Info, project: str, base: PointInput, head: PointInput) -> Comparison | None:
        """See the contract."""
        name, (older, newer) = projects.parse_name(project), (base.parse(), head.parse())
        if (older.environment is None) != (newer.environment is None):
            raise invalid("head.environment", "Name an environment in both points, or in neither.")
        found = await call(reading.compare, info.context.ports, info.context.flights, name, older, newer)
        return Comparison.of(name, found) if found else None
