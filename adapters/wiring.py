"""Builds every port from settings, in one place. Nothing is opened before it is used."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from adapters.charts import carried_charts
from adapters.claims import RedisClaims
from adapters.endpoints import Endpoints
from adapters.events import RedisEvents
from adapters.failpoints import Failpoints
from adapters.followed import RedisFollowed
from adapters.git_wiring import Git, build_git, build_secrets
from adapters.helm import HelmRenderer
from adapters.history import SqliteHistory
from adapters.leases import RedisLeases
from adapters.ledger import RedisLedger
from adapters.local_delivery import LocalDelivery
from adapters.local_tree import LocalTrees
from adapters.measures import Measures
from adapters.outbound import RedisOutbound
from adapters.ports import (
    Bell,
    Builder,
    Claims,
    Cluster,
    Delivery,
    Events,
    Followed,
    GitHost,
    History,
    Leases,
    Ledger,
    PodLogs,
    Registry,
    Renderer,
    Repositories,
    Requests,
    ResourceTrees,
    Secrets,
    Sources,
    Statuses,
)
from adapters.pull_requests import RedisRequests
from adapters.reading import ReadingByToken
from adapters.redis_client import connect
from adapters.settings import Settings
from adapters.smart_http import ServedRepository, Service
from adapters.softserve import SoftServeGitHost
from adapters.statuses import RedisStatuses
from adapters.tokens import Tokens
from adapters.trust import Trust


@dataclass(frozen=True)
class Ports:
    """All that operations may ask of the outside."""

    settings: Settings
    charts: Mapping[str, Mapping[str, bytes]]
    githost: GitHost
    repositories: Repositories
    serve: Callable[[str, Service], ServedRepository]
    bundle: Callable[[str, str, Path], None]
    """Writes a git bundle of a project at a commit into a file. Raises Unreachable."""
    history: History
    renderer: Renderer
    ledger: Ledger
    claims: Claims
    events: Events
    statuses: Statuses
    requests: Requests
    followed: Followed
    leases: Leases
    delivery: Delivery
    trees: ResourceTrees
    cluster: Cluster | None
    pod_logs: PodLogs | None
    secrets: Secrets
    endpoints: Endpoints
    outbound: RedisOutbound
    registry: Registry | None
    sources: Sources
    builder: Builder
    tokens: Tokens
    bell: Bell
    failpoints: Failpoints
    measures: Measures


def build(settings: Settings, bell: Callable[[Settings, Leases], Bell]) -> Ports:
    """Every port; `bell` comes from jobs/, which knows Celery."""
    git = build_git(settings)
    redis = connect(settings.redis)
    leases = RedisLeases(redis, settings)
    renderer = HelmRenderer(settings.data / "scratch", settings.render_timeout_seconds, settings.render_memory_mib)
    tokens = git.tokens(settings, redis)
    secrets = build_secrets(settings)
    delivery, trees = _delivery(settings, git, renderer, tokens)
    return Ports(
        settings=settings,
        charts=carried_charts(),
        githost=git.host,
        repositories=git.mirrors,
        serve=git.serve,
        bundle=git.mirrors.bundle,
        history=SqliteHistory(settings.data / "history", git.mirrors),
        renderer=renderer,
        ledger=RedisLedger(redis, settings),
        claims=RedisClaims(redis, settings),
        events=RedisEvents(redis, settings),
        statuses=RedisStatuses(redis, settings),
        requests=RedisRequests(redis, settings),
        followed=RedisFollowed(redis),
        leases=leases,
        delivery=delivery,
        trees=trees,
        cluster=_cluster(settings),
        pod_logs=_pod_logs(settings),
        secrets=secrets,
        endpoints=Endpoints(git.files, secrets),
        outbound=RedisOutbound(redis, settings),
        registry=_registry(settings),
        sources=_sources(settings),
        builder=build_builder(settings),
        tokens=tokens,
        bell=bell(settings, leases),
        failpoints=Failpoints.parse(settings.failpoint, settings.data / "failpoints", testing=settings.testing),
        measures=Measures(redis),
    )


def _delivery(settings: Settings, git: Git, renderer: Renderer, tokens: Tokens) -> tuple[Delivery, ResourceTrees]:
    if settings.argocd_url is None:
        root = settings.data / "delivery"
        return LocalDelivery(root, git.mirrors, renderer), LocalTrees(root)
    from adapters.argocd import ArgoCdDelivery  # noqa: PLC0415 - its client is for those who have one
    from adapters.argocd_http import ArgoCdApi, login_of  # noqa: PLC0415
    from adapters.argocd_objects import Place  # noqa: PLC0415
    from adapters.argocd_tree_watch import ArgoCdTrees  # noqa: PLC0415

    place = Place(settings.argocd_namespace, settings.argocd_destination, settings.kubeconfig is None)
    api = ArgoCdApi(settings.argocd_url, login_of(settings), trust=Trust.of(settings))
    return ArgoCdDelivery(api, _reading(settings, git, tokens), place), ArgoCdTrees(api, place.namespace)


def _reading(settings: Settings, git: Git, tokens: Tokens) -> Callable[[str], tuple[str, str, str]]:
    """How a delivery reads a project's repository: URL, user and password."""
    if isinstance(git.host, SoftServeGitHost):
        read = git.host.credentials_for_reading
    else:
        read = ReadingByToken(f"{settings.origin}/git", tokens, build_secrets(settings))
    if settings.argocd_git_url is None:
        return read
    base = settings.argocd_git_url.rstrip("/")
    return lambda project: (f"{base}/gitops/{project}.git", *read(project)[1:])


def _registry(settings: Settings) -> Registry | None:
    """The registry, if settings name one."""
    if settings.registry is None:
        return None
    from adapters.registry import OciRegistry  # noqa: PLC0415 - its client is for those who have one
    from adapters.registry_http import Login  # noqa: PLC0415
    from adapters.registry_names import RegistryAddress  # noqa: PLC0415

    user, file = settings.registry_username, settings.registry_password_file
    login = None if user is None or file is None else Login(user, file)
    address, insecure = RegistryAddress.parse(settings.registry), settings.registry_insecure
    return OciRegistry(address, login, Trust.of(settings), insecure=insecure)


def _sources(settings: Settings) -> Sources:
    """The users' own repositories."""
    from adapters.sources import GitSources  # noqa: PLC0415 - most processes clone nothing

    root, bounds = settings.data / "sources", (settings.source_timeout_seconds, settings.source_mib)
    return GitSources(root, *bounds, local=settings.allow_local_sources, trust=Trust.of(settings))


def build_builder(settings: Settings) -> Builder:
    """Buildah, with folders of its own in the data folder."""
    from adapters.build_caches import Caches  # noqa: PLC0415 - most processes build nothing
    from adapters.buildah import BuildahBuilder, BuildBounds  # noqa: PLC0415
    from adapters.buildah_process import RegistryAccess  # noqa: PLC0415
    from adapters.registry_http import Login  # noqa: PLC0415
    from adapters.registry_names import RegistryAddress  # noqa: PLC0415

    def access() -> RegistryAccess | None:
        if settings.registry is None:
            return None
        user, file = settings.registry_username, settings.registry_password_file
        login = None if user is None or file is None else Login(user, file).header().removeprefix("Basic ")
        host = RegistryAddress.parse(settings.registry).host
        return RegistryAccess(host, settings.registry_insecure, login, authorities.added)

    authorities = Trust.of(settings)
    caches = Caches(settings.data / "builds", settings.build_cache_mib, settings.build_cache_days)
    bounds = BuildBounds(
        timeout_seconds=settings.build_timeout_seconds,
        disk_mib=settings.build_disk_mib,
        log_mib=settings.build_log_mib,
        processes=settings.build_processes,
    )
    return BuildahBuilder(caches, bounds, access)


def _cluster(settings: Settings) -> Cluster | None:
    """Access to Kubernetes, if settings give any."""
    if settings.kubeconfig is None:
        return None
    from adapters.cluster import KubernetesCluster  # noqa: PLC0415 - its client takes 30 MB
    from adapters.kubernetes_api import KubernetesApi  # noqa: PLC0415
    from adapters.namespace_guards import guards  # noqa: PLC0415

    return KubernetesCluster(KubernetesApi.by(settings.kubeconfig), guards(settings))


def _pod_logs(settings: Settings) -> PodLogs | None:
    """Access to logs in Kubernetes, if settings give any."""
    if settings.kubeconfig is None:
        return None
    from adapters.kubernetes_api import configuration_by  # noqa: PLC0415 - its client takes 30 MB
    from adapters.pod_logs import KubernetesPodLogs  # noqa: PLC0415

    return KubernetesPodLogs(partial(configuration_by, settings.kubeconfig))
