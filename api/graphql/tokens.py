"""Tokens and who is asking."""

from datetime import datetime
from typing import Annotated, Self

import strawberry

from adapters.token_list import TokenRecord
from api.graphql import problems
from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation, query
from api.graphql.nodes import Node, node_id, parse_node_id
from api.reading import tokens as reading
from api.threads import call
from gitops.access import WRITE_TOKENS
from gitops.changes import Actor, ActorKind
from gitops.problems import invalid


@strawberry.type(description="Who is asking.")
class Viewer(Node):
    """The actor of the request."""

    name: str
    email: str
    kind: ActorKind

    @classmethod
    def of(cls, model: Actor) -> Self:
        """From the request."""
        return cls(id=node_id("Viewer", model.id), name=model.name, email=model.email, kind=model.kind)


@strawberry.type(description="A token; its secret was shown once.")
class Token(Node):
    """See adapters.token_list.TokenRecord."""

    name: str = strawberry.field(description="Whom commits name as their author.")
    email: str
    kind: ActorKind
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None = strawberry.field(description="To the minute.")
    revoked_at: datetime | None

    @classmethod
    def of(cls, model: TokenRecord) -> Self:
        """From the list."""
        return cls(
            id=node_id("Token", model.id),
            name=model.name,
            email=model.email,
            kind=model.kind,
            created_at=model.created_at,
            expires_at=model.expires_at,
            last_used_at=model.last_used_at,
            revoked_at=model.revoked_at,
        )


@strawberry.type(description="A new token and its secret, shown this once.")
class IssuedToken:
    """Not kept anywhere."""

    token: Token
    secret: str


TokenResult = Annotated[
    IssuedToken | Token | problems.InvalidInput | problems.NotFound | problems.PermissionDenied | problems.Unavailable,
    strawberry.union("TokenResult", description="The token, or what stopped it."),
]


@strawberry.input
class CreateTokenInput:
    """See adapters.tokens."""

    name: str = strawberry.field(description="Whom commits name as their author.")
    email: str
    kind: ActorKind | None = ActorKind.AUTOMATION
    expires_in_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="Seconds, at most ten years; none: it never ends."
    )


@strawberry.type
class TokenQuery:
    """Root fields."""

    @query("Who is asking.")
    async def viewer(self, info: Info) -> Viewer:
        """See the contract."""
        return Viewer.of(info.context.actor)

    @query("All tokens ever issued, oldest first.")
    async def tokens(self, info: Info) -> list[Token]:
        """See the contract."""
        return [Token.of(record) for record in await call(info.context.ports.tokens.list)]


@strawberry.type
class TokenMutation:
    """Root fields."""

    @mutation("Make a token; its secret is shown once.", verb=WRITE_TOKENS, scope=None)
    async def create_token(self, info: Info, input: CreateTokenInput) -> TokenResult:  # noqa: A002 - the contract's name
        """See the contract."""
        kind, seconds = input.kind or ActorKind.AUTOMATION, or_none(input.expires_in_seconds)
        issue = info.context.ports.tokens.issue
        record, secret = await call(issue, info.context.actor, input.name, input.email, kind, seconds)
        return IssuedToken(token=Token.of(record), secret=secret)

    @mutation("End a token for good, and its streams within seconds; again is no error.", verb=WRITE_TOKENS, scope=None)
    async def revoke_token(self, info: Info, id: strawberry.ID) -> TokenResult:  # noqa: A002 - the contract's name
        """See the contract."""
        kind, token_id = parse_node_id(id)
        if kind != "Token":
            raise invalid("id", f"{id[:60]!r} is the id of a {kind}, not of a token.")
        return Token.of(await call(reading.revoke, info.context.ports, info.context.actor, token_id))
