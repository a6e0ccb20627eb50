"""What Argo CD's Applications do: listed, then watched by one stream for all of ours, and explained where unwell."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.argocd_http import ArgoCdApi, Declined, Query, segment
from adapters.argocd_newest import Newest
from adapters.argocd_objects import application_name
from adapters.argocd_parse import PROJECT, Found, StreamBroken, parse_application, parse_frame
from adapters.argocd_reasons import pod_words, unwell, worst_pod
from adapters.event_stream import EventStream, EventTooLarge
from adapters.ports import Unreachable
from adapters.records import Gone
from gitops.rollouts import Observation, ResourceStatus

LIMIT_BYTES = 8 * 1024 * 1024
APPLICATIONS = "/api/v1/applications"
_STREAM = "/api/v1/stream/applications"
_EXPLAIN_SECONDS = 5.0
_log = structlog.get_logger()


class Watch:
    """Reads of Applications, for one Argo CD."""

    def __init__(self, api: ArgoCdApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._newest = Newest()
        self._explained: dict[str, tuple[int, dict[tuple[str, str], str]]] = {}

    def bodies(self, project: str | None) -> list[dict[str, Any]]:
        """The Applications of one project or of all, as they are; those of other people are not among them."""
        selector = PROJECT if project is None else f"{PROJECT}={project}"
        answer = self._ask(APPLICATIONS, {"appNamespace": self._namespace, "selector": selector})
        return [body for body in answer.get("items") or () if isinstance(body, dict)]

    def statuses(self, project: str | None) -> Sequence[Observation]:
        """See ports.Delivery.statuses."""
        return [self._explain(self._newest.read(found)) for found in self._found(project)]

    def changes(self) -> Iterator[Observation | Gone | None]:
        """See ports.Delivery.watch. The list comes after the stream is open, so that nothing falls between."""
        self._newest.begin()
        events = EventStream(LIMIT_BYTES)
        try:
            with self._api.stream(_STREAM, {"appNamespace": self._namespace, "selector": PROJECT}) as chunks:
                for told in self._newest.listed(self._found(None)):
                    yield told if isinstance(told, Gone) else self._explain(told)
                for chunk in chunks:
                    yield None
                    for data in events.feed(chunk):
                        yield self._change(data)
        except (StreamBroken, EventTooLarge) as broken:
            raise Unreachable("delivery", str(broken)) from broken
        except Declined as declined:
            raise Unreachable("delivery", f"Argo CD refuses to be watched: {declined}") from declined

    def _change(self, data: str) -> Observation | Gone | None:
        frame = parse_frame(data, datetime.now(UTC))
        told = self._newest.told(*frame) if frame is not None else None
        return self._explain(told) if isinstance(told, Found) else told

    def _found(self, project: str | None) -> list[Found]:
        now = datetime.now(UTC)
        return [found for body in self.bodies(project) if (found := parse_application(body, now)) is not None]

    def _explain(self, found: Found) -> Observation:
        """Add what the pods of degraded workloads say, asked once for each state of the Application."""
        observation = found.observation
        degraded = unwell(observation)
        if not degraded:
            self._explained.pop(found.uid, None)
            return observation
        version, reasons = self._explained.get(found.uid, (-1, {}))
        if version != found.version:
            try:
                reasons = self._reasons(found, degraded)
            except (Unreachable, Declined) as error:
                _log.warning("no reasons found", application=found.application, message=str(error))
            self._explained[found.uid] = (found.version, reasons)
        resources = tuple(_with_reason(one, reasons.get((one.kind, one.name))) for one in observation.resources)
        return replace(observation, resources=resources)

    def _reasons(self, found: Found, degraded: Sequence[ResourceStatus]) -> dict[tuple[str, str], str]:
        application = found.application
        path = f"{APPLICATIONS}/{segment(application_name(application.project, application.environment))}"
        where = {"project": application.project, "appNamespace": self._namespace}
        tree = self._api.get(f"{path}/resource-tree", where, _EXPLAIN_SECONDS)
        reasons = {}
        for resource in degraded:
            pod = worst_pod(tree, resource)
            if pod is None:
                continue
            asked = {"namespace": pod.namespace, "resourceName": pod.name, "version": "v1", "group": "", "kind": "Pod"}
            answer = self._api.get(f"{path}/resource", where | asked, _EXPLAIN_SECONDS)
            words = pod_words(str(answer.get("manifest") or ""))
            if words:
                reasons[resource.kind, resource.name] = f"pod {pod.name}: {words}"
        return reasons

    def _ask(self, path: str, query: Query) -> dict[str, Any]:
        try:
            return self._api.get(path, query)
        except Declined as declined:
            raise Unreachable("delivery", f"Argo CD refuses to list Applications: {declined}") from declined


def _with_reason(resource: ResourceStatus, reason: str | None) -> ResourceStatus:
    if reason is None:
        return resource
    return replace(resource, message=f"{resource.message}; {reason}" if resource.message else reason)
