"""An HTTP server that takes webhooks: keeps what came, and answers as it is told."""

import base64
import hashlib
import hmac
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.support.serving import answering

_BETWEEN_LINES_SECONDS = 0.02


@dataclass
class Call:
    """One request."""

    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """What came, and what is answered: a status for each path, 200 for the others."""

    port: int
    calls: list[Call] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    lingers: bool = False
    """Its answers come line by line and never to an end."""

    def url(self, path: str = "/hook") -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiver() -> Iterator[Receiver]:
    """One that runs while the block does."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            taken.calls.append(Call({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(taken.answers.get(self.path, 200))
            if taken.lingers:
                self.linger()
                return
            self.send_header("location", taken.url("/elsewhere"))
            self.send_header("content-length", "0")
            self.end_headers()

        def linger(self) -> None:
            self.flush_headers()
            with suppress(ConnectionError):
                while True:
                    self.wfile.write(b"x-more: to come\r\n")
                    time.sleep(_BETWEEN_LINES_SECONDS)

        def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the library's name
            """Nothing is printed."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    taken = Receiver(server.server_address[1])
    with answering(server):
        yield taken


def is_signed_by(secret: str, received: Call) -> bool:
    """As the specification says how to verify, written once more."""
    content = b".".join(
        [received.headers["webhook-id"].encode(), received.headers["webhook-timestamp"].encode(), received.body]
    )
    key = base64.b64decode(secret.split("_", 1)[1])
    wanted = base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return f"v1,{wanted}" in received.headers["webhook-signature"].split(" ")
