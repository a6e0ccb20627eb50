"""Webhook endpoints and what was sent to them."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from adapters.endpoint_list import Endpoint
from adapters.outbound import Delivery, DeliveryState
from api.graphql import problems
from api.graphql.connections import Connection, page_size
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation, query
from api.graphql.nodes import node_id, parse_node_id
from api.reading import webhooks as reading
from api.threads import call
from gitops.access import WRITE_WEBHOOKS
from gitops.problems import invalid


@strawberry.type(description="Where events are sent to, in the Standard Webhooks form.")
class WebhookEndpoint:
    """See adapters.endpoint_list.Endpoint."""

    id: strawberry.ID
    url: str
    events: list[str] = strawberry.field(
        description="Types or their beginnings, as job or rollout.deployed; none: all."
    )
    project_name: str | None = strawberry.field(description="Only what concerns this project; null: all projects.")
    created_at: datetime

    @classmethod
    def of(cls, model: Endpoint) -> Self:
        """From the list."""
        return cls(
            id=node_id("WebhookEndpoint", model.id),
            url=model.url,
            events=list(model.events),
            project_name=model.project,
            created_at=model.created_at,
        )


@strawberry.type(description="An endpoint and its secret, shown this once.")
class IssuedWebhookEndpoint:
    """The secret is kept where secrets are, and only signs."""

    endpoint: WebhookEndpoint
    secret: str


@strawberry.type(description="One message to one endpoint, and what came of it.")
class WebhookDelivery:
    """See adapters.outbound.Delivery."""

    id: strawberry.ID = strawberry.field(description="The webhook-id of the message.")
    type: str = strawberry.field(description="What it tells, as job.succeeded.")
    body: str = strawberry.field(description="JSON, as it is sent.")
    state: DeliveryState
    attempts: int = strawberry.field(description="How often it was sent so far.")
    status_code: int | None = strawberry.field(description="Of the last answer; null when there was none.")
    error: str | None = strawberry.field(description="Why the last attempt failed.")
    created_at: datetime
    next_attempt_at: datetime | None = strawberry.field(description="Null when no other follows.")
    finished_at: datetime | None = strawberry.field(description="When it was taken, or given up.")

    @classmethod
    def of(cls, model: Delivery) -> Self:
        """From Redis."""
        return cls(
            id=strawberry.ID(model.message.id),
            type=model.message.type,
            body=model.message.body,
            state=model.state,
            attempts=model.attempts,
            status_code=model.status,
            error=model.error,
            created_at=model.created_at,
            next_attempt_at=model.next_at,
            finished_at=model.finished_at,
        )


@strawberry.type
class WebhookDeliveryConnection(Connection[WebhookDelivery]):
    """One page of deliveries."""


WebhookResult = Annotated[
    IssuedWebhookEndpoint
    | WebhookEndpoint
    | WebhookDelivery
    | problems.InvalidInput
    | problems.NotFound
    | problems.PermissionDenied
    | problems.Unavailable,
    strawberry.union("WebhookResult", description="What was asked for, or what stopped it."),
]


@strawberry.input
class CreateWebhookEndpointInput:
    """See adapters.endpoints."""

    url: str
    events: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="Types or their beginnings, as job or rollout.deployed; none: all."
    )
    project: str | None = strawberry.field(
        default=strawberry.UNSET, description="Only what concerns this project; none: all projects."
    )


@strawberry.type
class WebhookQuery:
    """Root fields."""

    @query("All webhook endpoints, oldest first.")
    async def webhook_endpoints(self, info: Info) -> list[WebhookEndpoint]:
        """See the contract."""
        return [WebhookEndpoint.of(each) for each in (await call(info.context.ports.endpoints.list)).values()]

    @query("What was sent to an endpoint, newest first.")
    async def webhook_deliveries(
        self, info: Info, endpoint: strawberry.ID, first: int | None = 20, after: str | None = strawberry.UNSET
    ) -> WebhookDeliveryConnection:
        """See the contract."""
        page = info.context.ports.outbound.page
        found, has_next = await call(page, _endpoint_id(endpoint), page_size(first), or_none(after))
        return WebhookDeliveryConnection.of(
            [WebhookDelivery.of(each) for each in found], lambda node: str(node.id), has_next=has_next
        )


@strawberry.type
class WebhookMutation:
    """Root fields."""

    @mutation("Send events there from now on; the secret is shown once.", verb=WRITE_WEBHOOKS, scope=None)
    async def create_webhook_endpoint(self, info: Info, input: CreateWebhookEndpointInput) -> WebhookResult:  # noqa: A002 - as elsewhere
        """See the contract."""
        events, project = tuple(or_none(input.events) or ()), or_none(input.project)
        made, secret = await call(reading.create, info.context.ports, info.context.actor, input.url, events, project)
        return IssuedWebhookEndpoint(endpoint=WebhookEndpoint.of(made), secret=secret)

    @mutation("Send nothing there any more.", verb=WRITE_WEBHOOKS, scope=None)
    async def delete_webhook_endpoint(self, info: Info, id: strawberry.ID) -> WebhookResult:  # noqa: A002 - as elsewhere
        """See the contract."""
        deleted = await call(reading.delete, info.context.ports, info.context.actor, _endpoint_id(id))
        return WebhookEndpoint.of(deleted)

    @mutation("Give an endpoint a new secret; for a day both sign.", verb=WRITE_WEBHOOKS, scope=None)
    async def rotate_webhook_secret(self, info: Info, id: strawberry.ID) -> WebhookResult:  # noqa: A002 - as elsewhere
        """See the contract."""
        endpoint, secret = await call(info.context.ports.endpoints.rotate, _endpoint_id(id))
        return IssuedWebhookEndpoint(endpoint=WebhookEndpoint.of(endpoint), secret=secret)

    @mutation("Send a delivery once more, whatever came of it.", verb=WRITE_WEBHOOKS, scope=None)
    async def redeliver(self, info: Info, id: strawberry.ID) -> WebhookResult:  # noqa: A002 - as elsewhere
        """See the contract."""
        return WebhookDelivery.of(await call(reading.again, info.context.ports, str(id)))


def _endpoint_id(id_: str) -> str:
    kind, name = parse_node_id(id_)
    if kind != "WebhookEndpoint":
        raise invalid("id", f"{id_[:60]!r} is the id of a {kind}, not of a webhook endpoint.")
    return name
