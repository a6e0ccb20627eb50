"""The pods that a selector names: listed, then watched for as long as somebody listens."""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx

from adapters.kubernetes_streams import Declined, KubernetesStreams, chunks
from adapters.ports import Unreachable
from gitops.problems import Refused, Unavailable

_GONE: Final = 410
_FORBIDDEN: Final = (401, 403)
_WATCH_SECONDS = 240
_SILENCE_SECONDS = _WATCH_SECONDS + 30.0
_OUTAGE_SECONDS = 60.0
"""How long a watch is tried again, before who listens is told."""
_PAUSE_SECONDS = (0.1, 1.0)
_FRAME_BYTES = 8 * 1024 * 1024


@dataclass(frozen=True)
class Container:
    """A container of a pod. `settled`: it has ended, and nothing more is written unless it starts again."""

    restarts: int
    settled: bool


@dataclass(frozen=True)
class Pod:
    """A pod as the cluster tells it. `over`: all of its containers have ended for good."""

    uid: str
    name: str
    over: bool
    containers: Mapping[str, Container]


@dataclass(frozen=True)
class Listed:
    """All pods that there are; those that were there and are not among them are gone."""

    pods: Sequence[Pod]


@dataclass(frozen=True)
class Removed:
    """A pod is gone."""

    uid: str


Change = Listed | Pod | Removed


class _Expired(Exception):  # noqa: N818 - an answer
    """The version to watch from is too old: list again."""


class PodWatch:
    """Pods of one namespace with certain labels."""

    def __init__(self, api: KubernetesStreams, namespace: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/pods"
        self._selector = ",".join(f"{name}={value}" for name, value in labels.items())
        self._version = ""
        self._failing: float | None = None

    async def changes(self) -> AsyncGenerator[Change, None]:
        """The list first, then what happens, without end; a list again after what may have been missed. Raises
        Unreachable, Refused(Unavailable).
        """
        listed = False
        while True:
            try:
                async with aclosing(self._told()) as told:
                    async for change in told:
                        listed = True
                        yield change
            except (Unreachable, Declined) as error:
                judge(error)
                if not listed or self._is_away():
                    raise Unreachable("cluster", f"pods cannot be watched: {error}") from error
                self._version = ""
            await asyncio.sleep(random.uniform(*_PAUSE_SECONDS))  # noqa: S311 - jitter

    def _is_away(self) -> bool:
        now = asyncio.get_running_loop().time()
        if self._failing is None:
            self._failing = now
        return now - self._failing > _OUTAGE_SECONDS

    async def _told(self) -> AsyncGenerator[Change, None]:
        if not self._version:
            listed = await self._api.get(self._path, {"labelSelector": self._selector})
            with _believed():
                version, pods = (
                    listed["metadata"]["resourceVersion"],
                    [parse_pod(item) for item in listed["items"] or ()],
                )
            self._version, self._failing = version, None
            yield Listed(pods)
        try:
            async with aclosing(self._watched()) as events:
                async for event in events:
                    yield event
        except _Expired:
            self._version = ""

    async def _watched(self) -> AsyncGenerator[Change, None]:
        query = {
            "labelSelector": self._selector,
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": str(_WATCH_SECONDS),
        }
        async with self._api.stream(self._path, query, _SILENCE_SECONDS) as answer, aclosing(_frames(answer)) as frames:
            async for frame in frames:
                with _believed():
                    change = self._change(frame)
                if change is not None:
                    yield change

    def _change(self, frame: Mapping[str, Any]) -> Change | None:
        kind, told = frame["type"], frame["object"]
        if kind == "ERROR":
            if told.get("code") == _GONE:
                raise _Expired
            raise Declined(int(told.get("code") or 500), str(told.get("message")))
        self._version = told["metadata"]["resourceVersion"]
        match kind:
            case "ADDED" | "MODIFIED":
                return parse_pod(told)
            case "DELETED":
                return Removed(told["metadata"]["uid"])
            case _:
                return None


@contextmanager
def _believed() -> Iterator[None]:
    """While an answer is read as pods: a page of some proxy is JSON at times, and no answer of the cluster's."""
    try:
        yield
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise Unreachable("cluster", f"the Kubernetes API tells of no pods: {error!r}") from error


def judge(error: Exception) -> None:
    """Raise Refused when an answer will not be another one by itself."""
    if isinstance(error, Declined) and error.status in _FORBIDDEN:
        raise Refused(Unavailable(f"The cluster does not let Lucity read logs: {error}", "cluster")) from error


def parse_pod(body: Mapping[str, Any]) -> Pod:
    """A pod, with containers of every kind."""
    metadata, spec, status = body["metadata"], body["spec"], body.get("status") or {}
    over = status.get("phase") in {"Succeeded", "Failed"}
    kinds = ("initContainer", "container", "ephemeralContainer")
    told = {one["name"]: one for kind in kinds for one in status.get(f"{kind}Statuses") or ()}
    names = [one["name"] for kind in kinds for one in spec.get(f"{kind}s") or ()]
    return Pod(metadata["uid"], metadata["name"], over, {name: _container(told.get(name) or {}) for name in names})


def _container(status: Mapping[str, Any]) -> Container:
    state, last = status.get("state") or {}, status.get("lastState") or {}
    ended = "terminated" in state or ("waiting" in state and "terminated" in last)
    return Container(status.get("restartCount") or 0, ended)


async def _frames(answer: httpx.Response) -> AsyncGenerator[dict[str, Any], None]:
    """One JSON object a line."""
    begun = bytearray()
    async with aclosing(chunks(answer)) as coming:
        async for chunk in coming:
            *ended, rest = (bytes(begun) + chunk).split(b"\n")
            begun = bytearray(rest)
            for line in ended:
                if line.strip():
                    yield _frame(line)
            if len(begun) > _FRAME_BYTES:
                raise Unreachable("cluster", "the Kubernetes API sends no end of an event")


def _frame(line: bytes) -> dict[str, Any]:
    try:
        frame: dict[str, Any] = json.loads(line)
    except ValueError as error:
        raise Unreachable("cluster", "the Kubernetes API sends no JSON") from error
    return frame
