"""What a look before the leap costs: a whole promotion planned, against `git diff` of the same two values files."""

from contextlib import closing

from api.reading.plans import show
from bench import _support
from gitops.layout import environment_values
from gitops.operations import AddService, CreateProject, Deploy, Promote, ServiceImage
from tests.support.git import git
from tests.support.lab import ANN, Lab, make_lab
from tests.support.valkey import valkey_server

SERVICES = tuple(f"service-{number:02}" for number in range(10))
ROUNDS = 100


def main() -> None:
    """Print the figures."""
    with _support.folder() as folder, valkey_server() as valkey, closing(make_lab(folder, valkey.url)) as lab:
        fill(lab)
        _support.title(f"a plan of {len(SERVICES)} services, development to staging")
        clone = lab.clone("shop")
        files = [f"HEAD:{environment_values(name)}" for name in ("staging", "development")]
        change = Promote("shop", "development", "staging")
        subjects = {
            "git diff": lambda: git(clone.folder, "diff", *files),
            "plan": lambda: show(lab.ports, ANN, change),
        }
        _support.show(_support.in_turns(ROUNDS, subjects), "git diff")


def fill(lab: Lab) -> None:
    """Ten services that run in development, and older versions of them in staging."""
    with lab.observer():
        lab.admit(CreateProject("shop", ("development", "staging")))
        lab.work("shop")
        lab.wait("the project", lambda: not lab.ports.ledger.unfinished(["shop"])["shop"] or None)
    lab.carry(*(AddService("shop", name, f"registry.example.com/shop/{name}", port=8080) for name in SERVICES))
    for environment, tag in (("staging", "v1"), ("development", "v2")):
        lab.carry(Deploy("shop", environment, tuple(ServiceImage(name, tag) for name in SERVICES)))


if __name__ == "__main__":
    main()
