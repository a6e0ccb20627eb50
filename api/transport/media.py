"""Which media types a client takes: RFC 9110 section 12.5.1, as far as GraphQL needs it."""

from dataclasses import dataclass

from api.transport.errors import Code, DocumentRefused, RequestRefused, refusal

JSON = "application/json"
GRAPHQL = "application/graphql-response+json"
EVENTS = "text/event-stream"


@dataclass(frozen=True)
class Accepted:
    """What the client takes: `answer` for one result (None: none of ours), `events` whether a stream."""

    answer: str | None
    events: bool


def negotiate(accept: str) -> Accepted:
    """Answer the client's wishes; without any it is JSON. Raises RequestRefused (406) when nothing is acceptable."""
    if not accept.strip():
        return Accepted(JSON, events=False)
    qualities = dict(_parse(part) for part in accept.split(","))
    # A stream is only for those who name it: */* asks for one answer.
    events = qualities.get(EVENTS, 0.0) > 0
    named = {media: qualities[media] for media in (GRAPHQL, JSON) if media in qualities}
    best = max(named, key=lambda media: named[media], default=JSON)
    quality = named.get(best, qualities.get("application/*", qualities.get("*/*", 0.0)))
    if quality <= 0 and not events:
        raise refusal(Code.BAD_USER_INPUT, f"This endpoint answers with {JSON}, {GRAPHQL} and {EVENTS}", 406)
    return Accepted(best if quality > 0 else None, events)


def status_of(refused: RequestRefused, media: str | None) -> int:
    """Answer the HTTP status: in application/json a well-formed request is 200, whatever its document says."""
    return 200 if media == JSON and isinstance(refused, DocumentRefused) else refused.status


def _parse(text: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return media, float(value)
            except ValueError:
                return media, 0.0
    return media, 1.0
