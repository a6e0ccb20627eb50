"""Variables as Helm renders them: the later place wins, and what the API tells is what the pods get."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.helm import HelmRenderer
from gitops.repository import read_environment
from gitops.services import VariableScope
from gitops.tree import Files
from gitops.yamltext import edit
from tests.support.rendering import CHART_YAML, chart_files
from tests.support.variables import ENVIRONMENTS, NAMES, SERVICES, Setting, Step, applied, plain, read, rendered, steps

IMAGE = {"repository": "registry.example.com/shop", "tag": "a1b2c3d"}
CHART = {**chart_files(), "base/Chart.yaml": CHART_YAML}


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HelmRenderer]:
    renderer = HelmRenderer(tmp_path_factory.mktemp("helm") / "scratch")
    yield renderer
    renderer.close()


def written(values: dict[str, Any]) -> bytes:
    return edit(b"", "values.yaml", [(("lucity-app",), values)])


def shop() -> Files:
    services = {name: {"image": IMAGE} for name in SERVICES}
    own = {f"environments/{name}/values.yaml": written({"environment": name}) for name in ENVIRONMENTS}
    return Files({**CHART, "base/values.yaml": written({"project": "shop", "services": services}), **own})


def latest(places: dict[tuple[str | None, str | None, str], Setting], environment: str, service: str) -> Any:
    order = [(None, None), (None, service), (environment, None), (environment, service)]
    scopes = dict(zip(order, VariableScope, strict=True))
    won = {name: place for name in NAMES for place in order if (*place, name) in places}
    return {name: (places[*place, name], scopes[place]) for name, place in won.items()}


@settings(max_examples=60)
@given(steps())
def test_the_later_place_wins_whatever_was_set_in_whatever_order(renderer: HelmRenderer, done: list[Step]) -> None:
    tree, places = shop(), dict[tuple[str | None, str | None, str], Setting]()
    for step in done:
        tree = applied(tree, step.change)
        place = (step.environment, step.service, step.name)
        places.pop(place, None)
        if step.setting is not None:
            places[place] = step.setting
    for environment in ENVIRONMENTS:
        for service in SERVICES:
            told = read(tree, environment, service)
            assert {each.name: (each.from_secret or each.value, each.scope) for each in told} == latest(
                places, environment, service
            )
            assert rendered(renderer, tree, environment, service) == plain(told)


VARIABLES = st.none() | st.dictionaries(
    st.sampled_from(NAMES), st.none() | st.sampled_from(["1", "2", {"secret": "db", "key": "url"}])
)


@settings(max_examples=100)
@given(st.lists(VARIABLES, min_size=4, max_size=4), st.sampled_from([None, "services", "api"]))
def test_whatever_a_person_writes_the_reader_tells_what_helm_renders(
    renderer: HelmRenderer, written_by_hand: list[Any], gone: str | None
) -> None:
    base_shared, base, shared, own = written_by_hand
    image: dict[str, Any] = {"image": IMAGE}
    api = None if gone == "api" else {"variables": own}
    environment = {"environment": "dev", "variables": shared, "services": None if gone == "services" else {"api": api}}
    tree = Files(
        {
            **CHART,
            "base/values.yaml": written(
                {"project": "shop", "variables": base_shared, "services": {"api": {**image, "variables": base}}}
            ),
            "environments/dev/values.yaml": written(environment),
        }
    )
    if gone:
        assert read_environment(tree, "dev").services == ()
        assert not renderer.render(tree, "shop", "dev").files
    else:
        assert rendered(renderer, tree, "dev", "api") == plain(read(tree, "dev", "api"))
