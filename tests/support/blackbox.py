"""What a stranger sends to a running Lucity: any request at all, and the whole answer to it."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.support.product import Product

_RENDER = """
import json, sys, yaml
from helm_python import Chart
folder, values, name = sys.argv[1:]
with Chart.load(folder) as chart, open(values) as file:
    print(json.dumps(chart.render(yaml.safe_load(file) or {}, name=name, namespace=name)))
"""


def body_of(lucity: Product, query: str, **variables: object) -> dict[str, Any]:
    """The body of the answer to one request, errors and all."""
    headers = {"Authorization": f"Bearer {lucity.up.token}"}
    content = {"query": query, "variables": variables}
    answer: dict[str, Any] = httpx.post(f"{lucity.up.url}/graphql", json=content, headers=headers, timeout=60).json()
    return answer


def data_of(lucity: Product, query: str, **variables: object) -> dict[str, Any]:
    """The data of the answer; an error fails the test."""
    body = body_of(lucity, query, **variables)
    assert "errors" not in body, body
    data: dict[str, Any] = body["data"]
    return data


def codes_of(body: Mapping[str, Any]) -> list[str]:
    """extensions.code of every error."""
    return [error["extensions"]["code"] for error in body.get("errors", ())]


def found(lucity: Product, project: str, *environments: str, services: tuple[str, ...] = ("api",)) -> None:
    """Make a project with these environments and services, and wait for it."""
    made = [lucity.asks.change("createProject", name=project, environments=list(environments))]
    for name in services:
        image = f"registry.example.com/{project}/{name}"
        made.append(lucity.asks.change("addService", project=project, name=name, image=image, port=8080))
    lucity.asks.succeeded(*made)


def helm_template(clone: Path, project: str, environment: str) -> list[dict[str, Any]]:
    """Render a clone with Helm alone, as its README says; the objects."""
    place = clone / "environments" / environment / "values.yaml"
    arguments = [str(clone / "base"), str(place), f"{project}-{environment}"]
    ran = subprocess.run([sys.executable, "-c", _RENDER, *arguments], capture_output=True, check=True, timeout=60)
    texts = json.loads(ran.stdout).values()
    return [one for text in texts for one in yaml.safe_load_all(text) if isinstance(one, dict)]
