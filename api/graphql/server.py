"""The server itself: its version and the components that it stands on."""

from importlib.metadata import version
from typing import Self

import strawberry

from api.graphql.context import Info
from api.graphql.fields import field
from api.graphql.guards import query
from api.health import Check
from api.threads import call


@strawberry.type(description="Something that the server needs.")
class Component:
    """As /readyz checks it."""

    name: str
    kind: str
    healthy: bool
    message: str | None = strawberry.field(description="What is wrong with it.")
    latency_ms: float | None = strawberry.field(description="Milliseconds that looking took.")

    @classmethod
    def of(cls, model: Check) -> Self:
        """From a check."""
        return cls(
            name=model.name,
            kind=model.kind,
            healthy=model.healthy,
            message=model.message,
            latency_ms=model.latency_ms,
        )


@strawberry.type(description="This Lucity.")
class Server:
    """Checked when asked for."""

    version: str

    @field("What it needs, and whether that answers now.")
    async def components(self, info: Info) -> list[Component]:
        """Checked when asked for."""
        return [Component.of(check) for check in await call(info.context.checks)]


@strawberry.type
class ServerQuery:
    """Root fields."""

    @query("This server.")
    async def server(self, info: Info) -> Server:  # noqa: ARG002 - every root field has it
        """See the contract."""
        return Server(version=version("lucity"))
