"""JSON to and from a Kubernetes API server: credentials, timeouts, and one way of failing. What is said: cluster.py.

Contended               the object is not as the request took it to be (HTTP 409): read it again
"""

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.config.incluster_config import InClusterConfigLoader
from urllib3.exceptions import HTTPError
from urllib3.util import Retry
from yaml import YAMLError

from adapters.ports import Unreachable

IN_CLUSTER: Final = "in-cluster"
SERVICE_ACCOUNT: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount")
METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
METADATA_LIST: Final = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
_TIMEOUT_SECONDS = (2.0, 5.0)
"""To connect and to read: shorter than the observer's lease."""
_PAUSE_SECONDS = 2.0
_MANAGER = "lucity"


class Contended(Exception):  # noqa: N818 - a state of the outside
    """Somebody else changed the object meanwhile, or it exists already."""


def configuration_by(
    kubeconfig: str, account: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ
) -> Configuration:
    """Where the API server is and how to be known there. Raises ValueError with what is wrong."""
    configuration = Configuration()
    try:
        if kubeconfig == IN_CLUSTER:
            loader = InClusterConfigLoader(account / "token", account / "ca.crt", environ=environ)  # type: ignore[no-untyped-call]
            loader.load_and_set(configuration)  # type: ignore[no-untyped-call]
        else:
            config.load_kube_config(kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, YAMLError) as error:
        raise ValueError(f"LUCITY_KUBECONFIG={kubeconfig} cannot be used: {error}") from error
    return configuration


class KubernetesApi:
    """One API server. After it did not answer, calls fail at once for a moment instead of waiting one by one."""

    def __init__(self, configuration: Configuration) -> None:
        # A connection that the server closed meanwhile is tried again for what may be repeated; nothing else is.
        configuration.retries = Retry(total=1, connect=0, read=1, status=0, redirect=0)
        self._client = ApiClient(configuration)
        self._down_until = 0.0
        self._outage = ""

    @classmethod
    def by(
        cls, kubeconfig: str, account: Path = SERVICE_ACCOUNT, environ: Mapping[str, str] = os.environ
    ) -> "KubernetesApi":
        """With a kubeconfig file, or with the pod's own service account. Raises ValueError with what is wrong."""
        return cls(configuration_by(kubeconfig, account, environ))

    def get(self, path: str, *, accept: str = "application/json", **query: str) -> dict[str, Any] | None:
        """The object or list; None when there is none."""
        return self._request("GET", path, accept=accept, query=query)

    def create(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The new object. Raises Contended when it exists."""
        made = self._request("POST", path, body)
        if made is None:
            raise Unreachable("cluster", f"POST {path}: 404")
        return made

    def apply(self, path: str, body: Mapping[str, Any]) -> None:
        """Server-side apply, ours winning; https://kubernetes.io/docs/reference/using-api/server-side-apply/."""
        query = {"fieldManager": _MANAGER, "force": "true"}
        self._request("PATCH", path, body, content="application/apply-patch+yaml", query=query)

    def replace(self, path: str, body: Mapping[str, Any]) -> bool:
        """Put this in the object's place; whether it was there. Raises Contended when it is not the version that
        `metadata.resourceVersion` names.
        """
        return self._request("PUT", path, body) is not None

    def patch(self, path: str, uid: str, metadata: Mapping[str, Any]) -> None:
        """Change some metadata of exactly this object. Raises Contended when it is another one by now."""
        body = {"metadata": {"uid": uid, **metadata}}
        self._request("PATCH", path, body, content="application/merge-patch+json")

    def delete(self, path: str, uid: str) -> None:
        """Ask for the end of exactly this object; again is no error. Raises Contended when it is another one by now."""
        body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}}
        self._request("DELETE", path, body)

    def close(self) -> None:
        """End idle connections."""
        self._client.close()  # type: ignore[no-untyped-call]

    def _request(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        accept: str = "application/json",
        content: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        if time.monotonic() < self._down_until:
            raise Unreachable("cluster", self._outage)
        headers = {"Accept": accept, "Content-Type": content}
        request = self._client.param_serialize(
            method, path, {}, list((query or {}).items()), headers, body, auth_settings=["BearerToken"]
        )
        try:
            answer = self._client.call_api(*request, _request_timeout=_TIMEOUT_SECONDS)
            text = answer.read()  # type: ignore[no-untyped-call]
        except (HTTPError, OSError) as error:
            # urllib3 wraps what happened in a MaxRetryError, which says nothing to anybody.
            self._outage = f"the Kubernetes API does not answer: {type(getattr(error, 'reason', error)).__name__}"
            self._down_until = time.monotonic() + _PAUSE_SECONDS
            raise Unreachable("cluster", self._outage) from error
        return _judged(f"{method} {path}", answer.status, text)


def _judged(what: str, status: int, text: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict) or not answer.get("apiVersion") or not answer.get("kind"):
        # A page of some proxy, which must not pass for an object, nor for the news that there is none.
        raise Unreachable("cluster", f"what answers {what} with {status} is not the Kubernetes API")
    match status:
        case 404:
            return None
        case 409:
            raise Contended(answer.get("message", what))
        case _ if 200 <= status < 300:  # noqa: PLR2004 - HTTP's own numbers
            return answer
        case _:
            raise Unreachable("cluster", f"the Kubernetes API refuses {what}: {answer.get('message') or status}")
