"""Long answers of a Kubernetes API server, natively asynchronous: watches and logs, with the credentials that
kubernetes_api.py finds. What is said: pod_watch.py, pod_logs.py.

Declined                an answer that is none (HTTP 4xx, 5xx)
"""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Final

import httpx
from kubernetes.client import Configuration
from kubernetes.client.rest import should_bypass_proxies
from kubernetes.config import ConfigException

from adapters.ports import Unreachable

Query = Mapping[str, str]
Credentials = Callable[[], Configuration]
_UNAUTHORIZED: Final = 401
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
_ERROR_BYTES = 64 * 1024
_KEEP_ALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 20),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)
"""A log may be silent for long: the kernel finds out whether the other side is still there."""


class Declined(Exception):  # noqa: N818 - an answer
    """The API server, or the kubelet behind it, does not give what was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class KubernetesStreams:
    """Requests over connections of their own, as many as are asked for; all end with `opened`."""

    def __init__(self, credentials: Credentials, configuration: Configuration, client: httpx.AsyncClient) -> None:
        self._credentials = credentials
        self._configuration = configuration
        self._client = client

    @classmethod
    @asynccontextmanager
    async def opened(cls, credentials: Credentials) -> AsyncIterator["KubernetesStreams"]:
        """With credentials as they are now. Raises Unreachable."""
        configuration = await _read(credentials)
        async with await asyncio.to_thread(_client, configuration) as client:
            yield cls(credentials, configuration, client)

    async def get(self, path: str, query: Query) -> dict[str, Any]:
        """An object or list. Raises Declined, Unreachable."""
        async with self.stream(path, query, _ANSWER_SECONDS) as answer:
            try:
                found: dict[str, Any] = json.loads(await answer.aread())
            except (httpx.HTTPError, ValueError) as error:
                raise _away(error) from error
        return found

    @asynccontextmanager
    async def stream(self, path: str, query: Query, silence_seconds: float) -> AsyncGenerator[httpx.Response, None]:
        """An answer as it comes; read it by `chunks`. Raises Declined, Unreachable."""
        answer = await self._send(path, query, silence_seconds)
        if answer.status_code == _UNAUTHORIZED:
            await answer.aclose()
            self._configuration = await _read(self._credentials)
            answer = await self._send(path, query, silence_seconds)
        try:
            if not answer.is_success:
                raise Declined(answer.status_code, await _message(answer))
            yield answer
        finally:
            await answer.aclose()

    async def _send(self, path: str, query: Query, silence_seconds: float) -> httpx.Response:
        token = await asyncio.to_thread(self._configuration.get_api_key_with_prefix, "BearerToken", "authorization")
        headers = {"Authorization": token} if token else {}
        request = self._client.build_request(
            "GET",
            f"{self._configuration.host.rstrip('/')}{path}",
            params=dict(query),
            headers={"Accept": "application/json, */*", **headers},
            timeout=httpx.Timeout(silence_seconds, connect=_CONNECT_SECONDS, pool=None),
            extensions=_server_name(self._configuration),
        )
        try:
            return await self._client.send(request, stream=True)
        except httpx.HTTPError as error:
            raise _away(error) from error


async def chunks(answer: httpx.Response) -> AsyncGenerator[bytes, None]:
    """An answer's bytes as they come. Raises Unreachable when it breaks off."""
    try:
        async for chunk in answer.aiter_bytes():
            yield chunk
    except httpx.HTTPError as error:
        raise _away(error) from error


async def _read(credentials: Credentials) -> Configuration:
    try:
        return await asyncio.to_thread(credentials)
    except (ValueError, ConfigException) as error:
        raise Unreachable("cluster", str(error)) from error


async def _message(answer: httpx.Response) -> str:
    """The words of a Status object, or what stands there instead."""
    said = bytearray()
    async for chunk in chunks(answer):
        said += chunk[:_ERROR_BYTES]
        if len(said) >= _ERROR_BYTES:
            break
    try:
        return str(json.loads(said)["message"])
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.reason_phrase}"


def _client(configuration: Configuration) -> httpx.AsyncClient:
    bypassed = should_bypass_proxies(configuration.host, configuration.no_proxy or "")
    transport = httpx.AsyncHTTPTransport(
        verify=_tls(configuration),
        trust_env=False,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=4),
        proxy=None if bypassed else configuration.proxy,
        socket_options=_KEEP_ALIVE,
    )
    return httpx.AsyncClient(transport=transport, trust_env=False)


def _tls(configuration: Configuration) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=configuration.ssl_ca_cert, cadata=configuration.ca_cert_data)
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if configuration.cert_file:
        context.load_cert_chain(configuration.cert_file, configuration.key_file)
    return context


def _server_name(configuration: Configuration) -> dict[str, Any]:
    return {"sni_hostname": configuration.tls_server_name} if configuration.tls_server_name else {}


def _away(error: Exception) -> Unreachable:
    return Unreachable("cluster", f"the Kubernetes API does not answer: {type(error).__name__}")
