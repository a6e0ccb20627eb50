"""An Argo CD that costs nobody's processor time but its own process', and the plainest reader of one.

`python -m bench._argocd serve`: the fake over the repositories of a data folder, which it is told; prints its address.
`python -m bench._argocd read`: lists all Applications of an address every minute and reads the stream; prints when it
has begun.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from adapters.event_stream import EventStream
from adapters.git_objects import GitTree, Objects
from adapters.local_git import LocalGitHost
from gitops.tree import Tree
from tests.support.argocd_rollouts import Cluster
from tests.support.argocd_state import TOKEN
from tests.support.fake_argocd import fake_argocd

PULSE_SECONDS = 15.0
LIST_SECONDS = 60.0
LIMIT_BYTES = 8 * 1024 * 1024
STREAM = "api/v1/stream/applications"


@contextmanager
def running(what: str, given: str) -> Iterator[tuple[int, str]]:
    """One of the two, ended with the block: its process id and the line that it printed."""
    command = [sys.executable, "-m", "bench._argocd", what]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            print(given, file=process.stdin, flush=True)
            yield process.pid, process.stdout.readline().strip()
        finally:
            process.kill()


def serve(data: Path) -> None:
    """Until killed."""
    host = LocalGitHost(data / "git", data / "archive")

    def tree(project: str, sha: str) -> Tree:
        objects = Objects(host.path(project))
        return GitTree(objects, objects.commit(sha).tree_id)

    with fake_argocd() as fake:
        fake.pulse_seconds = PULSE_SECONDS
        fake.on_look = Cluster(fake, lambda project: host.heads([project]).get(project), tree).look
        print(fake.url, flush=True)
        threading.Event().wait()


def read(url: str) -> None:
    """Until killed."""
    client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)

    def list_all() -> None:
        while True:
            client.get("/api/v1/applications", params={"selector": "lucity.dev/project"}).json()
            threading.Event().wait(LIST_SECONDS)

    events = EventStream(LIMIT_BYTES)
    with client.stream("GET", STREAM, params={"selector": "lucity.dev/project"}) as answer:
        threading.Thread(target=list_all, daemon=True).start()
        print("reads", flush=True)
        for chunk in answer.iter_bytes():
            for event in events.feed(chunk):
                json.loads(event)


if __name__ == "__main__":
    told = sys.stdin.readline().strip()
    if sys.argv[1] == "serve":
        serve(Path(told))
    else:
        read(told)
