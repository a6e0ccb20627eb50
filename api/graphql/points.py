"""Points of a history: an environment as it was there, and who wrote what it says now."""

from datetime import datetime
from typing import Self

import strawberry

from api.graphql import commits, deployed
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.later import Commit, DeployedService
from api.reading import points as reading
from api.reading.repositories import Place
from api.threads import call
from gitops.commits import CommitRecord
from gitops.names import EnvironmentName, Revision
from gitops.problems import invalid


@strawberry.input(description="A commit, by revision or by time, or neither: the head; of one environment, or of all.")
class PointInput:
    """See api.reading.points."""

    environment: str | None = strawberry.UNSET
    revision: str | None = strawberry.field(default=strawberry.UNSET, description="A full or unique short SHA.")
    time: datetime | None = strawberry.field(
        default=strawberry.UNSET, description="The newest commit that is not later."
    )

    def parse(self) -> reading.Point:
        """Raises Refused(InvalidInput) for what is malformed."""
        environment, revision, time = or_none(self.environment), or_none(self.revision), or_none(self.time)
        if revision is not None and time is not None:
            raise invalid("time", "A point is a revision or a time, not both: leave one of them out.")
        return reading.Point(
            environment=None if environment is None else EnvironmentName.parse(environment),
            revision=None if revision is None else Revision.parse(revision),
            time=time,
        )


@strawberry.type(description="An environment as it was.")
class EnvironmentSnapshot:
    """What the cluster says of it is not part of it."""

    commit: Commit
    services: list[DeployedService]
    values_text: str

    @classmethod
    def of(cls, place: Place, record: CommitRecord) -> Self | None:
        """None when its values could not be read then."""
        model = place.environment
        if model.services is None or model.values_text is None:
            return None
        return cls(
            commit=commits.Commit.of(place.project, record),
            services=[deployed.DeployedService.of(place, service) for service in model.services],
            values_text=model.values_text,
        )


@strawberry.type(description="One line and the commit that wrote it.")
class BlameLine:
    """See api.reading.points.Line."""

    commit: Commit
    line: int = strawberry.field(description="In environments/<name>/values.yaml, from 1.")
    text: str

    @classmethod
    def of(cls, project: str, model: reading.Line) -> Self:
        """From the index."""
        return cls(commit=commits.Commit.of(project, model.commit), line=model.number, text=model.text)


async def at(info: Info, place: Place, point: PointInput) -> EnvironmentSnapshot | None:
    """An environment at a point. Raises Refused(InvalidInput) for a point of another one."""
    where = point.parse()
    if where.environment not in {None, place.environment.name}:
        raise invalid("point.environment", f"This is environment {place.environment.name}: ask for no other.")
    found = await call(reading.place_at, info.context.ports, info.context.flights, place, where)
    return EnvironmentSnapshot.of(*found) if found else None


async def blame(info: Info, place: Place, key: str) -> list[BlameLine] | None:
    """The lines of a key."""
    found = await call(reading.blame, info.context.ports, place, key)
    return None if found is None else [BlameLine.of(place.project, line) for line in found]
