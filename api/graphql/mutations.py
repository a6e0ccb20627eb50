"""What all mutations share: a validated change is admitted, and the queued job is the answer."""

from typing import Any, Protocol

from api.graphql.context import Context, Info
from api.graphql.given import or_none, plain
from api.graphql.jobs import Job
from api.threads import call
from gitops.changes import Change
from jobs.admission import admit


class Validated(Change, Protocol):
    """A change that can say what is wrong with its own fields."""

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        ...


async def admitted(info: Info, mutation: str, given: Any, change: Validated) -> Job:
    """The queued job of a change. `given` is the mutation's input. Raises Refused and Unreachable."""
    record = await call(_admit, info.context, mutation, given, change)
    return Job.of(record)


def _admit(context: Context, mutation: str, given: Any, change: Validated) -> Any:
    change.validate()
    return admit(
        context.ports,
        context.actor,
        change,
        key=or_none(given.idempotency_key),
        reason=or_none(given.reason),
        expected_head=or_none(getattr(given, "expected_head", None)),
        mutation=mutation,
        arguments=plain(given),
    )
