"""Request bodies and query strings, read within bounds."""

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from starlette.requests import Request

from api.transport.errors import Code, refusal

_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


async def read_body(request: Request, limit: int) -> bytes:
    """Read a body of at most `limit` bytes; a longer one is refused (413) as soon as that is known."""
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > limit:
        _too_large(limit, int(declared[:20]))
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            _too_large(limit, size)
        chunks.append(chunk)
    return b"".join(chunks)


def parse_json(body: bytes | str) -> Any:
    """Parse strict JSON in UTF-8. Raises RequestRefused (400)."""
    try:
        text = body if isinstance(body, str) else body.decode()
        content = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise refusal(Code.BAD_USER_INPUT, "The body is not JSON in UTF-8") from error
    if "\\ud" in text.lower() and _LONE_SURROGATE.search(json.dumps(content, ensure_ascii=False)):
        raise refusal(Code.BAD_USER_INPUT, "The body holds half of a surrogate pair")
    return content


def require_json(request: Request) -> None:
    """Refuse (415) any other content type: it is also what keeps forms of other sites out."""
    media, _, parameters = request.headers.get("content-type", "").partition(";")
    charset = re.search(r"charset=\"?([^\s;\"]+)", parameters.lower())
    if media.strip().lower() != "application/json" or (charset and charset[1] not in {"utf-8", "utf8"}):
        raise refusal(Code.BAD_USER_INPUT, "Send Content-Type: application/json, in UTF-8", 415)


def query_parameters(query: Mapping[str, str]) -> dict[str, Any]:
    """Answer the parameters of a GET; `variables` and `extensions` are JSON in it."""
    content: dict[str, Any] = dict(query)
    for name in ("variables", "extensions"):
        if content.get(name):
            content[name] = parse_json(content[name])
        else:
            content.pop(name, None)
    return content


def _too_large(limit: int, actual: int) -> NoReturn:
    message = f"Limit exceeded: body: {limit} bytes allowed, {actual} or more sent"
    raise refusal(Code.LIMIT_EXCEEDED, message, 413, Connection="close")


def _no_constant(name: str) -> NoReturn:
    raise ValueError(name)
