"""Where services run, as the head of their project says."""

from adapters.ports import Unreachable
from adapters.wiring import Ports
from api.reading.heads import Flights, head_of
from api.reading.repositories import place_of, views_of
from gitops.problems import NotFound, Refused


def require_service(ports: Ports, flights: Flights, project: str, environment: str, service: str) -> None:
    """Raise Refused(NotFound) unless a project has this environment and the environment this service; what cannot be
    read is not denied.
    """
    head = head_of(ports, flights, project)
    if head.sha is None:
        raise Refused(NotFound(f"There is no project {project}.", "project", project))
    (view,) = views_of(ports, [(project, head.sha)])
    place = place_of(project, head.sha, view, environment)
    if place is None:
        raise Refused(NotFound(f"Project {project} has no environment {environment}.", "environment", environment))
    if place.environment.services is not None and place.environment.service(service) is None:
        raise Refused(NotFound(f"Environment {environment} has no service {service}.", "service", service))


def is_removed(ports: Ports, flights: Flights, project: str, environment: str, service: str) -> bool:
    """Whether the head says that the service runs there no more; what does not answer says nothing."""
    try:
        require_service(ports, flights, project, environment, service)
    except Refused:
        return True
    except Unreachable:
        return False
    return False
