"""HelmRenderer.check: it refuses what `render` refuses, and asks Helm only when the answer is not sure."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.helm import HelmRenderer
from gitops.names import Digest, Tag
from gitops.problems import Problem, Refused, RenderFailed
from gitops.tree import Files
from tests.support.rendering import DIGEST, FULL, TINY, repository

VALUES = "environments/dev/values.yaml"
PICKY = b"""{{- with (index .Values "lucity-app").services.api.image -}}
{{- if eq .tag "bad" }}{{ fail "this tag is bad" }}{{ end -}}
{{- end -}}
"""


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HelmRenderer]:
    renderer = HelmRenderer(tmp_path_factory.mktemp("helm"))
    yield renderer
    renderer.close()


@pytest.fixture
def experienced(tmp_path: Path) -> Iterator[HelmRenderer]:
    """One that has rendered a deploy, and whose process has ended."""
    renderer = HelmRenderer(tmp_path)
    renderer.check(deployed("v1"), "shop", "dev")
    renderer.close()
    yield renderer
    renderer.close()


def deployed(tag: str, digest: str = DIGEST) -> Files:
    return repository(FULL, {"services": {"api": {"image": {"tag": tag, "digest": digest}}}})


def refusal(renderer: HelmRenderer, tree: Files, project: str = "shop") -> Problem:
    with pytest.raises(Refused) as refused:
        renderer.check(tree, project, "dev")
    return refused.value.problem


def test_a_later_deploy_is_sure_to_render(experienced: HelmRenderer) -> None:
    experienced.check(deployed("v2", f"sha256:{'b' * 64}"), "shop", "dev")
    assert experienced.pid is None


@settings(max_examples=60)
@given(tag=st.from_regex(Tag.PATTERN, fullmatch=True), digest=st.from_regex(Digest.PATTERN, fullmatch=True))
def test_our_chart_renders_every_tag_and_digest_into_the_image(renderer: HelmRenderer, tag: str, digest: str) -> None:
    manifests = "".join(renderer.render(deployed(tag, digest), "shop", "dev").files.values())
    assert f'image: "r/api:{tag}@{digest}"' in manifests


@pytest.mark.parametrize(
    "tree",
    [
        deployed("v2").with_writes({"base/values.yaml": b"lucity-app: {project: shop}\n"}),
        repository(FULL, {"services": {"api": {"image": {"tag": "v2"}}}}),
        repository(FULL, {"services": {"api": {"image": {"tag": "v2", "digest": DIGEST}, "replicas": 2}}}),
    ],
)
def test_other_values_are_rendered(experienced: HelmRenderer, tree: Files) -> None:
    experienced.check(tree, "shop", "dev")
    assert experienced.pid is not None


def test_another_release_is_rendered(experienced: HelmRenderer) -> None:
    experienced.check(deployed("v2"), "store", "dev")
    assert experienced.pid is not None


def test_what_does_not_render_is_refused_after_what_did(experienced: HelmRenderer) -> None:
    wrong = deployed("v2").with_writes({VALUES: b"lucity-app: {services: {api: {image: {tag: 12}, port: none}}}\n"})
    assert isinstance(refusal(experienced, wrong), RenderFailed)
    assert isinstance(refusal(experienced, wrong), RenderFailed)


def test_a_template_of_ones_own_may_stop_at_one_tag(renderer: HelmRenderer) -> None:
    own = {"base/templates/picky.yaml": PICKY}
    renderer.check(deployed("v1").with_writes(own), "shop", "dev")
    renderer.check(deployed("v2").with_writes(own), "shop", "dev")
    problem = refusal(renderer, deployed("bad").with_writes(own))
    assert "this tag is bad" in problem.message


def test_another_chart_is_always_rendered(experienced: HelmRenderer) -> None:
    experienced.check(TINY, "shop", "dev")
    experienced.close()
    experienced.check(TINY.with_writes({VALUES: b"lucity-app: {b: 3}\n"}), "shop", "dev")
    assert experienced.pid is not None
