"""The files that projects and environments are born with."""

from collections.abc import Mapping
from itertools import pairwise

from gitops.layout import (
    BASE_CHART,
    BASE_VALUES,
    CHART_FOLDER,
    PROJECT,
    README,
    environment_settings,
    environment_values,
)
from gitops.names import namespace
from gitops.yamlscalars import quote

_README = """\
# {project}

This repository says what runs in every environment of {project}. It is plain Helm in plain Git, kept by Lucity:
every change is one commit, and it works just as well without Lucity.

    base/values.yaml                     the services, and what all environments share
    environments/<name>/values.yaml      what differs in one environment: images, replicas, variables
    base/charts/lucity-app/              the chart, vendored: nothing else is needed to render
    project.yaml                         settings of the project

See what an environment runs, and run it:

    helm template {example_namespace} base -f environments/{example}/values.yaml
    helm upgrade --install {example_namespace} base -f environments/{example}/values.yaml -n {example_namespace}

With Argo CD: an Application with `path: base` and `helm.valueFiles: [/environments/{example}/values.yaml]`.

The history is the list of deployments, and Git undoes them:

    git log --oneline --first-parent -- environments/{example} base
    git log --grep '^deploy({example})'
    git revert <commit> && git push

Edits by hand are welcome: push to `main`. Comments and order stay when Lucity edits a file.
"""

_CHART = """\
apiVersion: v2
name: {project}
description: All services of {project}.
type: application
version: 0.1.0
dependencies:
  - name: lucity-app
    version: "{version}"
"""

_BASE = """\
# The services, and what all environments share. charts/lucity-app/values.yaml lists every key.
lucity-app:
  project: {project}
"""

_ENVIRONMENT = """\
# What differs from base/values.yaml in this environment.
lucity-app:
  environment: {environment}
"""


def project_files(
    project: str, environments: tuple[str, ...], charts: Mapping[str, Mapping[str, bytes]]
) -> dict[str, bytes | None]:
    """All files of a new project but those of its environments; the chart is the newest there is."""
    version = newest(charts)
    example = environments[0] if environments else "production"
    readme = _README.format(project=project, example=example, example_namespace=namespace(project, example))
    files: dict[str, bytes | None] = {
        README: readme.encode(),
        BASE_CHART: _CHART.format(project=project, version=version).encode(),
        BASE_VALUES: _BASE.format(project=quote(project)).encode(),
        PROJECT: _project_settings(environments).encode(),
    }
    return files | {f"{CHART_FOLDER}/{path}": data for path, data in charts[version].items()}


def environment_files(
    environment: str, *, ephemeral: bool = False, created_from: str = "", expires_at: str = ""
) -> dict[str, bytes | None]:
    """The two files of a new environment."""
    values = _ENVIRONMENT.format(environment=quote(environment)) + ("  ephemeral: true\n" if ephemeral else "")
    settings = [f"ephemeral: {str(ephemeral).lower()}"]
    settings += [f"createdFrom: {quote(created_from)}"] if created_from else []
    settings += [f"expiresAt: {quote(expires_at)}"] if expires_at else []
    return {
        environment_values(environment): values.encode(),
        environment_settings(environment): ("\n".join(settings) + "\n").encode(),
    }


def newest(charts: Mapping[str, object]) -> str:
    """The highest of some chart versions; a pre-release stands below its release."""
    return max(charts, key=_rank)


def _rank(version: str) -> tuple[tuple[int, ...], bool, str]:
    numbers, dash, pre_release = version.split("+", 1)[0].partition("-")
    return tuple(int(number) for number in numbers.split(".")), not dash, pre_release


def _project_settings(environments: tuple[str, ...]) -> str:
    edges = pairwise(environments)
    lines = [f"  - from: {quote(source)}\n    to: {quote(goal)}" for source, goal in edges]
    head = "# Settings of the project. pipeline: the ways by which versions are promoted.\n"
    return head + "\n".join(["pipeline:", *lines] if lines else ["pipeline: []"]) + "\n"
