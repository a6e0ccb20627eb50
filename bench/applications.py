"""300 Applications watched by one observer: processor seconds in a minute of nothing and in one in which 30 of them are
deployed to, and memory; against the plainest reader of the same Argo CD, and against a tenth as many Applications.

Argo CD is the tests' fake, in a process of its own: it replays recorded rollouts of the real one, 300 at once, on two
cores. It costs the observer what the real one does; what it costs itself is not measured.
"""

import os
import time
from pathlib import Path

from bench import _argocd, _support
from tests.support.argocd_state import TOKEN
from tests.support.product import Product
from tests.support.up import running

ENVIRONMENTS = tuple(f"e{number}" for number in range(10))
FEW = 3
MANY = 30
SECONDS = 60.0
CHANGED = 30
QUERY = """query ($first: Int!) { projects(first: $first) { nodes { environments {
  status { health resources { name } } } } } }"""


def main() -> None:
    """Print the figures."""
    with _support.folder() as place, _argocd.running("serve", str(place / "data")) as (_, url):
        settings = {"LUCITY_DELIVERY": "argocd", "LUCITY_ARGOCD_URL": url, "LUCITY_ARGOCD_TOKEN": TOKEN}
        with (
            running(place / "data", variables=settings) as up,
            _argocd.running("read", url) as (reader, _),
        ):
            product = Product(up)
            begun = 0
            for projects in (FEW, MANY):
                for number in range(begun, projects):
                    found(product, f"p{number}")
                begun = projects
                settled(product, projects)
                _support.title(f"{projects * len(ENVIRONMENTS)} Applications, one observer")
                minute(product, reader, "nothing happens", 0)
                minute(product, reader, f"{CHANGED} are deployed to", projects)
            product.asks.close()


def found(product: Product, name: str) -> None:
    """A project whose environments all run something."""
    ask = product.asks
    made = ask.change("createProject", name=name, environments=list(ENVIRONMENTS))
    ask.succeeded(made, ask.change("addService", project=name, name="api", image=f"registry.local/{name}", port=8080))
    ask.succeeded(*(ask.deploy(name, "api", "v1", environment) for environment in ENVIRONMENTS))


def settled(product: Product, projects: int) -> None:
    """Return once every environment is healthy, with its resources told, and nothing was for a while."""

    def well() -> bool:
        nodes = product.asks.insist(QUERY, {"first": projects})["projects"]["nodes"]
        statuses = [environment["status"] for node in nodes for environment in node["environments"]]
        return all(status["health"] == "HEALTHY" and status["resources"] for status in statuses)

    product.up.wait("all to be healthy", well, 600)
    observer = product.up.child("observer")
    while spent(observer, 5.0) > 1.0:
        continue


def minute(product: Product, reader: int, what: str, projects: int) -> None:
    """Print what a minute costs, while some environments are deployed to."""
    observer = product.up.child("observer")
    before = {process: processor_seconds(process) for process in (observer, reader)}
    until = time.monotonic() + SECONDS
    for number in range(CHANGED if projects else 0):
        product.asks.deploy(f"p{number % projects}", "api", f"v2-{projects}", ENVIRONMENTS[number // projects])
    time.sleep(max(0.0, until - time.monotonic()))
    ours, plain = (processor_seconds(process) - seconds for process, seconds in before.items())
    print(
        f"  {what:22}  observer {ours:6.2f} s of a processor, {resident(observer):4.0f} MiB;"
        f"  plain reader {plain:5.2f} s, {resident(reader):4.0f} MiB;  {ours / max(plain, 0.01):.1f}x",
        flush=True,
    )


def spent(process: int, seconds: float) -> float:
    """Processor seconds in so many seconds."""
    before = processor_seconds(process)
    time.sleep(seconds)
    return processor_seconds(process) - before


def processor_seconds(process: int) -> float:
    """What a process has used, and those that it waited for."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def resident(process: int) -> float:
    """Memory of a process, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


if __name__ == "__main__":
    main()
