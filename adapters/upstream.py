"""A repository on another Git host, passed through by smart HTTP: streamed both ways, with our credentials instead of
the user's.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ssl import SSLContext

import httpx

from adapters.ports import Unreachable
from adapters.smart_http import Service, advertisement_type, read_body, request_type, result_type, version_of

_TIMEOUT = httpx.Timeout(30, connect=5, read=300)
"""`read` is for hooks that take their time."""


@dataclass(frozen=True)
class Upstream:
    """See smart_http.ServedRepository: the repository at `url`. `headers` carry credentials, `tls` says whom
    to trust.
    """

    url: str
    headers: Mapping[str, str]
    tls: SSLContext

    async def advertise(self, service: Service, protocol: str | None) -> AsyncGenerator[bytes, None]:
        """See ServedRepository.advertise."""
        request = httpx.Request(
            "GET",
            f"{self.url}/info/refs",
            params={"service": service.value},
            headers=self._headers(service, protocol, Accept=advertisement_type(service)),
        )
        async with self._answered(request, advertisement_type(service)) as answer:
            async for chunk in answer.aiter_raw():
                yield chunk

    async def serve(
        self, service: Service, body: AsyncIterator[bytes], *, gzip: bool, protocol: str | None
    ) -> AsyncGenerator[bytes, None]:
        """See ServedRepository.serve: an empty chunk comes first, when the whole request was read."""
        headers = {"Content-Type": request_type(service), "Accept": result_type(service)}
        request = httpx.Request(
            "POST",
            f"{self.url}/{service}",
            content=read_body(body, gzip=gzip),
            headers=self._headers(service, protocol, **headers),
        )
        async with self._answered(request, result_type(service)) as answer:
            yield b""
            async for chunk in answer.aiter_raw():
                yield chunk

    def _headers(self, service: Service, protocol: str | None, **others: str) -> dict[str, str]:
        version = version_of(service, protocol)
        asked = {"Git-Protocol": version} if version else {}
        return {"User-Agent": "git/lucity", "Accept-Encoding": "identity", **asked, **others, **self.headers}

    @asynccontextmanager
    async def _answered(self, request: httpx.Request, media: str) -> AsyncIterator[httpx.Response]:
        try:
            async with httpx.AsyncClient(verify=self.tls, timeout=_TIMEOUT) as client:
                answer = await client.send(request, stream=True)
                try:
                    self._judge(answer, media)
                    yield answer
                finally:
                    await answer.aclose()
        except httpx.HTTPError as error:
            raise Unreachable("git", f"the Git host does not answer: {error}") from None

    def _judge(self, answer: httpx.Response, media: str) -> None:
        if answer.status_code != httpx.codes.OK or answer.headers.get("content-type") != media:
            said = f"{answer.status_code} {answer.reason_phrase}"
            raise Unreachable("git", f"the Git host did not take Lucity's request ({said}); is the project gone?")
