"""The objects of an Application as Argo CD shows them, and the stream that tells when they changed."""

from collections.abc import AsyncGenerator

import httpx

from adapters.argocd_http import CONNECT_SECONDS, SILENCE_SECONDS, ArgoCdApi, Declined, outage, segment
from adapters.argocd_objects import application_name
from adapters.argocd_tree import parse_tree
from adapters.ports import Unreachable
from adapters.resource_nodes import ResourceNode

ANSWER_SECONDS = 10.0
_KEEP_ALIVE = b":\r\n"
_NOT_FOUND = 404


class ArgoCdTrees:
    """See ports.ResourceTrees."""

    def __init__(self, api: ArgoCdApi, namespace: str, silence_seconds: float = SILENCE_SECONDS) -> None:
        self._api = api
        self._namespace = namespace
        self._silence_seconds = silence_seconds

    def tree(self, project: str, environment: str) -> tuple[ResourceNode, ...] | None:
        """See ports.ResourceTrees."""
        try:
            answer = self._api.get(
                f"/api/v1/{_path(project, environment)}", self._query(project), seconds=ANSWER_SECONDS
            )
        except Declined as declined:
            if declined.status == _NOT_FOUND:
                return None
            raise Unreachable("delivery", f"Argo CD refuses to show resources: {declined}") from declined
        return parse_tree(answer)

    async def rings(self, project: str, environment: str) -> AsyncGenerator[None, None]:
        """See ports.ResourceTrees. Silence ends it.

        Argo CD sends not even the headers before the tree changes, and signs of life only after that: a tree at rest
        cannot be told from a dead connection. What a frame holds is not read, for the tree may be newer already.
        """
        url, headers = self._api.opening(f"/api/v1/stream/{_path(project, environment)}")
        timeout = httpx.Timeout(self._silence_seconds, connect=CONNECT_SECONDS)
        query = self._query(project)
        try:
            async with (
                httpx.AsyncClient(verify=self._api.trust.context, timeout=timeout) as client,
                client.stream("GET", url, params=query, headers=headers) as response,
            ):
                if not _is_stream(response):
                    raise Unreachable("delivery", f"Argo CD answered {response.status_code} to a watch of resources")
                async for chunk in response.aiter_bytes():
                    if chunk.strip(_KEEP_ALIVE):
                        yield
        except httpx.ReadTimeout:
            return
        except httpx.HTTPError as error:
            raise outage(error) from error

    def _query(self, project: str) -> dict[str, str]:
        # Without the project Argo CD answers 403 for an Application that is not there.
        return {"project": project, "appNamespace": self._namespace}


def _is_stream(response: httpx.Response) -> bool:
    """A refusal comes as an event too; a page of some proxy does not."""
    kind = response.headers.get("content-type", "")
    return response.status_code == httpx.codes.OK and kind.startswith("text/event-stream")


def _path(project: str, environment: str) -> str:
    return f"applications/{segment(application_name(project, environment))}/resource-tree"
