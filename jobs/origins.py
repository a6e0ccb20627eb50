"""Where a deployed image comes from: followed back through promotions to the deployment of what was built."""

from collections.abc import Iterator

from adapters.ports import MissingCommit
from adapters.wiring import Ports
from gitops.commits import CommitKind, DeploymentRecord
from gitops.messages import FROM_COMMIT, Message, parse

_MOST_PROMOTIONS = 20
"""On the way of one image: more than any pipeline has environments."""


def messages_behind(ports: Ports, project: str, deployment: DeploymentRecord) -> Iterator[Message]:
    """What the commits say that brought an image to where it is, from its promotions back to its deploy; up to the
    first that is not trusted.
    """
    at: DeploymentRecord | None = deployment
    for _ in range(_MOST_PROMOTIONS):
        if at is None or not at.commit.git.trusted:
            return
        message = parse(at.commit.git.message)
        yield message
        at = _promoted(ports, project, at, message)


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
