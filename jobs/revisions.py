"""What people call a commit, made into the one commit that it is."""

from adapters.wiring import Ports
from gitops.names import Revision
from gitops.problems import NotFound, Refused, invalid
from jobs import heads


def find_commit(ports: Ports, project: str, revision: str, field: str) -> str:
    """The full SHA of a revision in the project's history. Raises Refused: InvalidInput on `field`, NotFound."""
    try:
        Revision.parse(revision)
    except Refused as refused:
        raise invalid(field, refused.problem.message) from None
    head = heads.current(ports, project)
    if head.sha is None:
        raise Refused(
            NotFound(f"There is no project {project}: create it first, or check the name.", "project", project)
        )
    found = ports.history.find(project, head.sha, [revision]).get(revision)
    if found is None:
        message = f"The history of {project} has no commit {revision}, or several: give its full SHA as it is listed."
        raise Refused(NotFound(message, "commit", revision))
    return found.git.sha
