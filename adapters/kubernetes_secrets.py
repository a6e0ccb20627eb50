"""Small secrets as Kubernetes Secrets: one object each, in one namespace. A Secret that Lucity did not make is neither
read nor changed.
"""

import base64
import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from adapters import labels
from adapters.kubernetes_api import SERVICE_ACCOUNT, Contended, KubernetesApi
from adapters.ports import Unreachable
from adapters.secrets import checked

NAME: Final = "lucity.dev/secret"
"""The annotation that holds the name by which Lucity knows it."""
_KEY: Final = "value"
_READABLE = 39
_DIGEST = 16
_TRIES = 10


class KubernetesSecrets:
    """See ports.Secrets; names as in FileSecrets. What was read counts on while the cluster does not answer: an outage
    of the cluster must not stop commits. Raises Unreachable('cluster').
    """

    def __init__(self, api: KubernetesApi, namespace: str) -> None:
        self._api = api
        self._secrets = f"/api/v1/namespaces/{namespace}/secrets"
        self._namespace = namespace
        self._known: dict[str, bytes] = {}

    def get(self, name: str) -> bytes | None:
        """See Secrets.get."""
        try:
            found = self._api.get(self._path(name))
        except Unreachable:
            known = self._known.get(name)
            if known is None:
                raise
            return known
        value = _value(found) if found is not None and _is_of(found, name) else None
        self._learn(name, value)
        return value

    def put(self, name: str, value: bytes) -> None:
        """See Secrets.put. The later of two at the same time counts."""
        path = self._path(name)
        for _ in range(_TRIES):
            try:
                if self._written(path, name, value):
                    self._learn(name, value)
                    return
            except Contended:
                continue
        raise Unreachable("cluster", f"the Secret {object_name(name)} in {self._namespace} is changing all the time")

    def delete(self, name: str) -> None:
        """See Secrets.delete."""
        path = self._path(name)
        for _ in range(_TRIES):
            found = self._api.get(path)
            try:
                if found is not None and _is_of(found, name):
                    self._api.delete(path, found["metadata"]["uid"])
            except Contended:
                continue
            self._learn(name, None)
            return
        raise Unreachable("cluster", f"the Secret {object_name(name)} in {self._namespace} is changing all the time")

    def _written(self, path: str, name: str, value: bytes) -> bool:
        """Whether it is kept; False when it went away meanwhile. Raises Contended."""
        body = _render(name, value)
        found = self._api.get(path)
        if found is None:
            self._api.create(self._secrets, body)
            return True
        if not _is_of(found, name):
            message = (
                f"the Secret {object_name(name)} in {self._namespace} exists and Lucity did not make it: remove it"
            )
            raise Unreachable("cluster", message)
        version = {"uid": found["metadata"]["uid"], "resourceVersion": found["metadata"]["resourceVersion"]}
        return self._api.replace(path, {**body, "metadata": {**body["metadata"], **version}})

    def _learn(self, name: str, value: bytes | None) -> None:
        if value is None:
            self._known.pop(name, None)
        else:
            self._known[name] = value

    def _path(self, name: str) -> str:
        return f"{self._secrets}/{object_name(checked(name))}"


def object_name(name: str) -> str:
    """The name of a secret's object: readable as far as Kubernetes allows, and never that of another secret."""
    readable = re.sub(r"[^a-z0-9]+", "-", name)[:_READABLE].strip("-")
    return f"lucity-{readable}-{sha256(name.encode()).hexdigest()[:_DIGEST]}"


def own_namespace(account: Path = SERVICE_ACCOUNT) -> str:
    """The namespace of the pod that this process runs in. Raises ValueError outside of one."""
    try:
        return (account / "namespace").read_text().strip()
    except OSError as error:
        raise ValueError(f"LUCITY_SECRETS_NAMESPACE is not set, and no pod's own is known: {error}") from None


def _render(name: str, value: bytes) -> dict[str, Any]:
    metadata = {"name": object_name(name), "labels": {labels.MANAGED_BY: labels.LUCITY}, "annotations": {NAME: name}}
    data = {_KEY: base64.b64encode(value).decode()}
    return {"apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": metadata, "data": data}


def _is_of(found: Mapping[str, Any], name: str) -> bool:
    metadata = found["metadata"]
    return labels.is_ours(metadata) and (metadata.get("annotations") or {}).get(NAME) == name


def _value(found: Mapping[str, Any]) -> bytes:
    return base64.b64decode((found.get("data") or {}).get(_KEY, ""))
