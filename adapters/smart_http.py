"""Git's smart HTTP protocol in front of a bare repository, streamed both ways; no web framework here.

Protocol: https://git-scm.com/docs/http-protocol and https://git-scm.com/docs/protocol-v2. The repository's own hooks
run.
"""

import asyncio
import re
import signal
import zlib
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from adapters.git_process import clean_environment, die_with_parent, executable, signal_group
from adapters.ports import Unreachable
from gitops.problems import NotFound, Refused

BODY_BYTES = 512 * 1024 * 1024
"""Size of a request's body at most, inflated."""
_CHUNK_BYTES = 64 * 1024
_EARLY_BYTES = 8 * 1024 * 1024
"""What git may say while it is still being told: acknowledgements and progress."""
_GRACE_SECONDS = 1.0
_GZIP_WINDOW = 31
_PROTOCOL = re.compile(r"version=[0-9]")


class Service(StrEnum):
    """What a client asks for."""

    UPLOAD_PACK = "git-upload-pack"
    RECEIVE_PACK = "git-receive-pack"


class BodyTooLarge(Exception):  # noqa: N818 - a fact about a request
    """The request's body, inflated, is over its limit."""


def advertisement_type(service: str) -> str:
    """Content type of what `advertise` answers."""
    return f"application/x-{Service(service)}-advertisement"


def request_type(service: str) -> str:
    """Content type that a request to `serve` must have."""
    return f"application/x-{Service(service)}-request"


def result_type(service: str) -> str:
    """Content type of what `serve` answers."""
    return f"application/x-{Service(service)}-result"


class ServedRepository(Protocol):
    """One repository as a user's git sees it. Both raise Unreachable before the first chunk when there is no answer."""

    def advertise(self, service: Service, protocol: str | None) -> AsyncGenerator[bytes, None]:
        """See advertise below."""
        ...

    def serve(
        self, service: Service, body: AsyncIterator[bytes], *, gzip: bool, protocol: str | None
    ) -> AsyncGenerator[bytes, None]:
        """See serve below."""
        ...


@dataclass(frozen=True)
class BareRepository:
    """A folder here."""

    path: Path

    @classmethod
    def of(cls, path: Path, project: str) -> "BareRepository":
        """The repository of a project. Raises Refused(NotFound)."""
        if not path.is_dir():
            raise Refused(NotFound(f"There is no project {project}", "project", project))
        return cls(path)

    def advertise(self, service: Service, protocol: str | None) -> AsyncGenerator[bytes, None]:
        """See advertise below."""
        return advertise(self.path, service, protocol)

    def serve(
        self, service: Service, body: AsyncIterator[bytes], *, gzip: bool, protocol: str | None
    ) -> AsyncGenerator[bytes, None]:
        """See serve below."""
        return serve(self.path, service, body, gzip=gzip, protocol=protocol)


async def advertise(repository: Path, service: str, protocol: str | None) -> AsyncGenerator[bytes, None]:
    """The answer to `GET …/info/refs?service=<service>`; `protocol` is the Git-Protocol header. ValueError for another
    service. Raises Unreachable before the first chunk when git cannot read the repository.
    """
    version = version_of(service, protocol)
    started = False
    async with aclosing(_exchange(repository, service, ["--advertise-refs"], None, version)) as answer:
        async for chunk in answer:
            if not started and version != "version=2":
                line = f"# service={service}\n"
                yield f"{len(line) + 4:04x}{line}0000".encode()
            started = True
            yield chunk


async def serve(
    repository: Path,
    service: str,
    body: AsyncIterator[bytes],
    *,
    gzip: bool,
    protocol: str | None,
    body_bytes: int = BODY_BYTES,
) -> AsyncGenerator[bytes, None]:
    """The answer to `POST …/<service>`. It begins with an empty chunk once the whole request was read: from then on a
    web server may watch for its client's going away, which before would have taken parts of the request. Closing it, or
    `body` failing, ends git with all its children, and what git had not yet decided does not happen. Raises
    BodyTooLarge, and ValueError for a body that is not gzip as it claims, before the first chunk.
    """
    read = read_body(body, gzip=gzip, limit=body_bytes)
    async with aclosing(_exchange(repository, service, [], read, version_of(service, protocol))) as answer:
        async for chunk in answer:
            yield chunk


def read_body(body: AsyncIterator[bytes], *, gzip: bool, limit: int = BODY_BYTES) -> AsyncIterator[bytes]:
    """A request's body, inflated. Raises BodyTooLarge, and ValueError for what is not gzip as it claims."""
    return _bounded(_inflate(body, limit) if gzip else body, limit)


def version_of(service: str, protocol: str | None) -> str | None:
    """What the Git-Protocol header asks for; None for what means nothing here."""
    # Pushing has no version 2: clients that ask for it mean 0.
    asked = protocol is not None and _PROTOCOL.fullmatch(protocol) is not None
    return protocol if asked and Service(service) is Service.UPLOAD_PACK else None


async def _exchange(
    repository: Path, service: str, options: list[str], body: AsyncIterator[bytes] | None, version: str | None
) -> AsyncGenerator[bytes, None]:
    process = await asyncio.create_subprocess_exec(
        executable(),
        Service(service).removeprefix("git-"),
        "--stateless-rpc",
        *options,
        str(repository),
        stdin=DEVNULL if body is None else PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        limit=_EARLY_BYTES,
        env=clean_environment({"GIT_PROTOCOL": version} if version else None),
        start_new_session=True,
        preexec_fn=die_with_parent(),
    )
    silent = True
    try:
        if body is not None:
            await _feed(process, body)
            yield b""
        while chunk := await _output(process).read(_CHUNK_BYTES):
            silent = False
            yield chunk
        if await process.wait() != 0 and silent:
            message = f"{service} ended without an answer for {repository.name}"
            if body is None:
                raise Unreachable("git", message)
            yield _error_line(f"{message}: the request could not be understood")
    finally:
        await asyncio.shield(asyncio.create_task(_end(process)))


async def _feed(process: Process, body: AsyncIterator[bytes]) -> None:
    pipe = process.stdin
    assert pipe is not None  # noqa: S101 - asked for where the process was started
    # What git no longer wants to read is not an error here: it says why in its answer.
    with suppress(BrokenPipeError, ConnectionResetError):
        async for chunk in body:
            if pipe.is_closing():
                break
            pipe.write(chunk)
            await pipe.drain()
    pipe.close()


def _error_line(message: str) -> bytes:
    """What git shows as `remote error`; https://git-scm.com/docs/gitprotocol-pack#_pkt_line_format."""
    line = f"ERR {message}"
    return f"{len(line) + 4:04x}{line}".encode()


def _output(process: Process) -> asyncio.StreamReader:
    assert process.stdout is not None  # noqa: S101 - asked for where the process was started
    return process.stdout


async def _end(process: Process) -> None:
    if process.returncode is None:
        signal_group(process.pid, signal.SIGTERM)  # git removes its lock files
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _GRACE_SECONDS)
        signal_group(process.pid, signal.SIGKILL)
    await process.wait()


async def _bounded(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    size = 0
    async for chunk in body:
        size += len(chunk)
        if size > limit:
            raise BodyTooLarge(f"a request may have {limit} bytes")
        yield chunk


async def _inflate(body: AsyncIterator[bytes], limit: int) -> AsyncIterator[bytes]:
    inflater = zlib.decompressobj(_GZIP_WINDOW)
    async for chunk in _bounded(body, limit):
        waiting = chunk
        while waiting and not inflater.eof:
            try:
                yield inflater.decompress(waiting, _CHUNK_BYTES)
            except zlib.error as error:
                raise ValueError("the body is not gzip") from error
            waiting = inflater.unconsumed_tail
    if not inflater.eof:
        raise ValueError("the body ends in the middle of its gzip stream")
