"""Asks a running API whether everything is ready, and what is not."""

import http.client
import json

ANSWER_SECONDS = 1.0


def missing(host: str, port: int) -> str:
    """Say what is not ready yet, in words; empty when everything is."""
    connection = http.client.HTTPConnection(_reachable(host), port, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/readyz?exclude=registry&exclude=cluster")
        answer = connection.getresponse()
        return "" if answer.status == http.client.OK else _reasons(answer.read())
    except (OSError, http.client.HTTPException):
        return "the API does not answer yet"
    finally:
        connection.close()


def _reachable(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - only compared with


def _reasons(body: bytes) -> str:
    """Name the components that are not healthy, with what they say."""
    try:
        components = json.loads(body)["components"]
        return "; ".join(f"{one['name']}: {one['message']}" for one in components if not one["healthy"]) or "the API"
    except (ValueError, LookupError, TypeError):
        return "the API is not ready yet"
