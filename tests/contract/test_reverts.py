"""Reverts through the whole of Lucity: ours and by hand, merges, environments that come back."""

import asyncio
from dataclasses import replace

import pytest

from adapters.records import JobState
from gitops import messages
from gitops.changes import ActorKind
from gitops.commits import CommitKind
from gitops.operations import (
    CreateEnvironment,
    CreateProject,
    DeleteEnvironment,
    Deploy,
    ServiceImage,
    SetHold,
)
from gitops.problems import AlreadyExists, Conflict, ConflictCode, GateClosed, InvalidInput, Refused
from gitops.repository import environment_names
from jobs import heads
from jobs.reverts import revert_of
from tests.support.git import git
from tests.support.graphql_lab import Api, with_api
from tests.support.lab import ANN, Lab
from tests.support.reverting import deploy, done, ended, files, head, in_production, record, reverted, running, tree

ROBOT = replace(ANN, id="tok_robot", kind=ActorKind.AUTOMATION)
VALUES = "environments/production/values.yaml"
REVERT = """mutation R($commit: String!, $reason: String, $override: Boolean) {
    revert(input: {project: "shop", commit: $commit, override: $override, reason: $reason}) { __typename
    ... on Job { id kind summary environmentName serviceNames } ... on InvalidInput { errors { path } }
    ... on NotFound { what name } ... on GateClosed { gates { name } }
    ... on Conflict { code paths commits head } } }"""


@pytest.fixture
def shop(lab: Lab) -> Lab:
    return in_production(lab, "staging")


def test_a_deployment_is_taken_back_over_the_api_with_a_word_about_it(shop: Lab) -> None:
    second = head(shop)

    async def story(api: Api) -> None:
        answer = await api.change(REVERT, commit=second[:7], reason="it broke")
        subject = f"revert(production): {second[:7]} deploy(production): api two, web two"
        assert answer == {
            "__typename": "Job",
            "id": answer["id"],
            "kind": "REVERT",
            "summary": subject,
            "environmentName": "production",
            "serviceNames": ["api", "web"],
        }
        await asyncio.to_thread(shop.work, "shop")
        found = record(shop, head(shop))
        assert (found.kind, found.git.subject) == (CommitKind.REVERT, subject)
        message = messages.parse(found.git.message)
        assert message.all(messages.REVERTS) == (second,)
        assert message.all(messages.SERVICE) == ("api", "web")
        assert message.all(messages.IMAGE) == ("api=registry.example.com/api:one", "web=registry.example.com/web:one")
        assert running(shop) == {"api": "one", "web": "one"}
        again = await api.change(REVERT, commit=head(shop))
        await asyncio.to_thread(shop.work, "shop")
        assert shop.job(again["id"]).state is JobState.SUCCEEDED
        assert running(shop) == {"api": "two", "web": "two"}
        assert files(tree(shop)) == files(tree(shop, second))

    with_api(shop, story)


def test_what_cannot_be_taken_back_is_told_at_once(shop: Lab) -> None:
    second = head(shop)
    later = done(shop, deploy("three", "api"))
    root = (shop.ports.repositories.log("shop", None, later) or ())[0].sha

    async def story(api: Api) -> None:
        told = await api.change(REVERT, commit=second)
        assert told == {
            "__typename": "Conflict",
            "code": "CHANGED_SINCE",
            "paths": [f"{VALUES}:lucity-app.services.api.image.tag"],
            "commits": [later],
            "head": later,
        }
        for commit in (root, "HEAD"):
            assert await api.change(REVERT, commit=commit) == {
                "__typename": "InvalidInput",
                "errors": [{"path": ["commit"]}],
            }
        assert (await api.change(REVERT, commit="f" * 40))["what"] == "commit"
        refused = await api.change(REVERT, commit=later, override=True)
        assert refused["errors"] == [{"path": ["reason"]}]

    with_api(shop, story)
    assert head(shop) == later


def test_what_a_job_ahead_changes_stops_it_at_the_commit_point(shop: Lab) -> None:
    second = head(shop)
    ahead = shop.admit(deploy("three", "api"))
    job = shop.admit(revert_of(shop.ports, "shop", second))
    shop.work("shop")
    assert shop.job(ahead.id).state is JobState.SUCCEEDED
    problem = shop.job(job.id).problem
    assert isinstance(problem, Conflict)
    assert (problem.code, problem.commits) == (ConflictCode.CHANGED_SINCE, (head(shop),))
    assert running(shop) == {"api": "three", "web": "two"}


def test_a_revert_that_finds_everything_as_it_was_is_no_change(shop: Lab) -> None:
    second = head(shop)
    done(shop, deploy("one"))
    job = ended(shop, revert_of(shop.ports, "shop", second))
    assert (job.state, job.no_change) == (JobState.SUCCEEDED, True)


def test_an_environment_deleted_by_mistake_comes_back_with_its_values_and_another_identity(shop: Lab) -> None:
    before, born = files(tree(shop)), shop.ports.history.newest("shop", head(shop))["production", "+"].git.sha
    gone = done(shop, DeleteEnvironment("shop", "production", "production"))
    assert environment_names(tree(shop)) == ("staging",)
    back = reverted(shop, gone)
    assert files(tree(shop)) == before
    assert shop.ports.history.newest("shop", back)["production", "+"].git.sha == back != born
    with shop.observer():
        wanted = {("production", back)}
        shop.wait(
            "the environment's new identity",
            lambda: wanted <= {(one.environment, one.identity) for one in shop.ports.delivery.applications("shop")},
        )


def test_an_environment_does_not_come_back_where_another_pair_holds_its_namespace(shop: Lab) -> None:
    created = done(shop, CreateEnvironment("shop", "x-y", ephemeral=True))
    gone = done(shop, DeleteEnvironment("shop", "x-y"))
    revert = revert_of(shop.ports, "shop", gone)
    with shop.observer():
        other = shop.admit(CreateProject("shop-x", ("y",)))
        for turn in range(2):  # held by a job, then by what stands in Git alone
            with pytest.raises(Refused) as refused:
                shop.admit(revert)
            assert isinstance(refused.value.problem, AlreadyExists)
            assert (refused.value.problem.what, refused.value.problem.name) == ("namespace", "shop-x-y")
            if not turn:
                shop.work("shop-x")
                shop.ended(other.id)
                shop.redis.delete("lucity:namespaces", "lucity:namespaces:landed")
    assert head(shop) == gone != created


def test_an_environment_that_comes_back_keeps_its_namespace_from_others_and_can_be_deployed_to_at_once(
    shop: Lab,
) -> None:
    done(shop, CreateEnvironment("shop", "x-y", ephemeral=True))
    gone = done(shop, DeleteEnvironment("shop", "x-y"))
    back = shop.admit(revert_of(shop.ports, "shop", gone))
    follows = shop.admit(Deploy("shop", "x-y", (ServiceImage("api", "three"),)))
    with pytest.raises(Refused) as refused:
        shop.admit(CreateProject("shop-x", ("y",)))
    assert isinstance(refused.value.problem, AlreadyExists)
    shop.work("shop")
    assert [shop.job(job.id).state for job in (back, follows)] == [JobState.SUCCEEDED] * 2


def test_commits_by_hand_and_merges_are_taken_back_against_their_first_parent(shop: Lab) -> None:
    clone = shop.clone("shop")
    before = files(tree(shop))
    git(clone.folder, "checkout", "--quiet", "-b", "side")
    clone.commit("Tune it", {"NOTES.md": "new\n"})
    clone.commit("Tune more", {VALUES: (before[VALUES] or b"").decode().replace("two", "three")})
    git(clone.folder, "checkout", "--quiet", "-")
    clone.commit("Beside it", {"OTHER.md": "stays\n"})
    git(clone.folder, "merge", "--quiet", "--no-ff", "-m", "Merge the tuning", "side")
    clone.push()
    merge = git(clone.folder, "rev-parse", "HEAD")
    heads.notice(shop.ports, "shop")
    assert running(shop) == {"api": "three", "web": "three"}
    reverted(shop, merge)
    assert files(tree(shop)) == {**before, "OTHER.md": b"stays\n"}
    assert record(shop, head(shop)).git.subject == f"revert(base): {merge[:7]} Merge the tuning"


def test_what_is_not_the_content_of_files_is_left_to_git_and_an_empty_commit_is_no_change(shop: Lab) -> None:
    clone = shop.clone("shop")
    (clone.folder / "link").symlink_to("README.md")
    (clone.folder / VALUES).chmod(0o755)
    made = [clone.commit("A link and a mode", {}), clone.commit("Nothing at all", {})]
    clone.push()
    heads.notice(shop.ports, "shop")
    with pytest.raises(Refused) as refused:
        revert_of(shop.ports, "shop", made[0])
    assert isinstance(refused.value.problem, InvalidInput)
    job = shop.carry(revert_of(shop.ports, "shop", made[1]))[0]
    assert (job.state, job.commit, head(shop)) == (JobState.SUCCEEDED, None, made[1])


def test_a_held_service_is_reverted_by_a_person_with_a_reason_only(shop: Lab) -> None:
    second = head(shop)
    done(shop, SetHold("shop", "production", ("api",)), reason="freeze")
    change = revert_of(shop.ports, "shop", second)
    for actor, given in ((ROBOT, replace(change, override=True)), (ANN, change)):
        with pytest.raises(Refused) as refused:
            shop.admit(given, actor=actor, reason="it broke")
        assert isinstance(refused.value.problem, GateClosed)
    sha = done(shop, replace(change, override=True), reason="it broke")
    assert messages.parse(record(shop, sha).git.message).all(messages.OVERRIDE) == ("hold: it broke",)
