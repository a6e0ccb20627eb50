"""What clients are told of errors: a code for each, and nothing of what was not meant for them.

RequestRefused          a request that is not executed; carries the errors that answer it
└── DocumentRefused     it is well-formed, but its document or its variables are not
"""

import uuid
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

import structlog
from graphql import GraphQLError

from adapters.ports import Outpaced, Unreachable
from api.events import SlowSubscriber
from gitops.problems import NotFound, PermissionDenied, RateLimited, Refused, Unavailable
from gitops.times import exact

LARGEST = 2**31 - 1
"""The largest figure that is told; a bomb comes to hundreds of digits."""


class Code(StrEnum):
    """extensions.code of an error."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    UNAVAILABLE = "UNAVAILABLE"
    NOT_FOUND = "NOT_FOUND"
    SLOW_SUBSCRIBER = "SLOW_SUBSCRIBER"
    INTERNAL = "INTERNAL"


class RequestRefused(Exception):  # noqa: N818 - an answer
    """The request is answered with these errors alone; `status` is that of an HTTP answer, `headers` go with it."""

    def __init__(self, errors: Sequence[GraphQLError], status: int = 400, **headers: str) -> None:
        super().__init__("; ".join(error.message for error in errors))
        self.errors = errors
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class DocumentRefused(RequestRefused):
    """The document or the variables are wrong: over HTTP in application/json that is a 200."""


def refusal(code: Code, message: str, status: int = 400, **headers: str) -> RequestRefused:
    """Make a refusal of one error."""
    return RequestRefused([GraphQLError(message, extensions={"code": code.value})], status, **headers)


def unauthenticated(message: str) -> RequestRefused:
    """Make the answer to a missing or bad token."""
    return refusal(Code.UNAUTHENTICATED, message, 401, WWW_Authenticate='Bearer realm="lucity"')


def exceeded(limit: str, allowed: int, actual: int) -> GraphQLError:
    """Make the error of a limit; it says all three."""
    actual = min(actual, LARGEST)
    extensions = {"code": Code.LIMIT_EXCEEDED.value, "limit": limit, "allowed": allowed, "actual": actual}
    message = f"Limit exceeded: {limit}: {allowed} allowed, {actual} asked for; ask for less, or in several requests"
    return GraphQLError(message, extensions=extensions)


def formatted(error: GraphQLError) -> dict[str, Any]:
    """Answer the error as clients may see it; what nobody foresaw is masked, and logged under the id it shows."""
    answer: dict[str, Any] = {**error.formatted}
    cause = _cause(error)
    if cause is None:
        answer["extensions"] = {"code": Code.BAD_USER_INPUT.value, **(error.extensions or {})}
        return answer
    message, extensions = _explained(cause)
    return {**answer, "message": message, "extensions": extensions}


def _cause(error: GraphQLError) -> Exception | None:
    """Answer what a resolver raised; None for GraphQL's own words, which are about the request."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError):
        cause = cause.original_error
    return cause if error.path is not None else None


def _explained(cause: Exception) -> tuple[str, dict[str, Any]]:
    match cause:
        case SlowSubscriber():
            return str(cause), {"code": Code.SLOW_SUBSCRIBER.value, "cursor": cause.cursor}
        case Outpaced():
            cursor = None if cause.at is None else exact(cause.at)
            message = "This subscriber does not keep up; subscribe again since the cursor in extensions"
            return message, {"code": Code.SLOW_SUBSCRIBER.value, "cursor": cursor}
        case Refused():
            return str(cause), {"code": _code(cause).value}
        case Unreachable():
            message = f"{cause.component} does not answer now; try again"
            return message, {"code": Code.UNAVAILABLE.value, "component": cause.component}
        case _:
            return internal(cause)


def internal(cause: BaseException) -> tuple[str, dict[str, Any]]:
    """Log what nobody foresaw; the message and extensions to show instead."""
    error_id = uuid.uuid4().hex[:12]
    structlog.get_logger().error("internal error", error_id=error_id, exc_info=cause)
    return f"Internal error {error_id}", {"code": Code.INTERNAL.value, "id": error_id}


def _code(refused: Refused) -> Code:
    match refused.problem:
        case NotFound():
            return Code.NOT_FOUND
        case PermissionDenied():
            return Code.FORBIDDEN
        case Unavailable():
            return Code.UNAVAILABLE
        case RateLimited():
            return Code.LIMIT_EXCEEDED
        case _:
            return Code.BAD_USER_INPUT


def errors_of(cause: Exception) -> list[dict[str, Any]]:
    """Answer the errors to show for whatever stopped a request."""
    if isinstance(cause, RequestRefused):
        return [formatted(error) for error in cause.errors]
    message, extensions = _explained(cause)
    return [{"message": message, "extensions": extensions}]
