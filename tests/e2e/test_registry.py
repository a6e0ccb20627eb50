"""A real registry that asks for a login, before and after it goes, seen by the real processes of `lucity up`."""

from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx

from tests.support.clients import Client
from tests.support.registry import PASSWORD, USERNAME, RegistryServer, start_registry
from tests.support.up import Up, running

ASKED = """{ project(name: "shop") { service(name: "api") { tags }
  environment(name: "development") { service(name: "api") { image { tag digest } } } } }"""


def variables(folder: Path, registry: RegistryServer) -> dict[str, str]:
    (folder / "password").write_text(PASSWORD)
    return {
        "LUCITY_REGISTRY": f"{registry.address}/shop",
        "LUCITY_REGISTRY_INSECURE": "true",
        "LUCITY_REGISTRY_USERNAME": USERNAME,
        "LUCITY_REGISTRY_PASSWORD_FILE": str(folder / "password"),
    }


def component(up: Up) -> dict[str, Any]:
    answer = httpx.get(f"{up.url}/readyz", timeout=30)
    assert answer.status_code == 200
    (found,) = [one for one in answer.json()["components"] if one["name"] == "registry"]
    return dict(found)


def test_tags_are_deployed_with_their_digests_until_the_registry_goes(tmp_path: Path) -> None:
    with ExitStack() as stack:
        going = stack.enter_context(ExitStack())
        registry = going.enter_context(start_registry(tmp_path / "registry", login=True))
        pushed = registry.push("shop/api", "v1", b"one")
        up = stack.enter_context(running(tmp_path / "data", variables=variables(tmp_path, registry)))
        client = stack.enter_context(closing(Client(lambda: up.url, up.token, up.report)))
        client.succeeded(client.change("createProject", name="shop"))
        client.succeeded(client.change("addService", project="shop", name="api", image=f"{registry.address}/shop/api"))

        client.succeeded(client.deploy("shop", "api", "v1"))
        (missing,) = client.ended([client.deploy("shop", "api", "v2")]).values()
        assert (missing["state"], missing["error"]["__typename"]) == ("FAILED", "NotFound")
        assert client.insist(ASKED)["project"] == {
            "service": {"tags": ["v1"]},
            "environment": {"service": {"image": {"tag": "v1", "digest": pushed}}},
        }
        assert component(up)["healthy"]

        going.close()
        (landed,) = client.succeeded(client.deploy("shop", "api", "v3"))
        (step,) = client.insist(f'{{ job(id: "{landed["id"]}") {{ steps {{ message }} }} }}')["job"]["steps"]
        assert "deployed without a digest" in step["message"]
        assert client.insist(ASKED)["project"] == {
            "service": {"tags": None},
            "environment": {"service": {"image": {"tag": "v3", "digest": None}}},
        }
        assert not component(up)["healthy"]
