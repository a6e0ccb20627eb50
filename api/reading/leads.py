"""How long it took from a commit of the source to a deployment of what was built from it."""

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from gitops.commits import CommitKind, DeploymentRecord
from gitops.messages import FROM_COMMIT, Message, parse, source_committed_at

_MOST_PROMOTIONS = 20
"""On the way of one image: more than any pipeline has environments."""


def lead_seconds(ports: Ports, project: str, deployment: DeploymentRecord) -> float | None:
    """Followed back through promotions to the deployment of the build; None when no trusted commit tells it."""
    at: DeploymentRecord | None = deployment
    for _ in range(_MOST_PROMOTIONS):
        if at is None or not at.commit.git.trusted:
            return None
        message = parse(at.commit.git.message)
        moment = source_committed_at(message, at.service)
        if moment is not None:
            return max(0.0, (deployment.commit.git.committed_at - moment).total_seconds())
        at = _promoted(ports, project, at, message)
    return None


def _promoted(ports: Ports, project: str, promotion: DeploymentRecord, message: Message) -> DeploymentRecord | None:
    """The deployment in the source environment that a promotion read."""
    read_at = message.first(FROM_COMMIT)
    if message.form is None or message.kind is not CommitKind.PROMOTE or read_at is None:
        return None
    try:
        found = ports.history.current(project, read_at).get((message.form.origin, promotion.service))
    except MissingCommit:
        return None
    return found if found and found.image == promotion.image else None
