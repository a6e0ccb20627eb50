"""`lucity up` with its repositories on a real Soft-serve."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support import softserve
from tests.support.git import Clone, git
from tests.support.product import QUICK
from tests.support.softserve import SoftServe
from tests.support.tour import SUBJECTS, run_tour, wait_for_job
from tests.support.up import LUCITY, Up, running

CREATE = 'mutation { createProject(input: {name: "%s"}) { __typename ... on Job { id } } }'

DELETE = 'mutation { deleteProject(input: {name: "%s", confirm: "%s"}) { __typename ... on Job { id } } }'

DEPLOY = """mutation {
  deploy(input: {project: "myapp", environment: "staging", services: [{service: "api", tag: "%s"}]}) {
    __typename ... on Job { id } ... on Problem { message }
  }
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoftServe]:
    with softserve.running(tmp_path_factory.mktemp("host") / "soft serve") as started:
        yield started


@pytest.fixture(scope="module")
def up(server: SoftServe, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with running(tmp_path_factory.mktemp("up") / "data", variables={**server.settings(), **QUICK}) as started:
        yield started


@pytest.fixture(scope="module")
def history(up: Up) -> list[str]:
    """Subjects of myapp after the README's tour, newest first."""
    answer = run_tour(up.url, up.token)
    return [commit["subject"] for commit in answer["project"]["commits"]["nodes"]]


def test_the_tour_of_the_readme_runs_on_it(server: SoftServe, history: list[str], tmp_path: Path) -> None:
    assert history[1:] == SUBJECTS
    assert Clone.of(server.address("gitops/myapp"), tmp_path / "there").subjects() == history
    assert server.administer("repo", "private", "gitops/myapp").strip() == "true"
    assert server.administer("settings", "anon-access").strip() == "no-access"


def test_a_lucity_token_is_enough_to_clone_and_push(up: Up, history: list[str], tmp_path: Path) -> None:
    clone = Clone.of(up.git_url("myapp"), tmp_path / "clone")
    assert clone.subjects() == history
    sha = clone.commit("by hand", {"notes.md": "x" * 3_000_000})
    clone.push()
    head = up.graphql('{ project(name: "myapp") { commits(first: 1) { nodes { sha } } } }')
    assert head["project"]["commits"]["nodes"] == [{"sha": sha}], "noticed before git returned"
    git(clone.folder, "revert", "--no-edit", "HEAD")
    clone.push()


@pytest.mark.usefixtures("history")
def test_a_push_past_lucity_is_noticed_by_looking(up: Up, server: SoftServe, tmp_path: Path) -> None:
    clone = Clone.of(server.address("gitops/myapp"), tmp_path / "past")
    sha = clone.commit("past lucity", {"notes.md": "y"})
    clone.push()
    query = '{ project(name: "myapp") { commits(first: 1) { nodes { sha } } } }'
    up.wait("the commit", lambda: up.graphql(query)["project"]["commits"]["nodes"] == [{"sha": sha}])


def test_a_push_to_no_project_makes_none(up: Up, server: SoftServe, tmp_path: Path) -> None:
    git(tmp_path, "init", "--quiet", "-b", "main", "mine")
    mine = Clone(tmp_path / "mine")
    mine.commit("first", {"a": "1"})
    said = git(mine.folder, "push", up.git_url("nothing"), "HEAD:refs/heads/main", check=False)
    assert "not found" in said
    assert "gitops/nothing" not in server.administer("repo", "list", "--all")


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("service", ["git-upload-pack", "git-receive-pack"])
def test_strangers_are_asked_for_a_password(up: Up, service: str) -> None:
    answer = httpx.get(f"{up.url}/git/gitops/myapp.git/info/refs", params={"service": service})
    assert answer.status_code == 401


def test_a_deleted_project_is_kept_as_a_bundle_and_does_not_rise_again(up: Up, server: SoftServe) -> None:
    for mutation in (CREATE % "doomed", DELETE % ("doomed", "doomed")):
        (answer,) = up.graphql(mutation).values()
        wait_for_job(up.url, up.token, answer["id"])
    assert "doomed" not in server.administer("repo", "list", "--all")
    assert [path.suffix for path in (up.data / "archive").glob("doomed-*")] == [".bundle"]


@pytest.mark.usefixtures("history")
def test_a_host_that_goes_and_comes_back_costs_no_change(up: Up, server: SoftServe) -> None:
    server.kill()
    job = up.graphql(CREATE % "later")["createProject"]["id"]
    query = f'{{ job(id: "{job}") {{ state steps {{ message }} }} }}'
    up.wait("the outage in the job's own words", lambda: "unable to access" in str(up.graphql(query)))
    server.start()
    up.wait("the end of the job", lambda: up.graphql(query)["job"]["state"] == "SUCCEEDED")
    assert "gitops/later" in server.administer("repo", "list", "--all")


@pytest.mark.usefixtures("history")
def test_a_host_killed_during_a_push_gets_the_change_once(up: Up, server: SoftServe, tmp_path: Path) -> None:
    started = tmp_path / "started"
    server.install_hook("gitops/myapp", "pre-receive", f"echo $$ > '{started}'; exec sleep 600")
    job = up.graphql(DEPLOY % "f00ba12")["deploy"]["id"]
    up.wait("the push", lambda: started.exists() and started.read_text().strip())
    server.kill()
    with suppress(ProcessLookupError):
        os.kill(int(started.read_text()), signal.SIGKILL)
    (server.path("gitops/myapp") / "hooks" / "pre-receive.d" / "test").unlink()
    server.start()
    wait_for_job(up.url, up.token, job)
    subjects = Clone.of(server.address("gitops/myapp"), tmp_path / "after").subjects()
    assert subjects.count("deploy(staging): api f00ba12") == 1


def refused(data: Path, variables: dict[str, str]) -> str:
    """Start one that does not come up, and answer what it says."""
    command = [LUCITY, "up", "--no-browser", "--port", "0", "--data", str(data)]
    environment = {"PATH": "/usr/bin:/bin", **variables}
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)
    assert ended.returncode == 1, ended
    assert "Traceback" not in ended.stderr
    return ended.stderr


def test_half_the_settings_stop_the_start_with_the_names_of_the_others(tmp_path: Path) -> None:
    said = refused(tmp_path / "data", {"LUCITY_GIT_HOST": "softserve", "LUCITY_SOFTSERVE_SSH_URL": "ssh://localhost"})
    assert "LUCITY_SOFTSERVE_HTTP_URL and LUCITY_SOFTSERVE_ADMIN_KEY_FILE must be set too" in said


def test_a_key_that_does_not_administer_stops_the_start(server: SoftServe, tmp_path: Path) -> None:
    stranger = SoftServe(tmp_path / "stranger")
    stranger.folder.mkdir()
    stranger.make_admin_key()
    variables = {**server.settings(), "LUCITY_SOFTSERVE_ADMIN_KEY_FILE": str(stranger.admin_key)}
    assert "LUCITY_SOFTSERVE_ADMIN_KEY_FILE belongs to nobody" in refused(tmp_path / "data", variables)
