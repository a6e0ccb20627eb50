"""The API as one ASGI application, put together in one place."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from graphql import GraphQLSchema
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext
from strawberry.schema.validation_rules.maybe_null import MaybeNullValidationRule
from strawberry.schema.validation_rules.one_of import OneOfInputValidationRule

from adapters.event_tail import EventTail, Gap
from adapters.git_wiring import allowed_signers
from adapters.logging import configure_logging
from adapters.measures import Measures
from adapters.ports import Unreachable
from adapters.records import Event, EventKind, JobRecord
from adapters.redis_client import connect
from adapters.settings import Settings
from adapters.smart_http import ServedRepository, Service
from adapters.tokens import Tokens
from adapters.wiring import Ports
from api.authentication import Authenticator
from api.background import RETRY_SECONDS, end_readers, for_ever
from api.edge import Edge, Origins
from api.eject import Eject, EjectEndpoint
from api.events import Hub, SlowSubscriber
from api.git import GitEndpoint
from api.graphql.context import Contexts
from api.graphql.schema import executable
from api.health import Checks, Readiness, alive, checks_of
from api.login import LoginEndpoint
from api.metrics import Figures
from api.pages import STATIC, Pages, SecurityHeaders
from api.reading.ejections import eject
from api.reading.heads import Flights
from api.transport.execution import Engine
from api.transport.http import HttpEndpoint
from api.transport.limits import Limits
from api.transport.websocket import Bounds, WebSocketEndpoint
from api.webhooks import WebhookEndpoint, Webhooks
from gitops.changes import Actor
from jobs import project_secrets, pushes
from jobs.heads import notice

RULES = (MaybeNullValidationRule, OneOfInputValidationRule)
"""Validation that Strawberry adds to the specification's."""


@dataclass(frozen=True)
class Parts:
    """What the application is put together from."""

    settings: Settings
    tokens: Tokens
    hub: Hub
    schema: GraphQLSchema
    context: Callable[[Actor], object]
    checks: Checks
    figures: Figures
    repository: Callable[[str, Service], ServedRepository]
    notice: Callable[[str], object]
    eject: Eject
    webhooks: Webhooks
    bounds: Bounds = field(default_factory=Bounds)


def create_app(ports: Ports) -> Starlette:
    """Answer the application over these ports; background work begins with its lifespan."""
    settings = ports.settings
    configure_logging(settings)
    client = connect(settings.redis)
    hub = Hub(EventTail(settings.redis, settings), ports.events)
    checks = checks_of(ports, client)
    return assemble(
        Parts(
            settings=settings,
            tokens=ports.tokens,
            hub=hub,
            schema=executable(),
            context=Contexts(ports, hub, checks).fresh,
            checks=checks,
            figures=Figures(hub, lambda: _unfinished(ports), Measures(client).read),
            repository=ports.serve,
            notice=lambda project: notice(ports, project),
            eject=partial(eject, ports, Flights(ports)),
            webhooks=Webhooks(partial(_webhook_secret, ports), partial(pushes.accept, ports)),
            bounds=Bounds(settings.body_bytes, settings.subscriptions_per_connection),
        )
    )


def assemble(parts: Parts) -> Starlette:
    """Put routes, middleware and background work together."""
    settings, origins = parts.settings, Origins.of(parts.settings)
    authenticator = Authenticator(parts.tokens)
    engine = Engine(parts.schema, parts.context, _limits(settings), RULES, StrawberryGraphQLCoreExecutionContext)
    graphql = HttpEndpoint(engine, authenticator, settings.body_bytes)
    sockets = WebSocketEndpoint(engine, authenticator, parts.bounds, origins.trusts)
    secure = origins.origin.startswith("https:")
    login = LoginEndpoint(parts.tokens, authenticator, settings.data, origins.trusts, secure=secure)
    git = GitEndpoint(authenticator, parts.repository, parts.notice)
    pages = Pages(STATIC, authenticator)
    repository = "/git/gitops/{project}.git"
    routes = [
        Route("/graphql", graphql.answer, methods=["GET", "POST"]),
        WebSocketRoute("/graphql", sockets.serve),
        Route(f"{repository}/info/refs", git.advertise),
        Route(f"{repository}/git-upload-pack", git.upload_pack, methods=["POST"]),
        Route(f"{repository}/git-receive-pack", git.receive_pack, methods=["POST"]),
        Route(f"{repository}/pushed", git.pushed, methods=["POST"]),
        Route("/eject/{project}", EjectEndpoint(authenticator, parts.eject).answer),
        Route("/webhooks/{forge}/{project}", WebhookEndpoint(parts.webhooks).answer, methods=["POST"]),
        Route("/login", login.open),
        Route("/login", login.submit, methods=["POST"]),
        Route("/logout", login.leave, methods=["POST"]),
        Route("/healthz", alive),
        Route("/readyz", Readiness(parts.checks).answer),
        Route("/metrics", parts.figures.answer),
        Route("/allowed_signers", _signers(allowed_signers(settings))),
        Route("/", pages.start),
        Route("/{path:path}", pages.file),
    ]
    middleware = [
        Middleware(SecurityHeaders),
        Middleware(Edge, origins=origins, served=parts.figures.served),
    ]
    return Starlette(routes=routes, middleware=middleware, lifespan=_lifespan(parts, authenticator))


def _limits(settings: Settings) -> Limits:
    return Limits(
        tokens=settings.document_tokens,
        aliases=settings.document_aliases,
        depth=settings.document_depth,
        cost=settings.document_cost,
    )


def _signers(path: Path) -> Callable[[Request], Response]:
    def answer(_request: Request) -> Response:
        """GET /allowed_signers: the keys whose signatures count, for `git log --show-signature`."""
        return PlainTextResponse(path.read_bytes())

    return answer


def _webhook_secret(ports: Ports, project: str) -> bytes | None:
    return project_secrets.read(ports.secrets, project, project_secrets.WEBHOOK)


def _unfinished(ports: Ports) -> Iterable[JobRecord]:
    projects = ports.githost.projects()
    return [job for jobs in ports.ledger.unfinished(projects).values() for job in jobs]


def _lifespan(parts: Parts, authenticator: Authenticator) -> Callable[[Starlette], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        works = (parts.hub.run, authenticator.run, lambda: _follow(parts, authenticator))
        tasks = [asyncio.ensure_future(for_ever(work)) for work in works]
        try:
            yield
        finally:
            await end_readers(tasks)

    return lifespan


async def _follow(parts: Parts, authenticator: Authenticator) -> None:
    """Act on the events that concern this process itself; what a gap hides is found by looking anyway."""
    kinds = {EventKind.JOB, EventKind.TOKEN_REVOKED}
    while True:
        try:
            async with aclosing(await parts.hub.events(None, lambda event: event.kind in kinds)) as stream:
                async for item in stream:
                    if isinstance(item, Event):
                        parts.figures.moved(item)
                    if isinstance(item, Gap) or item.kind is EventKind.TOKEN_REVOKED:
                        authenticator.look()
        except (Unreachable, SlowSubscriber):
            await asyncio.sleep(RETRY_SECONDS)
