"""HelmRenderer and the chart's schema: what it once accepted spares work, and never a refusal."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.helm import HelmRenderer
from adapters.records import Manifests
from gitops.problems import Problem, Refused, RenderFailed
from gitops.tree import Files
from tests.support.rendering import DIGEST, FULL, chart_files, refusal, repository

SCHEMA = "base/charts/lucity-app/values.schema.json"
VALUES = "environments/dev/values.yaml"


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HelmRenderer]:
    """One that the schema has accepted `deployed` for."""
    renderer = HelmRenderer(tmp_path_factory.mktemp("helm"))
    renderer.render(deployed({"tag": "v0"}), "shop", "dev")
    yield renderer
    renderer.close()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[HelmRenderer]:
    """One that has to ask the schema."""
    renderer = HelmRenderer(tmp_path)
    yield renderer
    renderer.close()


def deployed(image: dict[str, Any]) -> Files:
    return repository(FULL, {"services": {"api": {"image": image}}})


def by_hand(image: str) -> Files:
    text = f"lucity-app:\n  environment: dev\n  services:\n    api:\n      image: {image}\n"
    return deployed({}).with_writes({VALUES: text.encode()})


def schema_words(renderer: HelmRenderer, tree: Files) -> str:
    problem = refusal(renderer, tree)
    assert isinstance(problem, RenderFailed)
    assert "values don't meet the specifications of the schema" in problem.message
    return problem.message


def outcome(renderer: HelmRenderer, tree: Files) -> Manifests | Problem:
    try:
        return renderer.render(tree, "shop", "dev")
    except Refused as refused:
        return refused.problem


def test_a_later_deploy_renders_to_what_the_whole_chart_renders(renderer: HelmRenderer, fresh: HelmRenderer) -> None:
    tree = deployed({"tag": "v1"})
    spared = renderer.render(tree, "shop", "dev")
    assert "v1" in "".join(spared.files.values())
    assert spared == fresh.render(tree, "shop", "dev")
    assert renderer.render(deployed({"tag": "v2"}), "shop", "dev") != spared


def test_a_later_digest_renders_to_what_the_whole_chart_renders(renderer: HelmRenderer, fresh: HelmRenderer) -> None:
    renderer.render(deployed({"tag": "v1", "digest": DIGEST}), "shop", "dev")
    tree = deployed({"tag": "v2", "digest": f"sha256:{'b' * 64}"})
    assert renderer.render(tree, "shop", "dev") == fresh.render(tree, "shop", "dev")


@pytest.mark.parametrize(
    "image",
    ["{tag: 12}", "{tag: true}", "{tag: 0x1F}", "{tag: '-v1'}", "{tag: 'a b'}", "{digest: v1}", "{tga: v1}", "v1"],
)
def test_what_the_schema_refuses_is_refused_in_its_words_after_a_good_one(
    renderer: HelmRenderer, fresh: HelmRenderer, image: str
) -> None:
    renderer.render(by_hand("{tag: v1}"), "shop", "dev")
    renderer.render(by_hand("{tag: v2}"), "shop", "dev")
    assert schema_words(renderer, by_hand(image)) == schema_words(fresh, by_hand(image))


def test_a_value_beside_the_tag_is_judged_again(renderer: HelmRenderer) -> None:
    assert "port" in schema_words(renderer, by_hand("{tag: v3}\n      port: none"))


def test_a_changed_base_is_judged_again(renderer: HelmRenderer) -> None:
    wrong = repository({**FULL, "ephemeral": "maybe"}, {"services": {"api": {"image": {"tag": "v1"}}}})
    assert "ephemeral" in schema_words(renderer, wrong)


def test_a_schema_of_ones_own_may_tell_one_tag_from_another(renderer: HelmRenderer) -> None:
    strict = chart_files()[SCHEMA].replace(b"^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$", b"^v[0-9]$")
    only = {"services": {"api": {"image": {"repository": "r/api", "tag": "v0"}}}}

    def tree(tag: str) -> Files:
        return repository(only, {"services": {"api": {"image": {"tag": tag}}}}).with_writes({SCHEMA: strict})

    renderer.render(tree("v1"), "shop", "dev")
    renderer.render(tree("v2"), "shop", "dev")
    assert "'latest' does not match pattern" in schema_words(renderer, tree("latest"))


@pytest.mark.parametrize("text", ["no", "1e3", "0o7", "2026-11-23", "12e4567", "1_000", "1:30", "007", "~", "x", "y"])
def test_a_tag_without_quotes_means_the_same_to_both(renderer: HelmRenderer, fresh: HelmRenderer, text: str) -> None:
    renderer.render(by_hand("{tag: v1}"), "shop", "dev")
    tree = by_hand(f"{{tag: {text}}}")
    assert outcome(renderer, tree) == outcome(fresh, tree)
