"""The schema, put together. `python -m api.graphql.schema` prints it, in an order that does not depend on anything."""

import sys

import strawberry
from graphql import GraphQLSchema, lexicographic_sort_schema, print_schema
from strawberry.schema.config import StrawberryConfig
from strawberry.tools import merge_types

from api.graphql import problems
from api.graphql.comparisons import ComparisonQuery
from api.graphql.environments import EnvironmentQuery
from api.graphql.job_streams import JobSubscription
from api.graphql.jobs import JobQuery
from api.graphql.log_streams import LogSubscription
from api.graphql.mutations import MUTATIONS
from api.graphql.node_query import NodeQuery
from api.graphql.plan_query import PlanQuery
from api.graphql.project_events import ProjectSubscription
from api.graphql.projects import ProjectQuery
from api.graphql.resource_trees import ResourceTreeSubscription
from api.graphql.rollouts import RolloutSubscription
from api.graphql.scalars import SCALARS
from api.graphql.server import ServerQuery
from api.graphql.service_logs import ServiceLogSubscription
from api.graphql.statuses import StatusSubscription
from api.graphql.tokens import TokenMutation, TokenQuery
from api.graphql.webhooks import WebhookMutation, WebhookQuery

QUERIES = (
    NodeQuery,
    TokenQuery,
    ServerQuery,
    ProjectQuery,
    EnvironmentQuery,
    JobQuery,
    ComparisonQuery,
    PlanQuery,
    WebhookQuery,
)
SUBSCRIPTIONS = (
    JobSubscription,
    LogSubscription,
    RolloutSubscription,
    StatusSubscription,
    ProjectSubscription,
    ServiceLogSubscription,
    ResourceTreeSubscription,
)


def build() -> strawberry.Schema:
    """The schema as Strawberry knows it."""
    return strawberry.Schema(
        query=merge_types("Query", QUERIES),
        mutation=merge_types("Mutation", (*MUTATIONS, TokenMutation, WebhookMutation)),
        subscription=merge_types("Subscription", SUBSCRIPTIONS),
        types=problems.TYPES,
        config=StrawberryConfig(scalar_map=SCALARS),
    )


def executable() -> GraphQLSchema:
    """The schema as graphql-core executes it."""
    return build()._schema  # noqa: SLF001 - Strawberry offers no other way to it


def render() -> str:
    """The schema as text, sorted."""
    return print_schema(lexicographic_sort_schema(executable())) + "\n"


if __name__ == "__main__":
    sys.stdout.write(render())
