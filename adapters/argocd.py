"""Delivery by Argo CD: one AppProject and one read-only repository per project, one Application per environment.

What is not ours, by its labels, is never touched. What Argo CD says is read in argocd_watch.py.
"""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import structlog

from adapters.argocd_http import ArgoCdApi, Body, Declined, Query, segment
from adapters.argocd_objects import (
    CLUSTER_KINDS,
    Place,
    admitted,
    application_name,
    covers,
    foreign,
    identity_of,
    is_going,
    is_ours,
    is_troubled,
    judge,
    render_application,
    render_project,
    render_repository,
)
from adapters.argocd_parse import parse_application
from adapters.argocd_values import entries, is_object
from adapters.argocd_watch import APPLICATIONS, Watch
from adapters.ports import Unreachable
from adapters.records import Application, Gone
from gitops.problems import AlreadyExists, Refused
from gitops.rollouts import Observation

PROJECTS = "/api/v1/projects"
REPOSITORIES = "/api/v1/repositories"
TURN_SECONDS = 1.0
"""A worker that waits longer stands in the way of commits; the job waits for its turn in its queue."""
_TURN_PAUSE_SECONDS = 0.25
_SYNC_SECONDS = 5.0
_REFRESH_SECONDS = 20.0
_NUDGE_SECONDS = 2.0
_NUDGE_PAUSE_SECONDS = 5.0
_REGISTERED_SECONDS = 600.0
_MENDED_SECONDS = 20.0
_AT_ONCE = 4
_BUSY = "another operation is already in progress"
_EXISTS = "existing application spec is different"
_NOT_FOUND = 404
_EPOCH = datetime.fromtimestamp(0, UTC)
_log = structlog.get_logger()

Reading = Callable[[str], tuple[str, str, str]]
"""A project's repository as Argo CD reaches it: URL, user, password."""


class ArgoCdDelivery:
    """See ports.Delivery."""

    def __init__(
        self,
        api: ArgoCdApi,
        reading: Reading,
        place: Place,
        turn_seconds: float = TURN_SECONDS,
        mended_seconds: float = _MENDED_SECONDS,
    ) -> None:
        self._api = api
        self._reading = reading
        self._place = place
        self._turn_seconds = turn_seconds
        self._mended_seconds = mended_seconds
        self.watching = Watch(api, place.namespace)
        self._listed: dict[str, dict[str, Any]] = {}
        self._projects: dict[str, dict[str, Any] | None] = {}
        self._known: dict[str, tuple[str, str, str]] = {}
        self._registered: dict[str, float] = {}
        self._guard = threading.Lock()
        self._refreshing: set[str] = set()
        self._nudged: dict[str, float] = {}
        self._pool: ThreadPoolExecutor | None = None

    def applications(self, project: str) -> Sequence[Application]:
        """See ports.Delivery. What it reads serves the calls of `apply` that follow."""
        bodies = self.watching.bodies(project)
        self._listed = {body["metadata"]["name"]: body for body in bodies}
        self._projects.pop(project, None)
        found = (parse_application(body, _EPOCH) for body in bodies)
        return [one.application for one in found if one is not None and one.application.identity]

    def apply(self, application: Application) -> None:
        """See ports.Delivery."""
        project, name = application.project, application_name(application.project, application.environment)
        body = self._listed.pop(name, None) or self._application(project, name)
        if body is not None:
            judge(body, application)
        reading = self._known.get(project) or self._reading(project)
        url = reading[0]
        self._admit(application, url)
        self._register(project, reading, troubled=body is not None and is_troubled(body))
        wanted = render_application(application, url, self._place)
        if body is None or not covers(body, wanted):
            self._put(wanted, name, present=body is not None)

    def delete(self, application: Application) -> bool:
        """See ports.Delivery. The cascade runs in Argo CD; its namespace is taken from the project when it is over."""
        name = application_name(application.project, application.environment)
        # Somebody may have moved it to another project of Argo CD, where asking for it in its own finds nothing.
        home = str(self._listed.get(name, {}).get("spec", {}).get("project") or application.project)
        body = self._application(home, name)
        if body is not None and identity_of(body) == application.identity:
            if not is_going(body):
                query = self._query(home) | {"cascade": "true", "propagationPolicy": "background"}
                self._send("DELETE", f"{APPLICATIONS}/{segment(name)}", query=query)
                _log.info("application deleted", application=name, identity=application.identity)
                self._nudged[name] = time.monotonic()
            self._nudge(home, name)
            return False
        self._nudged.pop(name, None)
        if body is None:
            self._dismiss(application)
        return True

    def end(self, project: str) -> None:
        """See ports.Delivery."""
        body = self._projects[project] = self._object(f"{PROJECTS}/{segment(project)}")
        if body is not None and is_ours(body, project):
            for url in entries(body["spec"], "sourceRepos"):
                self._unregister(project, url)
            self._send("DELETE", f"{PROJECTS}/{segment(project)}")
        self._registered.pop(project, None)
        self._known.pop(project, None)

    def refresh(self, project: str, environments: Sequence[str], head: str) -> None:
        """See ports.Delivery. Argo CD answers when it has compared; nobody waits for that."""
        for environment in environments:
            name = application_name(project, environment)
            _log.info("refresh", application=name, head=head)
            with self._guard:
                if name in self._refreshing:
                    continue
                self._refreshing.add(name)
            self._background().submit(self._refresh, project, name, _REFRESH_SECONDS)

    def sync(self, project: str, environments: Sequence[str], head: str) -> None:
        """See ports.Delivery. Waits a while for its turn, then raises Unreachable: try again later."""
        _log.info("sync", project=project, environments=environments, head=head)
        deadline = time.monotonic() + self._turn_seconds
        for environment in environments:
            name = application_name(project, environment)
            while not self._sync(project, name):
                if time.monotonic() > deadline:
                    raise Unreachable("delivery", f"another operation of {name} is still running")
                time.sleep(_TURN_PAUSE_SECONDS)

    def statuses(self, project: str | None = None) -> Sequence[Observation]:
        """See ports.Delivery."""
        return self.watching.statuses(project)

    def watch(self) -> Iterator[Observation | Gone | None]:
        """See ports.Delivery."""
        return self.watching.changes()

    def close(self) -> None:
        """End what was started."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
        self.watching.close()
        self._api.close()

    def _put(self, wanted: Body, name: str, *, present: bool) -> None:
        try:
            # Without validation: values that do not render are a status to report, and no reason to have nothing.
            query = {"upsert": "true" if present else "false", "validate": "false"}
            self._api.send("POST", APPLICATIONS, wanted, query)
        except Declined as declined:
            if not present and _EXISTS in str(declined):
                raise foreign(name) from declined
            raise Unreachable("delivery", f"Argo CD refuses Application {name}: {declined}") from declined
        _log.info("application applied", application=name, created=not present)

    def _admit(self, application: Application, url: str) -> None:
        """Let the project's Applications read this repository and deploy to this namespace too."""
        project = application.project
        body = self._project(project)
        if body is None:
            wanted = render_project(project, url, [application.namespace], self._place)
            self._projects[project] = self._send("POST", PROJECTS, {"project": wanted})
            return
        if not is_ours(body, project):
            text = f"Argo CD has an AppProject {project} that Lucity did not make: remove or rename it."
            raise Refused(AlreadyExists(text, "application project", project))
        self._update(body, project, url, {*admitted(body, project), application.namespace})

    def _dismiss(self, application: Application) -> None:
        """The project's Applications need this namespace no more; as long as one was there, they did."""
        body = self._project(application.project)
        if body is not None and is_ours(body, application.project):
            url = next(iter(entries(body["spec"], "sourceRepos")), "")
            left = admitted(body, application.project) - {application.namespace}
            self._update(body, application.project, url, left)

    def _update(self, body: dict[str, Any], project: str, url: str, namespaces: set[str]) -> None:
        spec = render_project(project, url, sorted(namespaces), self._place)["spec"]
        if not covers({CLUSTER_KINDS: [], **body["spec"]}, spec):
            changed = {**body, "spec": {**body["spec"], **spec}}
            self._projects[project] = self._send("PUT", f"{PROJECTS}/{segment(project)}", {"project": changed})

    def _register(self, project: str, reading: tuple[str, str, str], *, troubled: bool) -> None:
        """Give Argo CD the credentials to read; again at times, soon where there is trouble, for somebody may have
        taken them away.
        """
        seconds = self._mended_seconds if troubled else _REGISTERED_SECONDS
        if time.monotonic() - self._registered.get(project, -seconds) >= seconds:
            reading = self._known[project] = self._reading(project)
            self._send("POST", REPOSITORIES, render_repository(project, *reading), {"upsert": "true"})
            self._registered[project] = time.monotonic()

    def _unregister(self, project: str, url: str) -> None:
        try:
            self._api.send("DELETE", f"{REPOSITORIES}/{segment(url)}", query={"appProject": project})
        except Declined as declined:
            # What is not there is refused like what is forbidden: only looking tells.
            listed = self._get(REPOSITORIES, {"appProject": project, "repo": url}) or {}
            if any(one.get("repo") == url and one.get("project") == project for one in listed.get("items") or ()):
                raise Unreachable("delivery", f"Argo CD keeps the credentials of {project}: {declined}") from declined

    def _nudge(self, project: str, name: str) -> None:
        """A deletion right after the creation may be overlooked by Argo CD's controller until somebody touches it."""
        now = time.monotonic()
        if now - self._nudged.setdefault(name, now - _NUDGE_PAUSE_SECONDS) >= _NUDGE_PAUSE_SECONDS:
            self._nudged[name] = now
            self._background().submit(self._refresh, project, name, _NUDGE_SECONDS)

    def _background(self) -> ThreadPoolExecutor:
        with self._guard:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="argocd refresh")
            return self._pool

    def _refresh(self, project: str, name: str, seconds: float) -> None:
        try:
            self._api.get(f"{APPLICATIONS}/{segment(name)}", self._query(project) | {"refresh": "normal"}, seconds)
        except (Unreachable, Declined) as error:
            _log.info("not refreshed", application=name, message=str(error))
        finally:
            with self._guard:
                self._refreshing.discard(name)

    def _sync(self, project: str, name: str) -> bool:
        """Whether a sync has begun; False while another operation runs."""
        body = {"name": name, "project": project, "appNamespace": self._place.namespace, "prune": True}
        try:
            self._api.send("POST", f"{APPLICATIONS}/{segment(name)}/sync", body, seconds=_SYNC_SECONDS)
        except Declined as declined:
            if _BUSY in str(declined):
                return False
            raise Unreachable("delivery", f"Argo CD does not sync {name} now: {declined}") from declined
        return True

    def _application(self, project: str, name: str) -> dict[str, Any] | None:
        return self._object(f"{APPLICATIONS}/{segment(name)}", self._query(project))

    def _project(self, project: str) -> dict[str, Any] | None:
        if not is_object(self._projects.get(project)):
            self._projects[project] = self._object(f"{PROJECTS}/{segment(project)}")
        return self._projects[project]

    def _query(self, project: str) -> dict[str, str]:
        # Without the project Argo CD answers 403 for an Application that is not there.
        return {"project": project, "appNamespace": self._place.namespace}

    def _object(self, path: str, query: Query | None = None) -> dict[str, Any] | None:
        found = self._get(path, query)
        if found is not None and not is_object(found):
            raise Unreachable("delivery", f"what answers for {path} is not Argo CD")
        return found

    def _get(self, path: str, query: Query | None = None) -> dict[str, Any] | None:
        try:
            return self._api.get(path, query)
        except Declined as declined:
            if declined.status == _NOT_FOUND:
                return None
            raise Unreachable("delivery", f"Argo CD does not answer for {path}: {declined}") from declined

    def _send(self, method: str, path: str, body: Body | None = None, query: Query | None = None) -> dict[str, Any]:
        """Change something; what is to be deleted may be gone already."""
        try:
            return self._api.send(method, path, body, query)
        except Declined as declined:
            if method == "DELETE" and declined.status == _NOT_FOUND:
                return {}
            raise Unreachable("delivery", f"Argo CD refuses {method} {path}: {declined}") from declined
