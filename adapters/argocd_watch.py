"""What Argo CD's Applications do: listed, then watched by one stream for all of ours, and explained where unwell."""

import threading
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from queue import SimpleQueue
from typing import Any

from adapters.argocd_explanations import Explanations, Reasons
from adapters.argocd_http import ArgoCdApi, Declined, Query, segment
from adapters.argocd_newest import Newest, Where
from adapters.argocd_objects import application_name
from adapters.argocd_parse import PROJECT, Found, StreamBroken, parse_application, parse_frame
from adapters.argocd_reasons import pod_words, worst_pod
from adapters.argocd_values import entries, is_list, is_object
from adapters.event_stream import EventStream, EventTooLarge
from adapters.ports import Unreachable
from adapters.records import Gone
from gitops.rollouts import Observation, ResourceStatus

LIMIT_BYTES = 8 * 1024 * 1024
APPLICATIONS = "/api/v1/applications"
_STREAM = "/api/v1/stream/applications"
_EXPLAIN_SECONDS = 5.0

Heard = bytes | Where | Exception | None
"""A chunk of the stream, an Application of which more is known, what broke the stream, its end."""


class Watch:
    """Reads of Applications, for one Argo CD."""

    def __init__(self, api: ArgoCdApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._newest = Newest()
        self._explanations = Explanations(self._reasons)

    def bodies(self, project: str | None) -> list[dict[str, Any]]:
        """The Applications of one project or of all, as they are; those of other people are not among them."""
        selector = PROJECT if project is None else f"{PROJECT}={project}"
        answer = self._ask(APPLICATIONS, {"appNamespace": self._namespace, "selector": selector})
        if not is_list(answer):
            raise Unreachable("delivery", "what answers a list of Applications is not Argo CD")
        return [body for body in entries(answer, "items") if is_object(body)]

    def statuses(self, project: str | None) -> Sequence[Observation]:
        """See ports.Delivery.statuses."""
        return [self._explanations.add_to(self._newest.read(found)) for found in self._found(project)]

    def changes(self) -> Iterator[Observation | Gone | None]:
        """See ports.Delivery.watch. The list comes after the stream is open, so that nothing falls between."""
        self._newest.begin()
        events = EventStream(LIMIT_BYTES)
        heard: SimpleQueue[Heard] = SimpleQueue()
        self._explanations.tell(heard.put)
        try:
            with self._api.stream(_STREAM, {"appNamespace": self._namespace, "selector": PROJECT}) as chunks:
                for told in self._newest.listed(self._found(None)):
                    yield self._said(told)
                threading.Thread(target=_hear, args=(chunks, heard), daemon=True, name="argocd stream").start()
                while (one := heard.get()) is not None:
                    match one:
                        case bytes():
                            yield None
                            for data in events.feed(one):
                                yield self._change(data)
                        case Exception():
                            raise one
                        case _:
                            yield self._said(self._newest.known(one))
        except (StreamBroken, EventTooLarge) as broken:
            raise Unreachable("delivery", str(broken)) from broken
        except Declined as declined:
            raise Unreachable("delivery", f"Argo CD refuses to be watched: {declined}") from declined

    def close(self) -> None:
        """End what was started."""
        self._explanations.close()

    def _change(self, data: str) -> Observation | Gone | None:
        frame = parse_frame(data, datetime.now(UTC))
        return self._said(self._newest.told(*frame)) if frame is not None else None

    def _said(self, told: Found | Gone | None) -> Observation | Gone | None:
        if isinstance(told, Gone):
            self._explanations.forget((told.project, told.environment))
        return self._explanations.add_to(told) if isinstance(told, Found) else told

    def _found(self, project: str | None) -> list[Found]:
        now = datetime.now(UTC)
        return [found for body in self.bodies(project) if (found := parse_application(body, now)) is not None]

    def _reasons(self, found: Found, degraded: Sequence[ResourceStatus]) -> Reasons:
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


def _hear(chunks: Iterator[bytes], heard: "SimpleQueue[Heard]") -> None:
    """Read a stream to its end, beside what else is heard."""
    try:
        for chunk in chunks:
            heard.put(chunk)
        heard.put(None)
    except Exception as broken:  # noqa: BLE001 - whoever reads raises it
        heard.put(broken)
