"""What runs where: every service in every environment with its rollout and health, over real Git and a real Valkey."""

from datetime import UTC, datetime, timedelta

from adapters.records import RolloutRecord
from api.reading.statuses import silent
from gitops.operations.deployments import Deploy, ServiceImage, SourceRevision
from gitops.operations.projects import CreateProject
from gitops.operations.promotions import Promote
from gitops.operations.services import AddService
from gitops.rollouts import (
    HealthStatus,
    Observation,
    ResourceStatus,
    Rollout,
    RolloutPhase,
    SyncStatus,
)
from gitops.times import rfc3339
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab

MATRIX = """query M($project: String!) { project(name: $project) { matrix { service { name } cells {
  environment { name } image { tag } health deployment { current actor { name } deployedAt previousImage { tag }
    commit { subject } job { id kind state } rollout { phase final stale } } } } } }"""
DEPLOYMENTS = """query D { environment(project: "shop", name: "development") { deployments(service: "api") { nodes {
  image { tag } previousImage { tag } current rollout { phase } actor { name } job { id } } } } }"""


LEADS = """query L($name: String!) { environment(project: "shop", name: $name) { deployments { nodes {
  image { tag } serviceName deployedAt leadTimeSeconds } } } }"""


def project(lab: Lab, name: str, services: tuple[str, ...], environments: tuple[str, ...]) -> None:
    """A project with everything deployed everywhere, of which no observer has seen anything."""
    created(lab, name, environments)
    filled(lab, name, services, environments)


def created(lab: Lab, name: str, environments: tuple[str, ...]) -> None:
    """An empty project."""
    lab.settle(CreateProject(name, environments))


def filled(lab: Lab, name: str, services: tuple[str, ...], environments: tuple[str, ...]) -> None:
    """Every service deployed everywhere."""
    lab.carry(*(AddService(name, service, f"registry.example.com/{name}/{service}", port=80) for service in services))
    images = tuple(ServiceImage(service, "a1") for service in services)
    lab.carry(*(Deploy(name, environment, images) for environment in environments))


def deploy(tag: str) -> Deploy:
    return Deploy("shop", "development", (ServiceImage("api", tag),))


def seen(lab: Lab, health: HealthStatus, phase: RolloutPhase, environment: str = "development") -> None:
    """Let the delivery say this of service api and of the newest commit."""
    head = lab.ports.repositories.head("shop") or ""
    resource = ResourceStatus("apps", "v1", "Deployment", "n", "api", "api", SyncStatus.SYNCED, health)
    observed = Observation(
        "shop", environment, None, SyncStatus.SYNCED, health, head, None, datetime.now(UTC), resources=(resource,)
    )
    verdict = RolloutRecord("shop", environment, head, Rollout(phase, final=True))
    lab.ports.statuses.observe([observed], [verdict], heads={})
    lab.ports.statuses.beat(0)


def test_what_was_heard_long_ago_is_stale(lab: Lab) -> None:
    lab.ports.statuses.beat(None)
    assert silent(lab.ports)
    lab.ports.statuses.beat(60)
    assert not silent(lab.ports)
    lab.ports.statuses.beat(200)
    assert silent(lab.ports)


def test_every_cell_tells_its_health_its_rollout_and_who_put_it_there(lab: Lab) -> None:
    project(lab, "shop", ("api", "web"), ("development", "staging"))
    (job,) = lab.carry(deploy("b2"))
    seen(lab, HealthStatus.HEALTHY, RolloutPhase.DEPLOYED)

    async def story(api: Api) -> None:
        rows = (await api.data(MATRIX, project="shop"))["project"]["matrix"]
        cells = {(row["service"]["name"], cell["environment"]["name"]): cell for row in rows for cell in row["cells"]}
        assert {key: (cell["image"]["tag"], cell["health"]) for key, cell in cells.items()} == {
            ("api", "development"): ("b2", "HEALTHY"),
            ("api", "staging"): ("a1", "UNKNOWN"),
            ("web", "development"): ("a1", "UNKNOWN"),
            ("web", "staging"): ("a1", "UNKNOWN"),
        }
        deployment = cells["api", "development"]["deployment"]
        assert deployment["job"] == {"id": job.id, "kind": "DEPLOY", "state": "SUCCEEDED"}
        assert deployment["rollout"] == {"phase": "DEPLOYED", "final": True, "stale": False}
        assert deployment["actor"] == {"name": "Ann"}
        assert deployment["previousImage"] == {"tag": "a1"}
        assert deployment["commit"]["subject"] == "deploy(development): api b2"
        assert cells["web", "development"]["deployment"]["commit"]["subject"] == "deploy(development): api a1, web a1"
        assert all(cell["deployment"]["current"] for cell in cells.values())

    with_api(lab, story)


def test_deployments_are_current_previous_or_superseded(lab: Lab) -> None:
    project(lab, "shop", ("api",), ("development", "staging"))
    seen(lab, HealthStatus.HEALTHY, RolloutPhase.DEPLOYED, "staging")
    jobs = lab.carry(deploy("b2"), deploy("c3"), Promote("shop", "development", "staging"), deploy("a1"))
    seen(lab, HealthStatus.HEALTHY, RolloutPhase.DEPLOYED)

    async def story(api: Api) -> None:
        nodes = (await api.data(DEPLOYMENTS))["environment"]["deployments"]["nodes"]
        told = [(one["image"]["tag"], one["current"], one["rollout"]["phase"]) for one in nodes]
        assert told == [
            ("a1", True, "DEPLOYED"),
            ("c3", False, "SUPERSEDED"),
            ("b2", False, "SUPERSEDED"),
            ("a1", False, "SUPERSEDED"),
        ]
        assert [one["previousImage"] and one["previousImage"]["tag"] for one in nodes] == ["c3", "b2", "a1", None]
        assert [one["job"]["id"] for one in nodes[:3]] == [jobs[3].id, jobs[1].id, jobs[0].id]
        assert {one["actor"]["name"] for one in nodes} == {"Ann"}

    with_api(lab, story)


def test_a_deployment_tells_how_long_it_took_from_the_commit_of_its_source(lab: Lab) -> None:
    project(lab, "shop", ("api", "web"), ("development", "staging", "production"))
    committed_at = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1)
    source = SourceRevision("5" * 40, rfc3339(committed_at))
    images = (ServiceImage("api", "b2", source=source), ServiceImage("web", "b2"))
    lab.carry(Deploy("shop", "development", images))
    lab.carry(Promote("shop", "development", "staging"), Promote("shop", "staging", "production"))
    lab.carry(Deploy("shop", "development", (ServiceImage("api", "c3"),)))

    async def story(api: Api) -> None:
        for place in ("development", "staging", "production"):
            nodes = (await api.data(LEADS, name=place))["environment"]["deployments"]["nodes"]
            told = {(one["serviceName"], one["image"]["tag"]): one for one in nodes}
            known = told.pop(("api", "b2"))
            took = datetime.fromisoformat(known["deployedAt"]) - committed_at
            assert known["leadTimeSeconds"] == took.total_seconds(), place
            assert {one["leadTimeSeconds"] for one in told.values()} == {None}

    with_api(lab, story)


def test_a_large_matrix_asks_as_often_as_a_small_one(lab: Lab) -> None:
    everywhere = ("development", "production", "staging")
    created(lab, "small", ("development",))
    created(lab, "large", everywhere)
    filled(lab, "small", ("api",), ("development",))
    filled(lab, "large", ("api", "db", "jobs", "web"), everywhere)

    async def story(api: Api) -> None:
        async def cost(name: str, cells: int) -> int:
            """Round trips to Redis; the least of several, because the followed log is read now and then too."""
            trips = []
            for _ in range(5):
                before = round_trips(lab)
                rows = (await api.data(MATRIX, project=name))["project"]["matrix"]
                assert sum(len(row["cells"]) for row in rows) == cells
                trips.append(round_trips(lab) - before)
            return min(trips)

        one, twelve = await cost("small", 1), await cost("large", 12)
        assert one == twelve > 0

    with_api(lab, story)


def round_trips(lab: Lab) -> int:
    """How often Redis has read from a socket; what comes in one piece counts once."""
    stats = lab.redis.info("stats")
    assert isinstance(stats, dict)
    return int(stats["total_reads_processed"])
