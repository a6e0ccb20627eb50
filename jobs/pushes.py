"""What a forge's deliveries lead to: a push builds the services that follow its branch; requests are previews.py's.

A delivery is a doorbell: each build looks at the branch itself when it begins, so the order of deliveries is no matter.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from adapters.forges.addresses import same_repository
from adapters.forges.deliveries import Author, Delivery, Ping, PullRequest, Push
from adapters.records import JobRecord
from adapters.tokens import Identity
from adapters.wiring import Ports
from gitops import repository
from gitops.changes import Actor, ActorKind, Change
from gitops.operations.builds import Build
from gitops.problems import RateLimited, Refused, Unavailable
from gitops.services import Service
from jobs import heads
from jobs.admission import admit

ACTOR_PREFIX: Final = "webhook_"
"""What the id of an actor begins with whom a forge named."""


@dataclass(frozen=True)
class Accepted:
    """The jobs that a delivery led to, in order; `ignored` says why there are none."""

    jobs: tuple[JobRecord, ...] = ()
    ignored: str | None = None


@dataclass(frozen=True)
class Asking:
    """Who asks for jobs, why, and the key that theirs follow from: the same asking again leads to the same jobs, but
    without a key to new ones.
    """

    actor: Actor
    key: str | None
    reason: str


def accept(ports: Ports, project: str, forge: str, delivery: Delivery) -> Accepted:
    """Admit what a delivery asks for; the same delivery again leads to the same jobs. Raises Refused only for what may
    pass if it is sent again (Unavailable, RateLimited), and Unreachable.
    """
    from jobs.previews import accept_request  # noqa: PLC0415 - which builds as pushes do

    match delivery:
        case Ping():
            return Accepted(ignored="a ping: the webhook works")
        case Push():
            return _accept_push(ports, project, forge, delivery)
        case PullRequest():
            return accept_request(ports, project, forge, delivery)


def _accept_push(ports: Ports, project: str, forge: str, push: Push) -> Accepted:
    if push.after is None:
        return Accepted(ignored=f"the branch {push.branch} was deleted")
    known = read(ports, project)
    if known is None:
        return Accepted(ignored=f"there is no project {project}")
    places = following(known, push.branch)
    if not places:
        return Accepted(ignored=f"no environment follows the branch {push.branch}: see branches in project.yaml")
    services = built_from(known, push.repository_urls)
    if not services:
        return Accepted(ignored="no service is built from this repository")
    changes = [Build(project, name, push.after, places, branch=push.branch) for name in services]
    asking = Asking(actor_of(forge, push.author), f"{forge}:{push.delivery_id}", f"push to {push.branch}")
    accepted = admit_all(ports, asking, changes)
    for job in accepted.jobs:
        ports.followed.note(project, job.services[0], push.branch, push.after)
    return accepted


def read(ports: Ports, project: str) -> repository.Repository | None:
    """A project as its head says; None when there is none."""
    head = heads.current(ports, project).sha
    return None if head is None else repository.read(ports.repositories.snapshot(project, head))


def following(known: repository.Repository, branch: str) -> tuple[str, ...]:
    """The environments that follow a branch, those that there are."""
    names = known.settings.branches.get(branch, ())
    return tuple(name for name in names if known.environment(name) is not None)


def built_from(known: repository.Repository, urls: Sequence[str]) -> list[str]:
    """The services whose source is one of these repositories."""

    def matches(service: Service) -> bool:
        source = service.source
        return source is not None and any(same_repository(source.repository_url, url) for url in urls)

    return [service.name for service in known.services or () if matches(service)]


def admit_all(ports: Ports, asking: Asking, changes: Iterable[Change]) -> Accepted:
    """Admit changes under keys that follow from one. What is refused for good is told and passed over."""
    jobs, refusals = list[JobRecord](), list[str]()
    for change in changes:
        try:
            jobs.append(_admit(ports, asking, change))
        except Refused as refusal:
            if isinstance(refusal.problem, Unavailable | RateLimited):
                raise
            refusals.append(refusal.problem.message)
    return Accepted(tuple(jobs), "; ".join(dict.fromkeys(refusals)) or None)


def _admit(ports: Ports, asking: Asking, change: Change) -> JobRecord:
    named = f"{type(change).__name__}:{','.join(change.services or change.environments)}"
    key = None if asking.key is None else f"{asking.key}:{change.project}:{named}"
    return admit(
        ports,
        asking.actor,
        change,
        key=key,
        reason=asking.reason,
        expected_head=None,
        mutation="webhook",
        arguments={"key": key},
    )


def actor_of(forge: str, author: Author) -> Actor:
    """Who a delivery's commits are by: the person as the forge names them, as automation."""
    identity = Identity(forge, f"{forge}@localhost")
    for email in (author.email, identity.email):
        try:
            identity = Identity.parse(author.name, email)
            break
        except Refused:
            continue
    return Actor(f"{ACTOR_PREFIX}{forge}", identity.name, identity.email, ActorKind.AUTOMATION)
