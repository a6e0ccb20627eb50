"""HelmRenderer: what it renders, and what it refuses."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.helm import HelmRenderer
from adapters.helm_process import KEPT_CHARTS
from gitops.problems import InvalidRepository, NotFound, RenderFailed
from gitops.tree import Files
from gitops.values import merge
from gitops.yamltext import edit
from tests.support.rendering import TINY, VALUES, refusal, repository, template


@pytest.fixture(scope="module")
def renderer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HelmRenderer]:
    renderer = HelmRenderer(tmp_path_factory.mktemp("helm"))
    yield renderer
    renderer.close()


def test_base_and_environment_come_out_together(renderer: HelmRenderer) -> None:
    files = renderer.render(TINY, "shop", "dev").files
    assert {path: json.loads(text) for path, text in files.items()} == {VALUES: {"a": 1, "b": 2, "global": {}}}


def test_notes_and_empty_templates_are_left_out(renderer: HelmRenderer) -> None:
    tree = TINY.with_writes(
        {"base/templates/NOTES.txt": b"hello", "base/templates/none.yaml": b"{{ if false }}a: 1{{ end }}\n"}
    )
    assert list(renderer.render(tree, "shop", "dev").files) == [VALUES]


def test_release_and_namespace_are_the_environments(renderer: HelmRenderer) -> None:
    files = renderer.render(template("{{ .Release.Name }} {{ .Release.Namespace }}"), "shop", "dev").files
    assert files["base/templates/one.yaml"].split() == ["shop-dev", "shop-dev"]


def test_a_change_of_base_or_of_the_environment_is_seen(renderer: HelmRenderer) -> None:
    for number in (1, 2, 1):
        tree = TINY.with_writes({"base/values.yaml": f"lucity-app: {{number: {number}}}".encode()})
        assert json.loads(renderer.render(tree, "shop", "dev").files[VALUES])["number"] == number
        tree = TINY.with_writes({"environments/dev/values.yaml": f"lucity-app: {{number: {number}}}".encode()})
        assert json.loads(renderer.render(tree, "shop", "dev").files[VALUES])["number"] == number


def test_more_bases_than_are_kept_still_render(renderer: HelmRenderer) -> None:
    for number in [*range(KEPT_CHARTS + 1), 0]:
        tree = template(f"number: {number}")
        text = renderer.render(tree, "shop", "dev").files["base/templates/one.yaml"]
        assert yaml.safe_load(text) == {"number": number}


def test_a_tree_that_knows_its_folders_need_not_be_read(renderer: HelmRenderer) -> None:
    @dataclass(frozen=True)
    class Known(Files):
        def oid(self, path: str) -> str | None:
            return f"object of {path}"

        def files(self, path: str) -> Any:
            assert not self.content.get("closed"), f"{path} is listed again"
            return super().files(path)

    tree = Known(TINY.content)
    first = renderer.render(tree, "shop", "dev").files
    closed = replace(
        tree, content={**TINY.content, "closed": b"yes", "environments/dev/values.yaml": b"lucity-app: {b: 2, c: 3}"}
    )
    assert json.loads(renderer.render(closed, "shop", "dev").files[VALUES]) == {**json.loads(first[VALUES]), "c": 3}


def test_the_charts_own_words_name_no_folder_of_ours(
    renderer: HelmRenderer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    problem = refusal(renderer, template('{{ fail "no such luck" }}'))
    assert problem == RenderFailed("execution error at (base/templates/one.yaml:1:3): no such luck", "dev")
    for broken in (b"apiVersion: v2\n", b"{{{", b""):
        problem = refusal(renderer, TINY.with_writes({"base/Chart.yaml": broken}))
        assert isinstance(problem, RenderFailed)
        assert str(tmp_path_factory.getbasetemp()) not in problem.message


def test_a_missing_chart_is_refused(renderer: HelmRenderer) -> None:
    vendored = [path for path in TINY.content if path.startswith("base/charts/")]
    assert refusal(renderer, TINY.with_writes(dict.fromkeys(vendored))) == RenderFailed(
        "found in Chart.yaml, but missing in charts/ directory: lucity-app", "dev"
    )


@pytest.mark.parametrize("path", ["base/values.yaml", "environments/dev/values.yaml"])
def test_a_values_file_that_is_no_yaml_is_named_with_its_line(renderer: HelmRenderer, path: str) -> None:
    problem = refusal(renderer, TINY.with_writes({path: b"lucity-app:\n  a: [1\n  b: 2\n"}))
    assert isinstance(problem, InvalidRepository)
    assert (problem.path, problem.line) == (path, 3)


def test_a_value_that_only_helm_cannot_read_is_the_files_fault(renderer: HelmRenderer) -> None:
    problem = refusal(renderer, TINY.with_writes({"environments/dev/values.yaml": b"a: .inf\n"}))
    assert isinstance(problem, InvalidRepository)
    assert problem.path == "environments/dev/values.yaml"


def test_an_environment_that_is_not_there_is_not_found(renderer: HelmRenderer) -> None:
    problem = refusal(renderer, TINY.with_writes({"environments/dev/values.yaml": None}))
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("environment", "dev")


def test_a_path_that_leaves_its_folder_is_refused(
    renderer: HelmRenderer, tmp_path_factory: pytest.TempPathFactory
) -> None:
    problem = refusal(renderer, TINY.with_writes({"base/../../escaped": b"x"}))
    assert isinstance(problem, InvalidRepository)
    assert not list(tmp_path_factory.getbasetemp().rglob("escaped"))


def test_a_file_that_no_disk_takes_is_refused(renderer: HelmRenderer) -> None:
    problem = refusal(renderer, TINY.with_writes({f"base/templates/{'x' * 300}.yaml": b"a: 1"}))
    assert isinstance(problem, InvalidRepository)
    assert "too long a name" in problem.message


@pytest.mark.parametrize(
    "text",
    [
        '{{ getHostByName "localhost" | quote }}',
        '{{ lookup "v1" "Secret" "" "" | len | eq 0 | ternary "" "seen" | quote }}',
        '{{ .Files.Get "../../../../../../etc/passwd" | quote }}',
        '{{ .Files.Get "/etc/passwd" | quote }}',
    ],
)
def test_a_template_sees_nothing_outside(renderer: HelmRenderer, text: str) -> None:
    assert renderer.render(template(text), "shop", "dev").files["base/templates/one.yaml"] == '""'


def test_a_template_sees_no_environment_variable(renderer: HelmRenderer) -> None:
    assert 'function "env" not defined' in refusal(renderer, template('{{ env "HOME" }}')).message


def test_many_threads_get_their_own_answers(renderer: HelmRenderer) -> None:
    def rendered(number: int) -> int:
        tree = TINY.with_writes({"environments/dev/values.yaml": f"lucity-app: {{number: {number}}}".encode()})
        found: int = json.loads(renderer.render(tree, "shop", "dev").files[VALUES])["number"]
        return found

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(rendered, range(100))) == list(range(100))


VALUE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.sampled_from(["", "x", "no", "1"])
    | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abcd"), inner, max_size=4),
    max_leaves=12,
)
TABLE = st.dictionaries(st.sampled_from("abcd"), VALUE, max_size=4)


def without_nulls(value: object) -> object:
    """Helm leaves some nulls behind in a subchart's values; chart lucity-app takes them for absent."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None}
    return value


@settings(max_examples=150)
@given(TABLE, TABLE)
def test_merge_is_what_helm_does(renderer: HelmRenderer, base: dict[str, Any], override: dict[str, Any]) -> None:
    files = {"base/values.yaml": base, "environments/dev/values.yaml": override}
    tree = TINY.with_writes({path: json.dumps({"lucity-app": values}).encode() for path, values in files.items()})
    seen = json.loads(renderer.render(tree, "shop", "dev").files[VALUES])
    seen.pop("global")
    assert without_nulls(seen) == without_nulls(merge(base, override))


@pytest.mark.parametrize(
    "text",
    [
        "y",
        "Y",
        "n",
        "N",
        "no",
        "On",
        "OFF",
        "null",
        "~",
        "0x1F",
        "0o7",
        "010",
        "1e3",
        "1_000",
        "12e4567",
        "2026-11-23",
        ".inf",
        "1:30",
    ],
)
def test_an_edit_means_the_same_to_helm_as_to_us(renderer: HelmRenderer, text: str) -> None:
    data = edit(b"lucity-app:\n  a: 1\n", "environments/dev/values.yaml", [(("lucity-app", text), text)])
    seen = renderer.render(TINY.with_writes({"environments/dev/values.yaml": data}), "shop", "dev").files[VALUES]
    assert json.loads(seen)[text] == text


def test_a_project_of_lucity_app_renders(renderer: HelmRenderer) -> None:
    image = {"repository": "r/api", "tag": "a1b2c3d"}
    files = renderer.render(repository({"services": {"api": {"image": image}}}, {}), "shop", "dev").files
    assert list(files) == ["base/charts/lucity-app/templates/services.yaml"]
