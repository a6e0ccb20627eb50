"""node(id): every type that has a global id, found again by it."""

from collections.abc import Awaitable, Callable, Mapping

import strawberry

from api.graphql import commits, deployments, environments, jobs, projects, tokens
from api.graphql.context import Info
from api.graphql.guards import query
from api.graphql.nodes import Node, parse_node_id
from api.graphql.statuses import EnvironmentStatus
from api.reading import tokens as token_reading
from api.threads import call
from gitops.problems import invalid


@strawberry.type
class NodeQuery:
    """Root fields."""

    @query("Whatever has this id; null when it is gone.")
    async def node(self, info: Info, id: strawberry.ID) -> Node | None:  # noqa: A002 - the contract's name
        """See the contract."""
        kind, rest = parse_node_id(id)
        if kind not in _FINDERS:
            raise invalid("id", f"{id[:60]!r} is no id: use one that this API answered.")
        length, find = _FINDERS[kind]
        parts = rest.split(":")
        if len(parts) != length or not all(parts):
            raise invalid("id", f"{id[:60]!r} is no id: use one that this API answered.")
        return await find(info, *parts)


async def _viewer(info: Info, actor_id: str) -> Node | None:
    actor = info.context.actor
    return tokens.Viewer.of(actor) if actor.id == actor_id else None


async def _token(info: Info, token_id: str) -> Node | None:
    record = await call(token_reading.find, info.context.ports, token_id)
    return tokens.Token.of(record) if record else None


async def _project(info: Info, name: str) -> Node | None:
    return await projects.load(info, projects.parse_name(name))


async def _service(info: Info, project: str, name: str) -> Node | None:
    found = await projects.load(info, projects.parse_name(project))
    return await found.find_service(info, name) if found else None


async def _environment(info: Info, project: str, name: str) -> Node | None:
    return await environments.load(info, projects.parse_name(project), name)


async def _deployed(info: Info, project: str, environment: str, service: str) -> Node | None:
    found = await environments.load(info, projects.parse_name(project), environment)
    return found.find_service(service) if found else None


async def _status(info: Info, project: str, environment: str) -> Node | None:
    found = await environments.load(info, projects.parse_name(project), environment)
    if found is None:
        return None
    return EnvironmentStatus.of(project, environment, await info.context.load.status.load((project, environment)))


async def _commit(info: Info, project: str, sha: str) -> Node | None:
    return await commits.load(info, projects.parse_name(project), sha)


async def _deployment(info: Info, project: str, environment: str, service: str, sha: str) -> Node | None:
    return await deployments.load(info, projects.parse_name(project), environment, service, sha)


async def _job(info: Info, job_id: str) -> Node | None:
    return await jobs.load(info, job_id)


_FINDERS: Mapping[str, tuple[int, Callable[..., Awaitable[Node | None]]]] = {
    "Viewer": (1, _viewer),
    "Token": (1, _token),
    "Project": (1, _project),
    "Service": (2, _service),
    "Environment": (2, _environment),
    "DeployedService": (3, _deployed),
    "EnvironmentStatus": (2, _status),
    "Commit": (2, _commit),
    "Deployment": (4, _deployment),
    "Job": (1, _job),
}
