"""Builds: what Lucity adds to `buildah bud` and `buildah push` by hand, and how soon a webhook is a queued job.

Needs Buildah and docker-registry; says so and ends well where they are not.
"""

import shutil
import subprocess
from collections.abc import Callable
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from bench import _reference, _support
from bench.admission import post
from tests.support.product import Product
from tests.support.registry import start_registry
from tests.support.source_site import SECRET, SourceSite, signed

BUILDS = 3
DELIVERIES = 300
SECONDS = 10
DOCKERFILE = f"""FROM scratch
COPY busybox /bin/busybox
COPY text /text
RUN ["/bin/busybox", "sleep", "{SECONDS}"]
"""
SECRET_SET = """mutation($value: String!) {
  setProjectSecret(input: {project: "shop", name: "webhook", value: $value}) { __typename } }"""


def main() -> None:
    """Print the figures."""
    if missing := [name for name in ("buildah", "docker-registry", "busybox") if shutil.which(name) is None]:
        print(f"builds are not measured: there is no {', '.join(missing)}")
        return
    with _support.folder() as folder, start_registry(folder / "registry") as registry:
        settings = {
            "LUCITY_REGISTRY": registry.address,
            "LUCITY_REGISTRY_INSECURE": "true",
            "LUCITY_ALLOW_LOCAL_SOURCES": "true",
        }
        with _support.lucity(**settings) as product:
            site = SourceSite.make(folder / "site")
            found(product, registry.address, site)
            builds(product, registry.address, site, folder)
            webhooks(product, site)


def found(product: Product, registry: str, site: SourceSite) -> None:
    """Project shop, whose service api is built from the site; a branch that nobody pushes to is followed."""
    asks = product.asks
    source = {"repositoryUrl": site.url}
    made = [asks.change("createProject", name="shop", environments=["development"])]
    made.append(asks.change("addService", project="shop", name="api", image=f"{registry}/shop/api", source=source))
    values = [{"key": "branches.quiet", "value": ["development"]}]
    made.append(asks.change("updateProject", project="shop", values=values))
    asks.succeeded(*made)
    asks.ask(SECRET_SET, {"value": SECRET})


def builds(product: Product, registry: str, site: SourceSite, folder: Path) -> None:
    """One build of ten seconds, by hand and through Lucity, each of a source that nobody built before."""
    numbers = count()

    def commit() -> None:
        site.commit({"Dockerfile": DOCKERFILE, "text": str(next(numbers))})

    def through_lucity() -> None:
        product.asks.succeeded(product.asks.change("build", project="shop", service="api"))

    samples: dict[str, list[float]] = {"buildah by hand": [], "build through Lucity": []}
    for turn in range(BUILDS + 1):
        commit()
        by_hand = _support.seconds(lambda: build_by_hand(registry, site, folder))
        commit()
        built = _support.seconds(through_lucity)
        if turn:  # the first fills the caches
            samples["buildah by hand"].append(by_hand)
            samples["build through Lucity"].append(built)
    _support.title(f"a build of {SECONDS} s and its push")
    _support.show(samples, "buildah by hand")


def build_by_hand(registry: str, site: SourceSite, folder: Path) -> None:
    """As a person would, with a store of its own."""
    store = ["buildah", "--root", str(folder / "root"), "--runroot", str(folder / "runroot"), "--storage-driver", "vfs"]
    image = f"{registry}/by-hand/api:latest"
    clone = folder / "checkout"
    shutil.rmtree(clone, ignore_errors=True)
    run(["git", "clone", "--quiet", "--depth", "1", site.url, str(clone)])
    run([*store, "bud", "--isolation", "chroot", "--layers", "-t", image, str(clone)])
    run([*store, "push", "--tls-verify=false", image])


def run(command: list[str]) -> None:
    """One command, without its output."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def webhooks(product: Product, site: SourceSite) -> None:
    """A delivery for a followed branch, until its answer: the job is in the ledger then."""
    with _reference.running(product) as address:
        subjects = {"empty route, one durable write": post(address, "/write", dict), "webhook": deliver(product, site)}
        _support.title("webhook to queued job")
        _support.show(_support.in_turns(DELIVERIES, subjects, warm=10), "empty route, one durable write")


def deliver(product: Product, site: SourceSite) -> Callable[[], None]:
    """One more delivery by every call, over a connection that is kept."""
    connection = HTTPConnection(urlsplit(product.up.url).netloc)
    numbers = count()

    def call() -> None:
        body = site.delivery(f"{next(numbers):040x}", "quiet")
        connection.request("POST", "/webhooks/github/shop", body, signed(body))
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 202, text

    return call


if __name__ == "__main__":
    main()
