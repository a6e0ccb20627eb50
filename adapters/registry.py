"""Images in the registry that Lucity was given, by the API that all registries speak: digests and tags.

Source: https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import hashlib
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

import httpx

from adapters.registry_answers import Answer, digest_of, errors, natural, next_page, tags_of, words
from adapters.registry_http import Login, RegistryApi
from adapters.registry_names import ImageName, RegistryAddress
from adapters.trust import SYSTEM, Trust
from gitops.problems import JobFailure, NotFound, Refused

MANIFESTS: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
CALL_SECONDS: Final = 10.0
_ACCEPT: Final = {"Accept": ", ".join(MANIFESTS)}
_PAGE_TAGS: Final = 1000
_MOST_PAGES: Final = 50
_MADE: Final = range(200, 300)


class OciRegistry:
    """ports.Registry. It asks the one registry that it was given and no other, so that neither a password nor a request
    goes where a repository's name says.
    """

    def __init__(
        self,
        address: RegistryAddress,
        login: Login | None = None,
        trust: Trust = SYSTEM,
        *,
        insecure: bool = False,
        seconds: float = CALL_SECONDS,
    ) -> None:
        self._address = address
        self._api = RegistryApi(address, login, trust, insecure=insecure, seconds=seconds)

    def check(self) -> None:
        """See ports.Registry."""
        self._api.check()

    def holds(self, repository: str) -> bool:
        """See ports.Registry."""
        return self._address.holds(ImageName.parse(repository))

    def digest(self, repository: str, tag: str) -> str | None:
        """See ports.Registry."""
        path, deadline = self._path(repository), self._api.deadline()
        answer = self._manifest("HEAD", path, tag, deadline)
        found = digest_of(answer) if answer.status == httpx.codes.OK else None
        if found is not None:
            return found
        # Not all say it without the body, and a 404 without one may be anybody's.
        answer = self._manifest("GET", path, tag, deadline)
        if answer.status == httpx.codes.NOT_FOUND and errors(answer) is not None:
            return None
        found = digest_of(answer) if answer.status == httpx.codes.OK else None
        if found is None:
            raise self._api.strange(answer)
        return found

    def tags(self, repository: str) -> Sequence[str]:
        """See ports.Registry."""
        path, deadline = self._path(repository), self._api.deadline()
        first = f"/v2/{path}/tags/list"
        page: str | None = f"{first}?n={_PAGE_TAGS}"
        found: set[str] = set()
        for _ in range(_MOST_PAGES):
            if page is None:
                break
            answer = self._api.ask("GET", page, _pull(path), deadline)
            if answer.status == httpx.codes.NOT_FOUND and errors(answer) is not None:
                return ()
            tags = tags_of(answer) if answer.status == httpx.codes.OK else None
            if tags is None:
                raise self._api.strange(answer)
            found.update(tags)
            page = next_page(answer, first)
        return sorted(found, key=natural)

    def tag(self, repository: str, digest: str, tag: str) -> None:
        """See ports.Registry."""
        path, deadline = self._path(repository), self._api.deadline()
        answer = self._manifest("GET", path, digest, deadline)
        if answer.status == httpx.codes.NOT_FOUND and errors(answer) is not None:
            raise Refused(NotFound(f"{repository} has no image {digest} (any more)", "image", f"{repository}@{digest}"))
        if answer.status != httpx.codes.OK or f"sha256:{hashlib.sha256(answer.body).hexdigest()}" != digest:
            raise self._api.strange(answer)
        kind = {"Content-Type": answer.headers.get("content-type", MANIFESTS[1]).partition(";")[0]}
        put = self._api.ask(
            "PUT", f"/v2/{path}/manifests/{quote(tag)}", f"repository:{path}:pull,push", deadline, kind, answer.body
        )
        if put.status not in _MADE:
            raise Refused(JobFailure(f"{self._address.host} does not take the tag {tag} of {repository}: {words(put)}"))

    def close(self) -> None:
        """End the connections of this process."""
        self._api.close()

    def _path(self, repository: str) -> str:
        name = ImageName.parse(repository)
        if not self._address.holds(name):
            message = f"{repository} is not in the registry of LUCITY_REGISTRY: ask `holds` first"
            raise ValueError(message)
        return name.path

    def _manifest(self, method: str, path: str, reference: str, deadline: float) -> Answer:
        return self._api.ask(method, f"/v2/{path}/manifests/{quote(reference)}", _pull(path), deadline, _ACCEPT)


def _pull(path: str) -> str:
    return f"repository:{path}:pull"
