"""What all mutations share: their last fields, and the way from a validated change to the queued job."""

from typing import Protocol

import strawberry

from adapters.records import JobRecord
from api.graphql.context import Context, Info
from api.graphql.given import or_none, plain
from api.graphql.jobs import Job
from api.threads import call
from gitops.changes import Change
from gitops.problems import invalid
from jobs.admission import admit


@strawberry.input
class Asked:
    """The last fields of every input."""

    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same actor, key, mutation and input: the same job; anything else: Conflict KEY_REUSED.",
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description="Into the commit's Reason trailer.")


@strawberry.input
class AskedAt(Asked):
    """The last fields of an input whose change reads what others may change."""

    expected_head: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Refuse (HEAD_MOVED) if a commit after this one touched what the change reads or writes.",
    )


class Validated(Change, Protocol):
    """A change that can say what is wrong with its own fields."""

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        ...


class Overriding(Protocol):
    """An input that may pass closed gates."""

    override: bool | None
    reason: str | None


def override_of(asked: Overriding) -> bool:
    """Whether closed gates are to be passed. Raises Refused(InvalidInput) without a reason."""
    if asked.override and not (or_none(asked.reason) or "").strip():
        raise invalid("reason", "An override needs a reason: say why this may pass.")
    return bool(asked.override)


async def admitted(info: Info, mutation: str, asked: Asked, change: Validated) -> Job:
    """The queued job of a change. Raises Refused and Unreachable."""
    return Job.of(await call(_admit, info.context, mutation, asked, change))


def _admit(context: Context, mutation: str, asked: Asked, change: Validated) -> JobRecord:
    change.validate()
    return admit(
        context.ports,
        context.actor,
        change,
        key=or_none(asked.idempotency_key),
        reason=or_none(asked.reason),
        expected_head=or_none(asked.expected_head) if isinstance(asked, AskedAt) else None,
        mutation=mutation,
        arguments=plain(asked),
    )
