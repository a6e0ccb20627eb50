"""Webhook endpoints, created and deleted with what belongs to them."""

from adapters.endpoint_list import Endpoint
from adapters.endpoints import MOST_ENDPOINTS
from adapters.judged_calls import judge_url
from adapters.outbound import Delivery
from adapters.wiring import Ports
from gitops.changes import Actor
from gitops.operations.checks import Checks
from gitops.problems import NotFound, Refused, invalid
from jobs import heads
from jobs.outbound_messages import TYPES


def create(ports: Ports, actor: Actor, url: str, events: tuple[str, ...], project: str | None) -> tuple[Endpoint, str]:
    """A new endpoint and its secret. Raises Refused: InvalidInput, NotFound; and Unreachable."""
    judge_url(url, local=ports.settings.allow_local_sources)
    known = {*TYPES, *(type_.partition(".")[0] for type_ in TYPES)}
    if wrong := [event for event in events if event not in known]:
        raise invalid("events", f"{wrong[0][:40]!r} is no event: there are {', '.join(sorted(known))}.")
    if project is not None:
        checks = Checks()
        checks.project(project)
        checks.finish()
        heads.require(ports, project)
    if len(ports.endpoints.list(fresh=True)) >= MOST_ENDPOINTS:
        raise invalid("url", f"There are {MOST_ENDPOINTS} endpoints already: delete one first.")
    return ports.endpoints.create(actor, url, events, project)


def delete(ports: Ports, actor: Actor, endpoint_id: str) -> Endpoint:
    """Remove an endpoint and what was queued for it. Raises Refused(NotFound) and Unreachable."""
    deleted = ports.endpoints.delete(actor, endpoint_id)
    ports.outbound.forget(endpoint_id)
    return deleted


def again(ports: Ports, delivery_id: str) -> Delivery:
    """Make a delivery due now. Raises Refused(NotFound) for one that is not kept."""
    found = ports.outbound.again(delivery_id)
    if found is None:
        raise Refused(NotFound(f"There is no delivery {delivery_id[:60]} (any more).", "delivery", delivery_id[:60]))
    return found
