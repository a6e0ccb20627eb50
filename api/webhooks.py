"""POST /webhooks/<forge>/<project>: what forges deliver. Who sends is known by the signature over the body alone;
cookies and tokens count for nothing here.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Final

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from adapters.forges.deliveries import Delivery
from adapters.forges.known import FORGES, Forge
from adapters.forges.payloads import Headers, Unreadable
from adapters.ports import Unreachable
from api.threads import call
from api.transport.bodies import read_body
from api.transport.errors import RequestRefused, internal
from gitops.names import ProjectName
from gitops.problems import RateLimited, Refused
from jobs.pushes import Accepted

MAX_BYTES: Final = 1024 * 1024
AT_ONCE: Final = 8
"""Deliveries that one process works on; the others wait, so that they take no threads from people."""
BODY_SECONDS: Final = 30.0
RETRY_SECONDS: Final = 10
_NOBODY: Final = "There is no webhook at this address: set the project's secret `webhook` first\n"


@dataclass(frozen=True)
class Webhooks:
    """What deliveries need of the rest. `secret`: project → what its webhook is signed with; `accept`: project, forge
    and delivery → the jobs.
    """

    secret: Callable[[str], bytes | None]
    accept: Callable[[str, str, Delivery], Accepted]


class WebhookEndpoint:
    """Checks who sends before anything is read, and answers once the ledger has the jobs."""

    def __init__(self, webhooks: Webhooks, body_seconds: float = BODY_SECONDS) -> None:
        self._webhooks = webhooks
        self._body_seconds = body_seconds
        self._turns = asyncio.Semaphore(AT_ONCE)

    async def answer(self, request: Request) -> Response:
        """202 with the jobs; 404 without a secret, 413, 401, 400; 429 and 503: send it again."""
        try:
            return await self._answer(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, the sender gets a line of it and no more
            return _failed(error)

    async def _answer(self, request: Request) -> Response:
        named, project = request.path_params["forge"], request.path_params["project"]
        forge = FORGES.get(named)
        secret = await self._secret(project) if forge is not None and ProjectName.fits(project) else None
        if forge is None or secret is None:
            return PlainTextResponse(_NOBODY, 404)
        async with asyncio.timeout(self._body_seconds):
            body = await read_body(request, MAX_BYTES)
        if not forge.verify(request.headers, body, secret):
            return PlainTextResponse("The signature is not the one of this body by the project's secret\n", 401)
        async with self._turns:
            accepted = await call(self._accept, forge, named, project, request.headers, body)
        jobs = [job.id for job in accepted.jobs]
        structlog.get_logger().info("webhook", project=project, forge=named, jobs=jobs, ignored=accepted.ignored)
        return JSONResponse({"jobs": jobs, "ignored": accepted.ignored}, 202)

    async def _secret(self, project: str) -> bytes | None:
        async with self._turns:
            return await call(self._webhooks.secret, project)

    def _accept(self, forge: Forge, named: str, project: str, headers: Headers, body: bytes) -> Accepted:
        delivery = forge.parse(headers, body)
        if delivery is None:
            return Accepted(ignored="neither a push to a branch nor a request")
        return self._webhooks.accept(project, named, delivery)


def _failed(error: Exception) -> Response:
    again = {"Retry-After": str(RETRY_SECONDS)}
    match error:
        case RequestRefused():
            status, message, headers = error.status, str(error), error.headers
        case Unreadable():
            status, message, headers = 400, str(error), {}
        case TimeoutError() | ClientDisconnect():
            status, message, headers = 408, "The body did not come", {"Connection": "close"}
        case Refused(problem=RateLimited() as problem):
            status, message, headers = 429, problem.message, {"Retry-After": str(ceil(problem.retry_after_seconds))}
        case Refused():
            status, message, headers = 503, str(error), again
        case Unreachable():
            status, message, headers = 503, f"{error.component} does not answer now; send it again", again
        case _:
            status, message, headers = 500, internal(error)[0], {}
    return PlainTextResponse(f"{message}\n", status, headers)
