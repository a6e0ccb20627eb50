"""Repositories of lucity-app to render, and their manifests as data."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.charts import carried_charts
from adapters.helm import HelmRenderer
from gitops.problems import Problem, Refused
from gitops.tree import Files
from gitops.yamltext import edit

CHART_YAML = b"""apiVersion: v2
name: base
version: 0.1.0
dependencies:
  - name: lucity-app
    version: "0.1.0"
"""
TINY = Files(
    {
        "base/Chart.yaml": CHART_YAML,
        "base/values.yaml": b"lucity-app: {a: 1}\n",
        "base/charts/lucity-app/Chart.yaml": b"apiVersion: v2\nname: lucity-app\nversion: 0.1.0\n",
        "base/charts/lucity-app/templates/values.yaml": b"{{ .Values | toJson }}\n",
        "environments/dev/values.yaml": b"lucity-app: {b: 2}\n",
    }
)
VALUES = "base/charts/lucity-app/templates/values.yaml"
"""Where TINY's chart shows all its values, in JSON."""
DIGEST = "sha256:" + "a" * 64
FULL: dict[str, Any] = {
    "variables": {"SHARED": "1", "TOKEN": {"secret": "vault", "key": "token"}},
    "services": {
        "api": {
            "image": {"repository": "r/api", "tag": "0x1F", "digest": DIGEST, "pullPolicy": "Always"},
            "imagePullSecrets": ["registry"],
            "port": 8080,
            "command": ["/bin/api"],
            "args": ["--verbose", "1"],
            "restartedAt": "2026-11-23T12:00:00Z",
            "terminationGracePeriodSeconds": 0,
            "variables": {"URL": {"secret": "db", "key": "url"}},
            "resources": {"requests": {"cpu": "100m"}, "limits": {"memory": "256Mi", "nvidia.com/gpu": "1"}},
            "probes": {
                "readiness": {"httpGet": {"path": "/healthz"}, "periodSeconds": 5},
                "liveness": {"grpc": {}},
                "startup": {"exec": {"command": ["true"]}},
            },
            "hosts": ["api.example.com", {"host": "*.example.com", "path": "/api"}],
            "ingress": {"className": "nginx", "annotations": {"a": "b"}, "tls": {"secretName": "api-tls"}},
            "autoscaling": {"minReplicas": 2, "maxReplicas": 10, "targetMemoryUtilizationPercentage": 70},
            "securityContext": {
                "runAsUser": 1000710000,
                "runAsGroup": 1,
                "fsGroup": 2,
                "readOnlyRootFilesystem": True,
            },
            "temporary": {"/tmp": "64Mi", "/cache": "1Gi"},  # noqa: S108 - a path inside a container
            "annotations": {"prometheus.io/scrape": "true"},
            "serviceAccount": {"annotations": {"role": "x"}},
            "source": {"repositoryUrl": "https://example.com/x.git", "branch": "main"},
        },
        "cleanup": {
            "image": {"repository": "r/cleanup", "tag": "no"},
            "schedule": "*/5 * * * *",
            "cronJob": {"timeZone": "Etc/UTC", "suspend": True, "backoffLimit": 0, "activeDeadlineSeconds": 60},
        },
        "web": {
            "image": {"repository": "r/web", "digest": DIGEST},
            "port": 80,
            "hosts": ["a.example.com", "b.example.com", {"host": "a.example.com", "path": "/x"}],
            "ingress": {"gateway": {"name": "public", "namespace": "gateways"}, "annotations": {"a": "b"}},
        },
        "worker": {"image": {"repository": "r/worker", "tag": "12e4567"}, "replicas": 0},
    },
}
"""Services that use all that the chart offers."""


def chart_files() -> dict[str, bytes]:
    """Read the vendored chart, as a repository holds it."""
    (chart,) = carried_charts().values()
    return {f"base/charts/lucity-app/{path}": data for path, data in chart.items()}


def repository(base: dict[str, Any], environment: dict[str, Any]) -> Files:
    """Make a project `shop` with an environment `dev`; both dictionaries stand below `lucity-app:`."""
    return Files(
        {
            **chart_files(),
            "base/Chart.yaml": CHART_YAML,
            "base/values.yaml": _written({"project": "shop", **base}),
            "environments/dev/values.yaml": _written({"environment": "dev", **environment}),
        }
    )


def _written(values: dict[str, Any]) -> bytes:
    # PyYAML would write the text 0E0 without quotes, which Helm reads as a number.
    return edit(b"", "values.yaml", [(("lucity-app",), values)])


class Shop:
    """Renders one environment of one project."""

    def __init__(self, scratch: Path) -> None:
        self.renderer = HelmRenderer(scratch)

    def objects(self, base: dict[str, Any], environment: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """Render all objects that base and environment give together."""
        rendered = self.renderer.render(repository(base, environment or {}), "shop", "dev")
        return [found for text in rendered.files.values() for found in yaml.safe_load_all(text) if found]

    def service(self, service: dict[str, Any], **values: Any) -> dict[str, dict[str, Any]]:
        """Render the objects of one service `api`, by kind."""
        image = {"repository": "registry.example.com/api", "tag": "a1b2c3d"}
        return {
            found["kind"]: found for found in self.objects({"services": {"api": {"image": image, **service}}, **values})
        }

    def variables(self, service: dict[str, Any], **values: Any) -> dict[str, str]:
        """Render the variables of service `api` that come by its ConfigMap."""
        data: dict[str, str] = self.service(service, **values)["ConfigMap"]["data"]
        return data


def template(text: str) -> Files:
    """Add a template to TINY."""
    return TINY.with_writes({"base/templates/one.yaml": text.encode()})


def refusal(renderer: HelmRenderer, tree: Files) -> Problem:
    """Render what is to be refused; why it is."""
    with pytest.raises(Refused) as refused:
        renderer.render(tree, "shop", "dev")
    return refused.value.problem


def pod(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Take the Deployment's pod template."""
    template: dict[str, Any] = objects["Deployment"]["spec"]["template"]
    return template


def container(objects: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Take the Deployment's only container."""
    only: dict[str, Any] = pod(objects)["spec"]["containers"][0]
    return only
