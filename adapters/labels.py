"""What marks an object in the cluster as an environment of ours. Pure; also what decides whether one is ours."""

from collections.abc import Mapping
from typing import Any, Final

from adapters.records import Application
from gitops.problems import AlreadyExists

PROJECT: Final = "lucity.dev/project"
ENVIRONMENT: Final = "lucity.dev/environment"
SERVICE: Final = "lucity.dev/service"
EPHEMERAL: Final = "lucity.dev/ephemeral"
IDENTITY: Final = "lucity.dev/environment-commit"
MANAGED_BY: Final = "app.kubernetes.io/managed-by"
LUCITY: Final = "lucity"


def render(application: Application) -> dict[str, Any]:
    """The labels and annotations of an environment's namespace, as metadata has them."""
    return {
        "labels": {
            PROJECT: application.project,
            ENVIRONMENT: application.environment,
            EPHEMERAL: str(application.ephemeral).lower(),
            MANAGED_BY: LUCITY,
        },
        "annotations": {IDENTITY: application.identity},
    }


def parse(metadata: Mapping[str, Any]) -> Application | None:
    """The environment that a namespace was made for; None when Lucity did not make it."""
    labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
    project, environment, identity = labels.get(PROJECT), labels.get(ENVIRONMENT), annotations.get(IDENTITY)
    if not is_ours(metadata) or not (project and environment and identity):
        return None
    if metadata["name"] != f"{project}-{environment}":
        return None
    return Application(project, environment, metadata["name"], identity, labels.get(EPHEMERAL) == "true")


def is_ours(metadata: Mapping[str, Any]) -> bool:
    """Whether Lucity made an object inside a namespace of ours."""
    return (metadata.get("labels") or {}).get(MANAGED_BY) == LUCITY


def foreign(namespace: str) -> AlreadyExists:
    """The problem with a namespace that somebody else made."""
    message = (
        f"The namespace {namespace} exists and Lucity did not make it: "
        "take another name for the environment, or have its owner remove it."
    )
    return AlreadyExists(message, "namespace", namespace)
