"""Every Git host there is, each ready for a test: the local one, and one Soft-serve for all tests of a process."""

import atexit
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path

from tests.support.git import Site
from tests.support.softserve import SoftServe, binary, running

HOSTS = ("local", "softserve")


@contextmanager
def made(host: str, folder: Path) -> Iterator[Site]:
    """A site in an empty folder; skips the test where the host is not found."""
    server = shared() if host == "softserve" else None
    if server:
        server.empty()
    yield Site.make(folder, server)


@cache
def shared() -> SoftServe:
    """The Soft-serve of this process of tests; it ends with it."""
    binary()
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="lucity-soft-serve-"))
        server = stack.enter_context(running(Path(folder) / "soft serve"))
        atexit.register(stack.pop_all().close)
    return server
