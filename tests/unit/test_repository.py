"""A repository is read as far as it can be: a broken file stops what it concerns and nothing else."""

from datetime import UTC, datetime

import pytest

from gitops.commits import Image
from gitops.repository import environment_names, images, read, read_settings
from gitops.services import SecretKey, Source, Variable, VariableScope
from gitops.tree import Files

BASE = b"""\
lucity-app:
  variables: {LOG: info, REGION: eu, DROPPED: x}
  services:
    web:
      image: {repository: r/web, tag: "from-base"}
      hosts: [a.example.com, {host: b.example.com, path: /b}]
    api:
      image: {repository: r/api}
      port: 8080
      command: [run, 1]
      replicas: 2
      source: {repositoryUrl: "https://x/y.git", branch: dev}
      variables: {LOG: own, PORT: 80, DEBUG: no}
"""
STAGING = b"""\
lucity-app:
  variables: {REGION: us, DROPPED: null}
  services:
    api:
      image: {tag: "1234567", digest: "sha256:0"}
      replicas: 5
      variables: {PASSWORD: {secret: db, key: password}}
"""
GOOD = {
    "base/values.yaml": BASE,
    "project.yaml": b"pipeline: [{from: dev, to: staging}]\n",
    "environments/staging/values.yaml": STAGING,
    "environments/staging/environment.yaml": b"ephemeral: false\n",
    "environments/pr-1/values.yaml": b"# nothing yet\n",
    "environments/pr-1/environment.yaml": b"ephemeral: true\ncreatedFrom: staging\n"
    b"expiresAt: 2026-12-01T01:00:00+01:00\n",
}


def with_file(path: str, data: bytes | None) -> Files:
    return Files(GOOD).with_writes({path: data})


def test_services_are_what_base_says() -> None:
    api, web = read(Files(GOOD)).services or ()
    assert (api.name, api.image, api.port, api.command) == ("api", "r/api", 8080, ("run", "1"))
    assert api.source == Source("https://x/y.git", "dev", ".", "Dockerfile")
    assert (web.name, web.port, web.command, web.source) == ("web", None, None, None)
    assert [(each.name, each.value, each.scope.value) for each in api.variables] == [
        ("DEBUG", "false", "BASE"),
        ("DROPPED", "x", "BASE_SHARED"),
        ("LOG", "own", "BASE"),
        ("PORT", "80", "BASE"),
        ("REGION", "eu", "BASE_SHARED"),
    ]


def test_an_environment_is_base_with_its_own_file_over_it() -> None:
    staging = read(Files(GOOD)).environment("staging")
    assert staging is not None
    api, web = staging.service("api"), staging.service("web")
    assert api is not None
    assert web is not None
    assert (api.image, api.replicas) == (Image("r/api", "1234567", "sha256:0"), 5)
    assert (web.image, web.replicas, web.hosts) == (Image("r/web", "from-base"), 1, ("a.example.com", "b.example.com"))
    assert [each for each in api.variables if each.name in {"PASSWORD", "REGION", "DROPPED", "LOG"}] == [
        Variable("LOG", "own", VariableScope.BASE),
        Variable("PASSWORD", None, VariableScope.ENVIRONMENT, SecretKey("db", "password")),
        Variable("REGION", "us", VariableScope.ENVIRONMENT_SHARED),
    ]
    assert staging.values_text == STAGING.decode()


def test_a_preview_tells_its_origin_and_its_end_in_utc() -> None:
    preview = read(Files(GOOD)).environment("pr-1")
    assert preview is not None
    assert (preview.ephemeral, preview.created_from) == (True, "staging")
    assert preview.expires_at == datetime(2026, 12, 1, tzinfo=UTC)
    api = preview.service("api")
    assert api is not None
    assert api.image is None


def test_a_good_repository_has_no_problems_and_knows_its_pipeline() -> None:
    repository = read(Files(GOOD))
    assert repository.problems == ()
    assert repository.settings.pipeline == (("dev", "staging"),)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\npipeline: dev\n", "must be a list"),
        ("a: 1\npipeline: [{from: dev, to: staging}, nonsense]\n", "must be a list"),
        ("a: 1\npipeline: [{from: dev, to: 1}]\n", "must be a list"),
        ("a: 1\npipeline: [{from: a, to: b}, {from: b, to: c}, {from: c, to: a}]\n", "b → c → a"),
        ("a: 1\npipeline: [{from: a, to: a}]\n", "in a circle: a → a"),
    ],
)
def test_a_pipeline_is_pairs_that_lead_nowhere_in_a_circle(text: str, said: str) -> None:
    (problem,) = read(with_file("project.yaml", text.encode())).problems
    assert (problem.path, problem.line) == ("project.yaml", 2)
    assert said in problem.message


def test_a_pipeline_may_branch_and_join() -> None:
    edges = (("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"))
    text = "".join(f"- {{from: {source}, to: {goal}}}\n" for source, goal in edges)
    repository = read(with_file("project.yaml", f"pipeline:\n{text}".encode()))
    assert (repository.problems, repository.settings.pipeline) == ((), edges)


def test_a_broken_environment_stops_itself_only() -> None:
    repository = read(with_file("environments/staging/values.yaml", b"lucity-app:\n  a: 1\n  a: 2\n"))
    staging, preview = repository.environment("staging"), repository.environment("pr-1")
    assert staging is not None
    assert preview is not None
    assert staging.services is None
    assert [(each.path, each.line, each.column) for each in staging.problems] == [
        ("environments/staging/values.yaml", 3, 3)
    ]
    assert repository.problems == staging.problems
    assert (staging.values_text, staging.ephemeral) == ("lucity-app:\n  a: 1\n  a: 2\n", False)
    assert preview.services is not None
    assert preview.problems == ()
    assert repository.services is not None


@pytest.mark.parametrize("data", [b"a: [", None, b"\xff", b"lucity-app: 5\n", b"lucity-app:\n  services: [api]\n"])
def test_a_broken_base_leaves_the_environments_listed(data: bytes | None) -> None:
    repository = read(with_file("base/values.yaml", data))
    assert [each.name for each in repository.environments] == ["pr-1", "staging"]
    assert {problem.path for problem in repository.problems} == {"base/values.yaml"}


def test_a_table_of_another_type_is_a_problem_with_its_line() -> None:
    problems = read(with_file("base/values.yaml", b"lucity-app:\n  services: [api]\n")).problems
    assert [(each.line, each.message) for each in problems] == [
        (2, "base/values.yaml:2: lucity-app.services must be a mapping")
    ]


def test_a_tag_without_quotes_is_a_problem_of_its_service_only() -> None:
    data = b'lucity-app:\n  services:\n    api:\n      image: {tag: 1234567}\n    web: {image: {tag: "1"}}\n'
    staging = read(with_file("environments/staging/values.yaml", data)).environment("staging")
    assert staging is not None
    api, web = staging.services or ()
    assert (api.image, web.image) == (None, Image("r/web", "1"))
    assert [(each.line, "quotes" in each.message) for each in staging.problems] == [(4, True)]


@pytest.mark.parametrize("date", ["soon", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_broken_date_is_told_and_the_environment_has_no_end(date: str) -> None:
    settings = f"ephemeral: true\nexpiresAt: {date}\n".encode()
    preview = read(with_file("environments/pr-1/environment.yaml", settings)).environment("pr-1")
    assert preview is not None
    assert (preview.expires_at, preview.problems[0].line) == (None, 2)


def test_broken_settings_leave_the_project_alive() -> None:
    settings, problems = read_settings(with_file("project.yaml", b"deleting: [\n"))
    assert (settings.deleting, problems[0].path) == (False, "project.yaml")


def test_other_things_below_environments_are_no_environments() -> None:
    tree = Files(
        {**GOOD, "environments/README.md": b"", "environments/Prod/values.yaml": b"", "environments/empty/x": b""}
    )
    assert environment_names(tree) == ("pr-1", "staging")
    assert [problem.path for problem in read(tree).problems] == ["environments/Prod"]


def test_an_empty_repository_reads_as_one_without_environments() -> None:
    repository = read(Files({}))
    assert (repository.services, repository.environments) == (None, ())


def test_images_are_the_effective_ones() -> None:
    tree = Files(GOOD)
    assert images(tree, "staging") == {"api": Image("r/api", "1234567", "sha256:0"), "web": Image("r/web", "from-base")}
    assert images(tree, "absent") == {}
    assert images(with_file("base/values.yaml", b"a: ["), "staging") is None
