"""What Argo CD must hold for a project and its environments, as its API takes it. Pure; nothing here asks anybody.

Sources: design section 5; Argo CD 3.6, Application and AppProject of argoproj.io/v1alpha1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from adapters.argocd_parse import ENVIRONMENT, EPHEMERAL, IDENTITY, PROJECT, parse_application
from adapters.argocd_values import entries, table
from adapters.records import Application
from gitops.layout import BASE, environment_folder, environment_values
from gitops.names import EnvironmentName
from gitops.problems import AlreadyExists, Conflict, ConflictCode, Refused

MANIFEST_PATHS: Final = "argocd.argoproj.io/manifest-generate-paths"
FINALIZER: Final = "resources-finalizer.argocd.argoproj.io/background"
CLUSTER_KINDS: Final = "clusterResourceWhitelist"
"""The key of an AppProject's spec; Argo CD leaves it out when it is empty."""
_NAMESPACE_KIND: Final = {"group": "", "kind": "Namespace"}

_EPOCH: Final = datetime.fromtimestamp(0, UTC)

Body = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where Argo CD itself lives and where it deploys. `creates_namespaces`: nobody else makes them."""

    namespace: str = "argocd"
    destination: str = "https://kubernetes.default.svc"
    creates_namespaces: bool = True


def application_name(project: str, environment: str) -> str:
    """The Application of an environment."""
    return f"{project}-{environment}"


def render_application(application: Application, repository_url: str, place: Place) -> Body:
    """The Application of one environment."""
    environment = application.environment
    options = ["ServerSideApply=true", *(["CreateNamespace=true"] if place.creates_namespaces else [])]
    return {
        "metadata": {
            "name": application_name(application.project, environment),
            "namespace": place.namespace,
            "labels": {
                PROJECT: application.project,
                ENVIRONMENT: environment,
                EPHEMERAL: str(application.ephemeral).lower(),
            },
            "annotations": {
                IDENTITY: application.identity,
                MANIFEST_PATHS: f"/{BASE};/{environment_folder(environment)}",
            },
            "finalizers": [FINALIZER],
        },
        "spec": {
            "project": application.project,
            "source": {
                "repoURL": repository_url,
                "path": BASE,
                "targetRevision": "main",
                "helm": {"valueFiles": [f"/{environment_values(environment)}"]},
            },
            "destination": {"server": place.destination, "namespace": application.namespace},
            "syncPolicy": {
                "automated": {"prune": True, "selfHeal": True},
                "syncOptions": options,
                "retry": {
                    "limit": 5,
                    "refresh": True,
                    "backoff": {"duration": "5s", "factor": 2, "maxDuration": "3m"},
                },
            },
        },
    }


def render_project(project: str, repository_url: str, namespaces: Sequence[str], place: Place) -> Body:
    """The AppProject: only this repository, only these namespaces, nothing that belongs to the whole cluster."""
    spec: Body = {
        "description": f"Lucity project {project}",
        "sourceRepos": [repository_url],
        "destinations": [{"server": place.destination, "namespace": name} for name in sorted(namespaces)],
        CLUSTER_KINDS: [_NAMESPACE_KIND] if place.creates_namespaces else [],
    }
    return {"metadata": {"name": project, "namespace": place.namespace, "labels": {PROJECT: project}}, "spec": spec}


def render_repository(project: str, url: str, username: str, password: str) -> Body:
    """The repository with the credentials to read it, for this project's Applications only."""
    return {"type": "git", "repo": url, "username": username, "password": password, "project": project}


def is_environment(namespace: str, project: str) -> bool:
    """Whether a namespace may be one of this project's environments, by its name."""
    try:
        return namespace == f"{project}-{EnvironmentName.parse(namespace.removeprefix(f'{project}-'))}"
    except Refused:
        return False


def is_ours(body: Mapping[str, Any], project: str) -> bool:
    """Whether an object says by its label that Lucity made it for this project."""
    return bool(table(body, "metadata", "labels").get(PROJECT) == project)


def identity_of(application: Mapping[str, Any]) -> str:
    """The commit that an Application says it was made for; empty when it says none."""
    return str(table(application, "metadata", "annotations").get(IDENTITY) or "")


def is_going(application: Mapping[str, Any]) -> bool:
    """Whether it is being deleted."""
    return bool(application.get("metadata", {}).get("deletionTimestamp"))


def covers(present: object, wanted: object) -> bool:
    """Whether everything that is wanted is there already; what others added, and defaults, do not count."""
    if isinstance(wanted, Mapping):
        return isinstance(present, Mapping) and all(covers(present.get(key), value) for key, value in wanted.items())
    return present == wanted


def is_troubled(application: Body) -> bool:
    """Whether Argo CD cannot compare it: its chart does not render, or its repository cannot be read."""
    conditions = entries(table(application, "status"), "conditions")
    return any(table(one).get("type") == "ComparisonError" for one in conditions)


def judge(body: Body, application: Application) -> None:
    """What stands under the name must be this environment's own and stay; the commit that it carries tells, for labels
    may have been changed by somebody.
    """
    name, identity = body["metadata"]["name"], identity_of(body)
    if identity != application.identity and parse_application(body, _EPOCH) is None:
        raise foreign(name)
    if is_going(body) or identity not in {"", application.identity}:
        text = f"waiting for the earlier Application {name} to be gone"
        raise Refused(Conflict(text, ConflictCode.BEING_DELETED))


def foreign(name: str) -> Refused:
    """What stands in Argo CD under a name of ours, perhaps in another of its projects."""
    text = f"Argo CD has an Application {name} that Lucity did not make: remove or rename it."
    return Refused(AlreadyExists(text, "application", name))


def admitted(body: Body, project: str) -> set[str]:
    """The namespaces it admits that can be of this project; what somebody added, patterns even, does not count."""
    named = (str(table(one).get("namespace") or "") for one in entries(body["spec"], "destinations"))
    return {name for name in named if is_environment(name, project)}
