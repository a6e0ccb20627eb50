"""How long it took from a commit of the source to a deployment of what was built from it."""

from adapters.wiring import Ports
from gitops.commits import DeploymentRecord
from gitops.messages import source_committed_at
from jobs.origins import messages_behind


def lead_seconds(ports: Ports, project: str, deployment: DeploymentRecord) -> float | None:
    """Followed back through promotions to the deployment of the build; None when no trusted commit tells it."""
    for message in messages_behind(ports, project, deployment):
        moment = source_committed_at(message, deployment.service)
        if moment is not None:
            return max(0.0, (deployment.commit.git.committed_at - moment).total_seconds())
    return None
