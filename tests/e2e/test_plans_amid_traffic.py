"""Plans and promotions while others deploy and push by hand: real processes, real Git, many clients at once."""

import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from gitops.messages import FROM_COMMIT, parse
from tests.support.clients import Client
from tests.support.git import Clone, git
from tests.support.product import Product, product

SERVICES = ("api", "cart", "web")
PLACES = ("development", "staging", "production")
SHOWN = "token subject noChange base { sha } items { service to { tag } } changes { path key kind before after }"
PLAN = f"query ($input: %s!) {{ plan: %s(input: $input) {{ __typename ... on PromotionPlan {{ {SHOWN} }} }} }}"
CHANGE = f"""mutation ($input: %s!) {{ done: %s(input: $input) {{ __typename ... on Problem {{ message }}
    ... on PlanStale {{ plan {{ {SHOWN} }} }} ... on Job {{ id }} }} }}"""
JOB = f"""query ($id: ID!) {{ job(id: $id) {{ state noChange
    error {{ __typename ... on PlanStale {{ plan {{ {SHOWN} }} }} }}
    commit {{ sha subject parents changes {{ path key kind before after }} }} }} }}"""
PROMOTION: dict[str, object] = {"project": "shop", "from": "development", "to": "staging"}
Given = Mapping[str, object]


@dataclass(frozen=True)
class Outcome:
    """A plan, and what became of the change that was sent with its token: the job, or the new plan."""

    plan: dict[str, Any]
    job: dict[str, Any] | None
    new: dict[str, Any] | None


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("plans") / "data") as started:
        made = [started.asks.change("createProject", name="shop", environments=list(PLACES))]
        for name in SERVICES:
            image = f"registry.example.com/shop/{name}"
            made.append(started.asks.change("addService", project="shop", name=name, image=image))
        made += [deploy(started.asks, place, "v0") for place in PLACES]
        started.asks.succeeded(*made)
        yield started


def deploy(client: Client, environment: str, tag: str, services: tuple[str, ...] = SERVICES) -> str:
    images = [{"service": name, "tag": tag} for name in services]
    return client.change("deploy", project="shop", environment=environment, services=images)


def plan_of(client: Client, mutation: str, given: Given) -> dict[str, Any]:
    kind = f"{mutation.capitalize()}Input"
    query = {"promote": "promotionPlan", "rollback": "rollbackPlan"}[mutation]
    plan: dict[str, Any] = client.insist(PLAN % (kind, query), {"input": given})["plan"]
    assert plan["__typename"] == "PromotionPlan", plan
    return plan


def carried_out(client: Client, mutation: str, given: Given, plan: dict[str, Any]) -> Outcome:
    """Send the change with the plan's token, and wait for what becomes of it."""
    kind = f"{mutation.capitalize()}Input"
    answer = client.insist(CHANGE % (kind, mutation), {"input": {**given, "planToken": plan["token"]}})["done"]
    if answer["__typename"] == "PlanStale":
        return Outcome(plan, None, answer["plan"])
    assert answer["__typename"] == "Job", answer
    client.ended([answer["id"]])
    job: dict[str, Any] = client.insist(JOB, {"id": answer["id"]})["job"]
    if job["state"] == "SUCCEEDED":
        return Outcome(plan, job, None)
    assert job["error"]["__typename"] == "PlanStale", job
    return Outcome(plan, None, job["error"]["plan"])


@contextmanager
def meanwhile(lucity: Product, *works: Callable[[Client], object]) -> Iterator[None]:
    """Do all of these again and again, each with a client of its own, until the block ends."""
    over = threading.Event()

    def repeat(work: Callable[[Client], object]) -> int:
        with closing(lucity.client()) as client:
            for done in count(1):
                work(client)
                if over.is_set():
                    return done
        raise AssertionError("a count does not end")

    with ThreadPoolExecutor(len(works)) as threads:
        running = [threads.submit(repeat, work) for work in works]
        try:
            yield
        finally:
            over.set()
        assert all(each.result() for each in running)


def deploying(environment: str, services: tuple[str, ...] = SERVICES) -> Callable[[Client], object]:
    numbers = count()
    return lambda client: client.succeeded(deploy(client, environment, f"{environment}-{next(numbers)}", services))


def pushing(lucity: Product, folder: Path) -> Callable[[Client], object]:
    """Pushes by hand, of a file that no plan looks at."""
    clone, numbers = Clone.of(lucity.up.git_url("shop"), folder), count()

    def push(_: Client) -> None:
        clone.commit("by hand", {"notes.txt": f"{next(numbers)}\n"})
        lucity.up.wait("the push by hand", lambda: pushed(clone))

    return push


def pushed(clone: Clone) -> bool:
    git(clone.folder, "pull", "--quiet", "--rebase", "origin", "main")
    return "!" not in git(clone.folder, "push", "--porcelain", "origin", "HEAD:refs/heads/main", check=False)


def check(lucity: Product, outcome: Outcome, *folders: str) -> str:
    """That the plan was done exactly, or answered by another one; which of the two."""
    plan, repository = outcome.plan, lucity.repository("shop")
    if outcome.job is None:
        assert outcome.new is not None
        assert outcome.new["token"] != plan["token"]
        return "stale"
    commit = outcome.job["commit"]
    assert outcome.job["noChange"] is (commit is None) is plan["noChange"]
    if commit is None:
        return "nothing"
    assert (commit["subject"], untimed(commit["changes"])) == (plan["subject"], untimed(plan["changes"]))
    (parent,) = commit["parents"]
    for place in ("base", "project.yaml", *folders):
        seen, built_on = (git(repository, "rev-parse", f"{sha}:{place}") for sha in (plan["base"]["sha"], parent))
        assert seen == built_on, place
    return "done"


def untimed(changes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Without the moment since when a hold stands: it is that of the commit."""
    return [change for change in changes if not change["key"].endswith(".since")]


def test_a_plan_is_done_exactly_or_answered_anew_whatever_others_do(lucity: Product, tmp_path: Path) -> None:
    made = lucity.asks.succeeded(*(deploy(lucity.asks, "production", tag, ("api",)) for tag in ("one", "two")))
    held = {"project": "shop", "environment": "production", "services": ["api"], "override": True, "reason": "back"}
    kinds: list[tuple[str, Given, tuple[str, ...]]] = [
        ("promote", PROMOTION, ("environments/development", "environments/staging")),
        *(("rollback", {**held, "to": job["commit"]["sha"]}, ("environments/production",)) for job in made),
    ]
    told = []
    traffic = [deploying("development"), deploying("staging", ("web",)), deploying("production", ("cart", "web"))]
    with meanwhile(lucity, *traffic, pushing(lucity, tmp_path / "clone")):
        for mutation, given, folders in kinds * 6:
            plan = plan_of(lucity.asks, mutation, given)
            told.append(check(lucity, carried_out(lucity.asks, mutation, given, plan), *folders))
    assert "stale" in told
    quiet = [check(lucity, planned_and_done(lucity, mutation, given), *folders) for mutation, given, folders in kinds]
    assert quiet in (["done", "done", "done"], ["done", "nothing", "done"])


def planned_and_done(lucity: Product, mutation: str, given: Given) -> Outcome:
    return carried_out(lucity.asks, mutation, given, plan_of(lucity.asks, mutation, given))


def test_what_happens_elsewhere_makes_no_plan_stale(lucity: Product, tmp_path: Path) -> None:
    with meanwhile(lucity, deploying("production", ("cart", "web")), pushing(lucity, tmp_path / "clone")):
        for number in range(8):
            lucity.asks.succeeded(deploy(lucity.asks, "development", f"here-{number}"))
            outcome = planned_and_done(lucity, "promote", PROMOTION)
            assert check(lucity, outcome, "environments/development", "environments/staging") == "done"


def test_a_plan_that_others_overtook_is_answered_with_one_that_can_be_done(lucity: Product) -> None:
    plan = plan_of(lucity.asks, "promote", PROMOTION)
    lucity.asks.succeeded(deploy(lucity.asks, "development", "overtaking"))
    outcome = carried_out(lucity.asks, "promote", PROMOTION, plan)
    assert check(lucity, outcome) == "stale"
    assert outcome.new is not None
    assert {item["to"]["tag"] for item in outcome.new["items"]} == {"overtaking"}
    again = carried_out(lucity.asks, "promote", PROMOTION, outcome.new)
    assert check(lucity, again, "environments/development", "environments/staging") == "done"


def test_promotions_of_whole_environments_at_once_never_interleave(lucity: Product) -> None:
    lucity.asks.succeeded(deploy(lucity.asks, "development", "even"), deploy(lucity.asks, "staging", "even"))
    onward = {"project": "shop", "from": "staging", "to": "production", "override": True, "reason": "held since"}
    ways: list[dict[str, object]] = [PROMOTION, onward]

    def promote(number: int) -> list[str]:
        with closing(lucity.client()) as client:
            return [client.change("promote", **ways[(number + turn) % 2]) for turn in range(5)]

    with meanwhile(lucity, deploying("development")), ThreadPoolExecutor(6) as threads:
        jobs = [job for some in threads.map(promote, range(6)) for job in some]
        ended = lucity.asks.succeeded(*jobs)
    commits = [job["commit"]["sha"] for job in ended if job["commit"]]
    assert len({*commits}) == len(commits) > 1
    for sha in commits:
        assert_whole(lucity.repository("shop"), sha)


def assert_whole(repository: Path, sha: str) -> None:
    """A promotion's commit: every service of the target runs what the source ran just before it."""
    message = parse(git(repository, "log", "-1", "--format=%B", sha))
    assert message.form is not None
    target, source = message.form.environment, message.form.origin
    parent = git(repository, "rev-parse", f"{sha}^")
    assert message.all(FROM_COMMIT) == (parent,)
    now, then = (
        tags(repository, f"{at}:environments/{place}/values.yaml") for at, place in ((sha, target), (parent, source))
    )
    assert now == then
    assert len({*now}) == 1, "every deployment put one tag everywhere"


def tags(repository: Path, file: str) -> list[str]:
    """The tags of all services in a file, in their order."""
    lines = git(repository, "show", file).splitlines()
    return [line.split()[-1] for line in lines if line.strip().startswith("tag:")]
