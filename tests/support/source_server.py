"""A forge as far as clones go: serves a folder of bare repositories over HTTP, asks for a login, and notes who came."""

import base64
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

from tests.support.serving import answering


@dataclass
class Forge:
    """What it serves and what it saw. `login`: `user:password` that it asks for. `moved_to`: it redirects there."""

    root: Path
    login: str | None = None
    moved_to: str | None = None
    port: int = 0
    logins: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serve(root: Path) -> Iterator[Forge]:
    """Serve the repositories of a folder until the block ends."""
    forge = Forge(root)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(forge))
    forge.port = server.server_address[1]
    with answering(server):
        yield forge


def _handler(forge: Forge) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, format: str, *_arguments: object) -> None:  # noqa: A002 - the library's name for it
            del format

        def do_GET(self) -> None:
            given = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
            forge.logins.extend([given] if given else [])
            if forge.moved_to is not None:
                self.end(301, {"Location": f"{forge.moved_to}{self.path}"})
            elif given != (forge.login or given):
                self.end(401, {"WWW-Authenticate": 'Basic realm="forge"'})
            else:
                self.pass_on()

        do_POST = do_GET  # noqa: N815 - the library's name for it

        def pass_on(self) -> None:
            parts = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            variables = {
                "GIT_PROJECT_ROOT": str(forge.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": parts.path,
                "QUERY_STRING": parts.query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "PATH": os.environ["PATH"],
            }
            done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True, check=False)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
            self.end(int(headers.pop("Status", "200").split()[0]), headers, content)

        def end(self, status: int, headers: dict[str, str], content: bytes = b"") -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

    return Handler
