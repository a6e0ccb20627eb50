"""A shop in production whose commits are taken back, and that is rolled back."""

from adapters.records import JobRecord
from gitops.changes import Change
from gitops.commits import CommitRecord
from gitops.operations import AddService, CreateProject, Deploy, ServiceImage
from gitops.repository import images
from gitops.tree import Tree
from jobs.reverts import revert_of
from tests.support.lab import Lab


def in_production(lab: Lab, *others: str) -> Lab:
    """Services api and web, deployed to production twice; environments that nobody looks after, the others empty."""
    lab.settle(CreateProject("shop", ("production", *others)))
    services = [AddService("shop", name, f"registry.example.com/{name}") for name in ("api", "web")]
    lab.carry(*services, deploy("one"), deploy("two"))
    return lab


def deploy(tag: str, *names: str) -> Deploy:
    return Deploy("shop", "production", tuple(ServiceImage(name, tag) for name in names or ("api", "web")))


def head(lab: Lab) -> str:
    return lab.ports.events.heads(["shop"])["shop"]


def tree(lab: Lab, sha: str | None = None) -> Tree:
    return lab.ports.repositories.snapshot("shop", sha or head(lab))


def files(of: Tree) -> dict[str, bytes | None]:
    return {path: of.read(path) for path in of.files("")}


def running(lab: Lab) -> dict[str, str]:
    return {name: image.tag for name, image in (images(tree(lab), "production") or {}).items()}


def record(lab: Lab, sha: str) -> CommitRecord:
    return lab.ports.history.find("shop", head(lab), [sha])[sha]


def done(lab: Lab, change: Change, *, reason: str | None = None) -> str:
    """The commit of a change that landed."""
    job = ended(lab, change, reason=reason)
    assert job.commit is not None, job
    return job.commit


def ended(lab: Lab, change: Change, *, reason: str | None = None) -> JobRecord:
    with lab.observer():
        job = lab.admit(change, reason=reason)
        lab.work("shop")
        return lab.ended(job.id)


def reverted(lab: Lab, sha: str) -> str:
    return done(lab, revert_of(lab.ports, "shop", sha))
