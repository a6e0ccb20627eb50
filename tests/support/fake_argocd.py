"""An Argo CD to talk to: its API over HTTP as far as Lucity uses it, with the real one's objects and refusals."""

import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.support.argocd_state import PASSWORD, TOKEN, Body, FakeArgoCd, event, made, merged
from tests.support.argocd_trees import PATIENCE_SECONDS
from tests.support.serving import answering


@contextmanager
def fake_argocd() -> Iterator[FakeArgoCd]:
    """A fake that listens on loopback while the block runs."""
    fake = FakeArgoCd()

    class Handler(_Handler):
        argo = fake

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    fake.url = f"http://127.0.0.1:{server.server_address[1]}"
    with answering(server):
        try:
            yield fake
        finally:
            for listener in list(fake.listeners):
                listener.put(None)
            fake.trees.end()


class _Refuse(Exception):  # noqa: N818 - an answer
    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


class _Handler(BaseHTTPRequestHandler):
    argo: FakeArgoCd
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - names of http.server

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query))
        content = self.rfile.read(int(self.headers.get("content-length") or 0))
        if (broken := self.argo.broken) is not None:
            self.argo.turned_away += 1
            self._send(*broken)
            return
        if self.command != "GET" and self.headers.get("content-type") != "application/json":
            recorded = self.argo.refusals["wrong-content-type"]
            self._send(recorded["status"], recorded["headers"]["content-type"], recorded["body"].encode())
            return
        try:
            path = [unquote(part) for part in parts.path.removeprefix("/api/v1/").split("/")]
            with self.argo.lock:
                self.argo.asked.append(f"{self.command} {unquote(parts.path)}")
                body = json.loads(content) if content else {}
                answer = self._answer(path, query, body)
            if answer is None and path[2:]:
                self.argo.trees.serve(path[2], self)
            elif answer is None:
                self._stream()
            else:
                if path[-1] == "resource-tree":
                    self.argo.trees.answers.wait(PATIENCE_SECONDS)
                self._send(200, "application/json", json.dumps(answer).encode())
        except _Refuse as refusal:
            text = {"error": str(refusal), "code": refusal.code, "message": str(refusal)}
            self._send(refusal.status, "application/json", json.dumps(text).encode())

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _answer(self, path: list[str], query: dict[str, str], body: Body) -> Body | None:
        """None: it is a stream."""
        if path == ["session"]:
            return self._login(body)
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if token != TOKEN and token not in self.argo.sessions:
            raise self._recorded("bad-token")
        match path:
            case ["stream", "applications"]:
                return None
            case ["stream", "applications", name, "resource-tree"]:
                self._get(name, query)
                return None
            case ["applications", *rest]:
                return self._applications(rest, query, body)
            case ["projects", *rest]:
                return self._projects(rest, body)
            case ["repositories", *rest]:
                return self._repositories(rest, body)
            case _:
                raise _Refuse(404, 5, "Not Found")

    def _applications(self, rest: list[str], query: dict[str, str], body: Body) -> Body:
        match self.command, rest:
            case "GET", []:
                return self._list(query)
            case "GET", [name]:
                return self._get(name, query)
            case "GET", [name, "resource-tree" | "resource" as what]:
                return self._objects(name, what, query)
            case "POST", []:
                return self._create(body, query)
            case "DELETE", [name]:
                return self._delete(name, query)
            case "POST", [name, "sync"]:
                return self._sync(name)
            case _:
                raise _Refuse(404, 5, "Not Found")

    def _objects(self, name: str, what: str, query: dict[str, str]) -> Body:
        self._get(name, query)
        trees = self.argo.trees
        found = trees.of(name) if what == "resource-tree" else trees.live(query["resourceName"])
        if found is None:
            missing = f"{query['kind']} {query['group']} {query['resourceName']}"
            raise _Refuse(400, 3, f"{missing} not found as part of application {name}")
        return found

    def _repositories(self, rest: list[str], body: Body) -> Body:
        if self.command == "GET":
            return {"metadata": {}, "items": list(self.argo.repositories.values())}
        if self.command == "POST":
            self.argo.repositories[body["repo"]] = body
            return body
        if self.argo.repositories.pop(rest[0], None) is None:
            raise self._recorded("not-found-without-project")
        return {}

    def _login(self, body: Body) -> Body:
        self.argo.logins += 1
        if body != {"username": "admin", "password": PASSWORD}:
            raise self._recorded("bad-login")
        token = f"session-{self.argo.logins}"
        self.argo.sessions.add(token)
        return {"token": token}

    def _list(self, query: dict[str, str]) -> Body:
        items = [body for body in self.argo.applications.values() if _selected(body, query)]
        return {"metadata": {"resourceVersion": str(self.argo.version)}, "items": items or None}

    def _get(self, name: str, query: dict[str, str]) -> Body:
        body = self.argo.applications.get(name)
        if body is None or body["spec"]["project"] != query.get("project", body["spec"]["project"]):
            raise self._recorded("not-found-with-project" if "project" in query else "not-found-without-project")
        if "refresh" in query:
            self.argo.refreshed.append(name)
            self.argo.look(name)
            if "deletionTimestamp" in body["metadata"]:
                self.argo.later(lambda: self.argo.lose(name))
        return body

    def _create(self, body: Body, query: dict[str, str]) -> Body:
        present = self.argo.applications.get(body["metadata"]["name"])
        if present is None:
            new = self.argo.put(made(body))
            self.argo.look(new["metadata"]["name"])
            return new
        if query.get("upsert") != "true":
            raise self._recorded("create-different-without-upsert")
        return self.argo.put(merged(deepcopy(present), body))

    def _delete(self, name: str, query: dict[str, str]) -> Body:
        body = deepcopy(self._get(name, query))
        body["metadata"]["deletionTimestamp"] = "2026-11-23T02:43:19Z"
        self.argo.put(body)
        if not self.argo.overlooked:
            self.argo.later(lambda: self.argo.lose(name))
        return {}

    def _sync(self, name: str) -> Body:
        body = deepcopy(self.argo.applications.get(name) or {})
        if not body:
            raise self._recorded("not-found-with-project")
        if "operation" in body:
            raise self._recorded("sync-while-operation-in-progress")
        body["operation"] = {"sync": {"revision": body["status"]["sync"].get("revision", "")}}
        self.argo.put(body)
        self.argo.later(lambda: self._rest(name))
        return body

    def _rest(self, name: str) -> None:
        with self.argo.lock:
            if body := deepcopy(self.argo.applications.get(name)):
                body.pop("operation", None)
                self.argo.put(body)

    def _projects(self, rest: list[str], body: Body) -> Body:
        project = body.get("project", {})
        name = rest[0] if rest else project["metadata"]["name"]
        present = self.argo.projects.get(name)
        if self.command != "POST" and present is None:
            raise _Refuse(404, 5, f'appprojects.argoproj.io "{name}" not found')
        if self.command == "GET" and present is not None:
            return present
        if self.command == "DELETE":
            users = [one for one in self.argo.applications.values() if one["spec"]["project"] == name]
            if users:
                raise _Refuse(400, 3, f"project is referenced by {len(users)} applications")
            del self.argo.projects[name]
            return {}
        if present is not None and project["metadata"].get("resourceVersion") != present["metadata"]["resourceVersion"]:
            raise _Refuse(409, 10, "the object has been modified; please apply your changes to the latest version")
        self.argo.version += 1
        project["metadata"]["resourceVersion"] = str(self.argo.version)
        self.argo.projects[name] = project
        return dict(project)

    def _stream(self) -> None:
        told: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        with self.argo.lock:
            for body in self.argo.applications.values():
                told.put(event("ADDED", body))
            self.argo.listeners.append(told)
            recorded = self.argo.recording.pop(0) if self.argo.recording else None
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        if recorded is not None:
            self.wfile.write(recorded)
            self.argo.listeners.remove(told)
            return
        self._tell(told)

    def _tell(self, told: "queue.SimpleQueue[bytes | None]") -> None:
        try:
            while True:
                try:
                    event = told.get(timeout=self.argo.pulse_seconds)
                except queue.Empty:
                    event = b":\n\n"
                if event is None:
                    return
                if not self.argo.mute:
                    self.wfile.write(event)
                    self.wfile.flush()
        except OSError:
            return
        finally:
            self.argo.listeners.remove(told)

    def _recorded(self, name: str) -> _Refuse:
        refusal = self.argo.refusals[name]
        body = json.loads(refusal["body"])
        return _Refuse(refusal["status"], body["code"], body["message"])


def _selected(body: Body, query: dict[str, str]) -> bool:
    """Whether a label selector `key` or `key=value` holds."""
    key, _, value = query.get("selector", "").partition("=")
    labels = body["metadata"].get("labels") or {}
    return not key or (key in labels and value in {"", labels[key]})
