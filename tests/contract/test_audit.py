"""`lucity audit` on clones with the real git: what it prints, and what it does not let pass."""

import json
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from adapters.git_wiring import allowed_signers
from adapters.records import JobState
from cli.main import main
from gitops.operations import (
    AddService,
    CreateEnvironment,
    CreateProject,
    DeleteEnvironment,
    Deploy,
    ExtendEnvironment,
    Promote,
    ReleaseHold,
    RemoveService,
    Restart,
    Rollback,
    RollbackScope,
    Scale,
    ServiceImage,
    SetHold,
    SetValues,
    SetVariables,
    UpdateProject,
    UpdateService,
    ValueSetting,
    VariableSetting,
)
from tests.support.git import Clone, git
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import Lab, make_lab
from tests.support.valkey import ValkeyServer

VALUES = "environments/development/values.yaml"
REVERT = """mutation R($commit: String!) {
  revert(input: {project: "shop", commit: $commit, override: true, reason: "x"}) { __typename } }"""


@pytest.fixture
def lab(tmp_path: Path, valkey: ValkeyServer) -> Iterator[Lab]:
    """A project with two services and two deployments."""
    with closing(make_lab(tmp_path / "lucity", valkey.url)) as made:
        made.flush()
        made.settle(CreateProject("shop", ("development", "staging")))
        made.carry(*(AddService("shop", name, f"registry.example.com/{name}", port=80) for name in ("api", "web")))
        made.carry(deploy(api="a1", web="w1"), deploy(api="a2"))
        yield made


@pytest.fixture
def clone(lab: Lab, tmp_path: Path) -> Clone:
    """A clone with the keys beside it; nothing else of Lucity is within reach."""
    shutil.copy(allowed_signers(lab.ports.settings), tmp_path / "allowed_signers")
    made = lab.clone("shop")
    return Clone(made.folder.rename(tmp_path / "shop"))


def deploy(**tags: str) -> Deploy:
    return Deploy("shop", "development", tuple(ServiceImage(name, tag) for name, tag in tags.items()))


def audit(clone: Clone, *options: str) -> Result:
    return CliRunner().invoke(main, ["audit", str(clone.folder), *options])


def found(clone: Clone, *options: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(audit(clone, "--json", *options).stdout)
    return answer


def faults(clone: Clone) -> list[str]:
    """The faults of the newest commit; the audit says so by its status."""
    result = audit(clone, "--json")
    assert result.exit_code == 1
    newest: list[str] = json.loads(result.stdout)["commits"][0]["faults"]
    return newest


def reverted(lab: Lab, *commits: str) -> None:
    """Take commits back."""

    async def story(api: Api) -> None:
        for commit in commits:
            asked = await api.change(REVERT, commit=commit)
            assert asked == {"__typename": "Job"}
            lab.work("shop")

    with_api(lab, story)


def test_everything_that_lucity_does_is_well(lab: Lab, clone: Clone) -> None:
    born = git(clone.folder, "rev-list", "--max-parents=0", "HEAD")
    first = git(clone.folder, "rev-parse", "HEAD~1")
    lab.carry(
        Promote("shop", "development", "staging", ("api",)),
        Scale("shop", "development", "api", 3),
        SetVariables("shop", "staging", None, (VariableSetting("LOG_LEVEL", "info"),)),
        SetVariables("shop", None, "web", (VariableSetting("GREETING", "hello"),)),
        SetValues("shop", "development", (ValueSetting("services.api.resources.limits.cpu", "1"),)),
        UpdateService("shop", "web", "registry.example.com/web2"),
        UpdateProject("shop", (ValueSetting("branches.main", ["development"]),)),
        Restart("shop", "development", ("api",)),
    )
    for change in (SetHold("shop", "staging", ("web",)), SetHold("shop", "staging")):
        lab.admit(change, reason="freeze")
    lab.work("shop")
    lab.carry(
        ReleaseHold("shop", "staging"),
        Rollback("shop", "development", first, ("api",)),
        Rollback("shop", "development", first, (), RollbackScope.ENVIRONMENT, override=True),
        RemoveService("shop", "web"),
    )
    clone.pull()
    reverted(lab, git(clone.folder, "rev-parse", "HEAD"), git(clone.folder, "rev-parse", "HEAD~1"))
    with lab.observer():
        for life in (
            CreateEnvironment("shop", "pr-7", "development", ephemeral=True),
            ExtendEnvironment("shop", "pr-7", 3600),
            DeleteEnvironment("shop", "pr-7"),
        ):
            job = lab.admit(life)
            lab.work("shop")
            assert lab.ended(job.id).state is JobState.SUCCEEDED
    clone.pull()
    told = found(clone)
    assert [one["faults"] for one in told["commits"] if one["faults"]] == []
    assert len(told["commits"]) == int(git(clone.folder, "rev-list", "--count", "HEAD")) > 20
    assert {one["signature"]["state"] for one in told["commits"]} == {"VALID"}
    assert told["commits"][-1]["sha"] == born
    assert audit(clone).exit_code == 0


def test_it_tells_who_did_what_when_why_and_under_which_override(lab: Lab, clone: Clone) -> None:
    lab.admit(SetHold("shop", "development"), reason="freeze")
    job = lab.admit(Deploy("shop", "development", (ServiceImage("api", "a3"),), override=True), reason="incident 12")
    lab.work("shop")
    clone.pull()
    result = audit(clone)
    assert result.exit_code == 0
    block = result.stdout.partition("hold(development)")[0]
    for part in (
        "Ann <ann@example.org>  deploy(development): api a3",
        "Reason: incident 12",
        "Override: ",
        "incident 12",
    ):
        assert part in block
    assert "development/api: registry.example.com/api:a2 → registry.example.com/api:a3" in block
    assert result.stdout.endswith("commits, 7 verified, 0 by hand or by others: all is well\n")
    newest = found(clone)["commits"][0]
    assert [newest["reason"], newest["job"], newest["author"]["name"]] == ["incident 12", job.id, "Ann"]
    assert [text.endswith("incident 12") for text in newest["overrides"]] == [True]
    assert newest["images"] == [
        {
            "environment": "development",
            "service": "api",
            "before": "registry.example.com/api:a2",
            "after": "registry.example.com/api:a3",
        }
    ]


def test_commits_by_hand_are_told_and_well(clone: Clone) -> None:
    git(clone.folder, "revert", "--no-edit", "HEAD")
    clone.commit("Say hello\x1b[2J", {"docs/hello.md": "hello"})
    result = audit(clone)
    assert result.exit_code == 0
    assert "2 by hand or by others: all is well" in result.stdout
    assert "\x1b" not in result.stdout
    told = found(clone)["commits"]
    assert [one["kind"] for one in told[:2]] == ["EXTERNAL", "EXTERNAL"]
    assert told[1]["images"][0]["after"] == "registry.example.com/api:a1"


def test_a_copy_of_a_commit_of_lucity_is_noticed(clone: Clone) -> None:
    text = (clone.folder / VALUES).read_text()
    message = git(clone.folder, "log", "-1", "--format=%B")
    clone.commit(message, {VALUES: text.replace('"a2"', '"a9"')})
    assert faults(clone) == ["it reads like a commit of Lucity and carries no signature of Lucity"]


def test_a_commit_that_was_changed_after_it_was_signed_is_noticed(clone: Clone) -> None:
    content = git(clone.folder, "cat-file", "commit", "HEAD").replace("api a2", "api a7")
    (clone.folder / "forged").write_text(content + "\n")
    forged = git(clone.folder, "hash-object", "-t", "commit", "-w", "forged")
    git(clone.folder, "reset", "--quiet", "--hard", forged)
    (fault,) = faults(clone)
    assert fault.startswith("the signature does not hold (key SHA256:")


def test_a_key_that_is_not_allowed_is_told_from_a_signature_that_does_not_hold(clone: Clone, tmp_path: Path) -> None:
    other = tmp_path / "others"
    other.write_text("")
    result = audit(clone, "--json", "--allowed-signers", str(other))
    assert result.exit_code == 1
    for one in json.loads(result.stdout)["commits"]:
        assert one["signature"]["state"] == "UNKNOWN_KEY"
        assert one["faults"] == [
            f"it reads like a commit of Lucity and is signed by a key that is not allowed ({one['signature']['key']})"
        ]


def test_the_clones_own_configuration_names_the_keys(clone: Clone, tmp_path: Path) -> None:
    kept = (tmp_path / "allowed_signers").rename(tmp_path / "keys")
    assert audit(clone).exit_code == 1
    assert "--allowed-signers" in audit(clone).stderr
    git(clone.folder, "config", "gpg.ssh.allowedSignersFile", str(kept))
    assert audit(clone).exit_code == 0


def test_what_is_no_whole_clone_is_refused_with_advice(clone: Clone, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "git clone" in audit(Clone(tmp_path / "empty")).stderr
    shallow = Clone.of(f"file://{clone.folder}", tmp_path / "shallow", "--depth", "2")
    result = audit(shallow)
    assert result.exit_code == 1
    assert "--unshallow" in result.stderr
