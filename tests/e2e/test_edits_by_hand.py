"""People who push what they like, and tags and variables that bite: what Lucity makes of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.blackbox import body_of, data_of, found, helm_template
from tests.support.git import Clone, git, install_hook
from tests.support.product import Product, product

STAGING = "environments/staging/values.yaml"
BASE = "base/values.yaml"
TAGS = ["1234567", "12e4567", "0x1F", "no", "1_000", "2026-11-23", "true", "null", "0o17", "1.0", "NaN", "y"]
NASTY = "q\"uo'te\nnew\r\nline\ttab {{ .Values.x }} {{`x`}} $HOME ${X} ü 🚀 # c: d \\ back "
COMMIT = """query ($project: String!, $sha: String!) { project(name: $project) { commit(revision: $sha) {
  kind subject signature { state } job { id } environmentNames serviceNames parents changes { key kind after } } } }"""
PROBLEMS = """query ($project: String!) {
  project(name: $project) { head { sha } problems { path line commitSha } services { name }
    environments { name problems { path line } services { service { name } } } }
  projects(first: 100) { nodes { name services { name } } } }"""
ERROR = """query ($id: ID!) { job(id: $id) {
  state error { __typename message ... on InvalidRepository { path line } } } }"""
DEPLOYMENTS = """query ($project: String!) { environment(project: $project, name: "development") {
  deployments(first: 100) { nodes { image { tag } current commit { sha kind } job { id } } } } }"""


@pytest.fixture(scope="module")
def lucity(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with product(tmp_path_factory.mktemp("hands") / "data") as started:
        found(started, "whole", "development")
        yield started


def own(lucity: Product, name: str, tmp_path: Path) -> Clone:
    """A project of a test's own, and a user's clone of it."""
    found(lucity, name, "development", "staging", services=("api", "web"))
    return Clone.of(lucity.up.git_url(name), tmp_path / name)


def commit(lucity: Product, project: str, sha: str) -> dict[str, Any]:
    answer: dict[str, Any] = data_of(lucity, COMMIT, project=project, sha=sha)["project"]["commit"]
    return answer


def deployments(lucity: Product, project: str) -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = data_of(lucity, DEPLOYMENTS, project=project)["environment"]["deployments"]["nodes"]
    return nodes


def error_of(lucity: Product, job_id: str) -> dict[str, Any]:
    lucity.asks.ended([job_id])
    error: dict[str, Any] = data_of(lucity, ERROR, id=job_id)["job"]["error"]
    return error


def test_tags_that_yaml_would_misread_are_deployed_as_they_are(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "tags", tmp_path)
    lucity.asks.succeeded(*[lucity.asks.deploy("tags", "api", tag) for tag in TAGS])
    assert [one["image"]["tag"] for one in deployments(lucity, "tags")] == TAGS[::-1]
    clone.pull()
    for back, tag in enumerate(TAGS[::-1]):
        text = git(clone.folder, "show", f"HEAD~{back}:environments/development/values.yaml")
        assert f'tag: "{tag}"' in text
    assert clone.subjects()[: len(TAGS)] == [f"deploy(development): api {tag}" for tag in TAGS[::-1]]


def test_a_clone_renders_with_helm_alone_and_variables_arrive_unchanged(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "alone", tmp_path)
    given = {"A": NASTY, "N": "null", "NUM": "0123", "EMPTY": "", "BIG": "x" * 65536}
    variables = [{"name": name, "value": value} for name, value in given.items()]
    asks = lucity.asks
    deployed = [asks.deploy("alone", "api", "0x1F"), asks.change("promote", project="alone", **_to_staging())]
    where = {"project": "alone", "environment": "development", "service": "api"}
    asks.succeeded(*deployed, asks.change("setVariables", **where, set=variables))
    clone.pull()
    rendered = {name: helm_template(clone.folder, "alone", name) for name in ("development", "staging")}
    for objects in rendered.values():
        (deployment,) = [one for one in objects if one["kind"] == "Deployment"]
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "registry.example.com/alone/api:0x1F"
    config = [one["data"] for one in rendered["development"] if one["kind"] == "ConfigMap"]
    assert config == [given]
    readme = (clone.folder / "README.md").read_text()
    assert "helm template alone-development base -f environments/development/values.yaml" in readme


def _to_staging() -> dict[str, str]:
    return {"from": "development", "to": "staging"}


def test_what_lucity_did_not_sign_is_external_whatever_it_says_of_itself(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "forged", tmp_path)
    job = lucity.asks.deploy("forged", "api", "v1")
    lucity.asks.succeeded(job, lucity.asks.deploy("forged", "api", "v2"))
    made = clone.pull()
    forged = "job_" + "a" * 26
    said = clone.commit(f"deploy(development): api evil\n\nJob-Id: {forged}", {})
    git(clone.folder, "cherry-pick", "-Xtheirs", f"{made}~1")
    picked = git(clone.folder, "rev-parse", "HEAD")
    clone.push()
    told, copied = commit(lucity, "forged", said), commit(lucity, "forged", picked)
    assert (told["kind"], told["job"], told["signature"], told["environmentNames"]) == (
        "EXTERNAL",
        None,
        {"state": "NONE"},
        [],
    )
    assert (copied["kind"], copied["job"], copied["environmentNames"]) == ("EXTERNAL", None, ["development"])
    assert lucity.asks.job(forged) is None
    known = lucity.asks.job(job)
    assert known is not None
    assert known["commit"]["sha"] == git(clone.folder, "rev-parse", f"{made}~1")
    newest = deployments(lucity, "forged")[0]
    assert (newest["image"], newest["current"], newest["job"]) == ({"tag": "v1"}, True, None)


def test_a_deploy_that_a_human_reverted_is_made_again_although_nobody_told_of_the_revert(
    lucity: Product, tmp_path: Path
) -> None:
    own(lucity, "reverted", tmp_path)
    past = Clone.of(lucity.repository("reverted"), tmp_path / "past")
    for tag in ("v1", "v2", "v3"):
        lucity.asks.succeeded(lucity.asks.deploy("reverted", "api", tag))
        past.pull()
        git(past.folder, "revert", "--no-edit", "HEAD")
        past.push()
        (again,) = lucity.asks.succeeded(lucity.asks.deploy("reverted", "api", tag))
        assert again["noChange"] is False
        assert again["commit"]["subject"] == f"deploy(development): api {tag}"
    kinds = [one["commit"]["kind"] for one in deployments(lucity, "reverted")]
    assert kinds == ["DEPLOY", "EXTERNAL", "DEPLOY"] * 2 + ["DEPLOY", "DEPLOY"], (
        "the first revert left nothing deployed"
    )


def test_a_merge_by_hand_counts_for_what_it_changed(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "merged", tmp_path)
    git(clone.folder, "switch", "--quiet", "--create", "feature")
    text = (clone.folder / STAGING).read_text()
    side = clone.commit("feature", {STAGING: f"{text}  services: {{web: {{image: {{tag: 'm1'}}}}}}\n"})
    git(clone.folder, "switch", "--quiet", "-")
    lucity.asks.succeeded(lucity.asks.deploy("merged", "api", "v1"))
    clone.pull()
    git(clone.folder, "merge", "--quiet", "--no-ff", "-m", "Merge feature", "feature")
    clone.push()
    merge = commit(lucity, "merged", git(clone.folder, "rev-parse", "HEAD"))
    assert (merge["kind"], merge["environmentNames"], merge["serviceNames"]) == ("EXTERNAL", ["staging"], ["web"])
    assert merge["parents"][1] == side
    assert merge["changes"] == [{"key": "lucity-app.services.web.image.tag", "kind": "ADDED", "after": "m1"}]


def test_comments_and_odd_layout_of_a_hand_edited_file_stay_byte_for_byte(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "comments", tmp_path)
    head = (clone.folder / STAGING).read_text()
    odd = "  services:\n    web:   # mine\n        image: {tag: 'old'}   # by hand\n\n\n# the end, without a line break"
    clone.commit("my way", {STAGING: head + odd})
    clone.push()
    lucity.asks.succeeded(lucity.asks.deploy("comments", "web", "new", "staging"))
    clone.pull()
    assert (clone.folder / STAGING).read_text() == head + odd.replace("'old'", '"new"')


@pytest.mark.parametrize(
    ("name", "broken", "line"),
    [
        ("unclosed", "lucity-app:\n  environment: [unclosed\n", 3),
        ("twice", "lucity-app:\n  a: 1\n  a: 2\n", 3),
        ("alias", "lucity-app: &a\n  x: *a\n", 1),
        ("second", "---\na: 1\n---\nb: 2\n", 3),
        ("tag", "lucity-app:\n  x: !!python/object:os.system y\n", 2),
        ("control", "lucity-app:\n  x: 'a\x01'\n", 2),
        ("large", "lucity-app:\n  x: 1\n  variables:\n    Y: '" + "y" * 300_000 + "'\n", 4),
    ],
)
def test_a_values_file_broken_by_hand_stops_its_environment_alone_until_it_is_mended(
    lucity: Product, tmp_path: Path, name: str, broken: str, line: int
) -> None:
    clone = own(lucity, name, tmp_path)
    whole = (clone.folder / STAGING).read_text()
    clone.commit("break it", {STAGING: broken})
    clone.push()
    told = data_of(lucity, PROBLEMS, project=name)
    head = told["project"]["head"]["sha"]
    assert told["project"]["problems"] == [{"path": STAGING, "line": line, "commitSha": head}]
    by_name = {one["name"]: one for one in told["project"]["environments"]}
    assert by_name["staging"]["services"] is None
    assert by_name["staging"]["problems"] == [{"path": STAGING, "line": line}]
    assert len(by_name["development"]["services"]) == 2
    assert {"name": "whole", "services": [{"name": "api"}]} in told["projects"]["nodes"]
    refused = lucity.asks.deploy(name, "api", "v1", "staging")
    elsewhere = lucity.asks.deploy(name, "api", "v1")
    error = error_of(lucity, refused)
    assert (error["__typename"], error["path"], error["line"]) == ("InvalidRepository", STAGING, line)
    lucity.asks.succeeded(elsewhere)
    clone.pull()
    clone.commit("mend it", {STAGING: whole})
    clone.push()
    lucity.asks.succeeded(lucity.asks.deploy(name, "api", "v1", "staging"))


def test_a_base_broken_by_hand_nulls_its_own_project_only(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "base-broken", tmp_path)
    whole = (clone.folder / BASE).read_text()
    clone.commit("break it", {BASE: f"{whole}\tfoo: : bar\n"})
    clone.push()
    told = data_of(lucity, PROBLEMS, project="base-broken")
    assert told["project"]["services"] is None
    assert [one["path"] for one in told["project"]["problems"]] == [BASE]
    assert {"name": "whole", "services": [{"name": "api"}]} in told["projects"]["nodes"]
    assert error_of(lucity, lucity.asks.deploy("base-broken", "api", "v1"))["path"] == BASE
    clone.pull()
    clone.commit("mend it", {BASE: whole})
    clone.push()
    lucity.asks.succeeded(lucity.asks.deploy("base-broken", "api", "v1"))


def test_services_that_are_no_mapping_are_told_of_where_they_stand(lucity: Product, tmp_path: Path) -> None:
    clone = own(lucity, "listed", tmp_path)
    text = (clone.folder / STAGING).read_text()
    clone.commit("break it", {STAGING: f"{text}  services: [api]\n"})
    clone.push()
    error = error_of(lucity, lucity.asks.deploy("listed", "api", "v1", "staging"))
    assert (error["__typename"], error["path"]) == ("InvalidRepository", STAGING)


def test_the_host_refuses_to_rewrite_and_a_history_rewritten_all_the_same_changes_nothing_else(
    lucity: Product, tmp_path: Path
) -> None:
    clone = own(lucity, "rewritten", tmp_path)
    jobs = [lucity.asks.deploy("rewritten", "api", f"v{number}") for number in range(4)]
    lost = lucity.asks.succeeded(*jobs)[-1]["commit"]["sha"]
    clone.pull()
    for arguments in (["--force", "origin", f"{lost}~2:main"], ["origin", ":main"]):
        refused = git(clone.folder, "push", *arguments, check=False)
        assert "remote rejected" in refused
    git(lucity.repository("rewritten"), "update-ref", "refs/heads/main", f"{lost}~2")
    lucity.up.wait("the rewritten head", lambda: _head(lucity, "rewritten") != lost)
    assert commit(lucity, "rewritten", lost) is None
    (after,) = lucity.asks.succeeded(lucity.asks.deploy("rewritten", "api", "after"))
    assert git(lucity.repository("rewritten"), "rev-parse", "main~1") == git(clone.folder, "rev-parse", f"{lost}~2")
    assert after["commit"]["subject"] == "deploy(development): api after"
    kept = lucity.asks.job(jobs[-1])
    assert kept is not None
    assert (kept["state"], kept["commit"]) == ("SUCCEEDED", None)


def _head(lucity: Product, project: str) -> str:
    body = body_of(lucity, "query ($name: String!) { project(name: $name) { head { sha } } }", name=project)
    return str(body["data"]["project"]["head"]["sha"])


def test_a_hook_that_refuses_one_of_a_hundred_changes_stops_that_one_alone(lucity: Product, tmp_path: Path) -> None:
    own(lucity, "hooked", tmp_path)
    script = """while read old new ref; do
  git log --format=%s "$old..$new" | grep -q "api bad-one$" && { echo "bad-one is not wanted here" >&2; exit 1; }
done
exit 0"""
    install_hook(lucity.repository("hooked"), "pre-receive", script)
    tags = [f"v{number}" for number in range(100)]
    tags[37] = "bad-one"
    jobs = [lucity.asks.deploy("hooked", "api", tag) for tag in tags]
    ended = lucity.asks.ended(jobs)
    refused = [job for job in ended.values() if job["state"] != "SUCCEEDED"]
    assert {job["error"]["message"] for job in refused} == {
        "The Git host refused the commit: bad-one is not wanted here"
    }
    assert [(job["id"], job["state"]) for job in refused] == [(jobs[37], "FAILED")]
    assert "bad-one is not wanted here" in refused[0]["error"]["message"]
    subjects = git(lucity.repository("hooked"), "log", "--reverse", "--format=%s", "main").splitlines()
    assert subjects[-99:] == [f"deploy(development): api {tag}" for tag in tags if tag != "bad-one"]
