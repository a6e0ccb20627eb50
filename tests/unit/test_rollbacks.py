"""What a rollback puts back, what it leaves alone, and that it stays."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.changes import ActorKind, Change, Context
from gitops.gates import passed
from gitops.operations import (
    AddService,
    CreateEnvironment,
    DeleteEnvironment,
    Deploy,
    RemoveService,
    Rollback,
    RollbackScope,
    Scale,
    ServiceImage,
    SetHold,
    SetVariables,
    UpdateService,
    UpgradeChart,
    VariableSetting,
)
from gitops.problems import GateClosed, InvalidInput, InvalidRepository, NotFound, Refused
from gitops.repository import images, read_environment
from gitops.tree import Files
from tests.support.shop import CONTEXT, RUNNING, SHOP, refusal

THEN = "1234567" + "0" * 33
VALUES = "environments/development/values.yaml"
IMAGE, CONFIG, WHOLE = RollbackScope


def at(tree: Files, *, kind: ActorKind = ActorKind.PERSON) -> Context:
    """A context whose history holds this tree."""
    return replace(CONTEXT, reason="it broke", at={THEN: tree}.get, actor=replace(CONTEXT.actor, kind=kind))


def after(tree: Files, *changes: Change) -> Files:
    for change in changes:
        tree = tree.with_writes(change.apply(tree, replace(CONTEXT, reason="x")).writes)
    return tree


def rollback(*names: str, scope: RollbackScope = IMAGE, environment: str = "development") -> Rollback:
    return Rollback("shop", environment, THEN, names, scope)


def deploy(tag: str, *names: str, digest: str | None = None) -> Deploy:
    return Deploy("shop", "development", tuple(ServiceImage(name, tag, digest) for name in names or ("api", "web")))


def tags(tree: Files) -> dict[str, str]:
    return {name: image.tag for name, image in (images(tree, "development") or {}).items()}


def held(tree: Files, environment: str = "development") -> list[str | None]:
    return [hold.service for hold in read_environment(tree, environment).holds]


LATER = after(RUNNING, deploy("9"), Scale("shop", "development", "api", 5))


def test_a_named_service_gets_its_image_back_and_nothing_else_changes() -> None:
    draft = rollback("api").apply(LATER, at(RUNNING))
    tree = LATER.with_writes(draft.writes)
    assert (draft.subject, tags(tree)) == ("rollback(development): api 1", {"api": "1", "web": "9"})
    assert draft.trailers == (("Service", "api"), ("Image", "api=r/api:1"), ("Rolls-Back-To", THEN))
    service = read_environment(tree, "development").service("api")
    assert service is not None
    assert service.replicas == 5


def test_without_names_every_service_goes_back() -> None:
    draft = rollback().apply(LATER, at(RUNNING))
    assert tags(LATER.with_writes(draft.writes)) == {"api": "1", "web": "2"}
    assert draft.subject == "rollback(development): api 1, web 2"


def test_a_digest_comes_and_goes_with_its_image() -> None:
    pinned = after(RUNNING, deploy("1", "api", digest=f"sha256:{'a' * 64}"))
    for past, present in ((RUNNING, pinned), (pinned, RUNNING)):
        tree = present.with_writes(rollback("api").apply(present, at(past)).writes)
        assert (images(tree, "development") or {}) == images(past, "development")


def test_more_than_three_services_are_counted_and_named_in_the_body() -> None:
    few = ("a", "b", "c", "d")
    past = after(SHOP, *(AddService("shop", name, f"r/{name}") for name in few), deploy("1", *few))
    draft = rollback().apply(after(past, deploy("2", *few)), at(past))
    assert draft.subject == "rollback(development): 4 services to 1234567"
    assert draft.body == ("a 1", "b 1", "c 1", "d 1")


def test_a_rollback_holds_what_it_put_back_with_a_reason_that_names_it() -> None:
    tree = LATER.with_writes(rollback().apply(LATER, at(after(RUNNING, deploy("9", "web")))).writes)
    (hold,) = read_environment(tree, "development").holds
    assert (hold.service, hold.reason, hold.actor.email) == (
        "api",
        "rolled back to 1234567: it broke",
        "ann@example.com",
    )
    assert hold.expires_at is None
    robot = at(RUNNING, kind=ActorKind.AUTOMATION)
    with pytest.raises(Refused) as refused:
        passed(deploy("10", "api").apply(tree, robot), robot)
    assert isinstance(refused.value.problem, GateClosed)


def test_what_stands_as_asked_is_not_held_either() -> None:
    draft = rollback().apply(RUNNING, at(RUNNING))
    assert (draft.writes, draft.subject) == ({}, "rollback(development): api 1, web 2")


@pytest.mark.parametrize("scope", [IMAGE, CONFIG, WHOLE])
def test_a_held_service_is_not_rolled_back_without_override(scope: RollbackScope) -> None:
    tree = after(LATER, SetHold("shop", "development", ("api",)))
    context = at(RUNNING)
    change = rollback(scope=scope)
    with pytest.raises(Refused) as refused:
        passed(change.apply(tree, context), context)
    assert isinstance(refused.value.problem, GateClosed)
    draft = passed(replace(change, override=True).apply(tree, context), context)
    assert draft.trailers[-1] == ("Override", "hold: it broke")


def test_configuration_goes_back_as_the_environment_said_it() -> None:
    past = after(
        RUNNING,
        Scale("shop", "development", "api", 2),
        SetVariables("shop", "development", "api", (VariableSetting("A", "old"), VariableSetting("B", "gone"))),
        SetVariables("shop", "development", "web", (VariableSetting("W", "old"),)),
    )
    present = after(
        past,
        deploy("9"),
        Scale("shop", "development", "api", 5),
        SetVariables("shop", "development", "api", (VariableSetting("A", "new"), VariableSetting("C", "new")), ("B",)),
        SetVariables("shop", "development", "web", (VariableSetting("W", "new"),)),
        SetVariables("shop", "development", None, (VariableSetting("SHARED", "new"),)),
    )
    tree = present.with_writes(rollback("api", scope=CONFIG).apply(present, at(past)).writes)
    before, now = read_environment(past, "development"), read_environment(tree, "development")
    api, web = now.service("api"), now.service("web")
    was = before.service("api")
    assert api is not None
    assert web is not None
    assert was is not None
    assert api.values == was.values
    assert {each.name: each.value for each in web.variables}["W"] == "new"
    assert {each.name: each.value for each in api.variables}["SHARED"] == "new"
    assert tags(tree) == {"api": "1", "web": "9"}


def test_an_environment_goes_back_byte_for_byte_but_for_holds_and_its_end() -> None:
    preview = CreateEnvironment("shop", "pr-1", "development", ephemeral=True, ttl_seconds=60)
    past = after(LATER, preview)
    text = (past.read("environments/pr-1/values.yaml") or b"") + b"# by hand\n"
    past = past.with_writes({"environments/pr-1/values.yaml": text})
    present = after(past, SetHold("shop", "pr-1", ("web",)), Scale("shop", "pr-1", "web", 7))
    settings = (present.read("environments/pr-1/environment.yaml") or b"").replace(b"12:01:00Z", b"18:00:00Z")
    present = present.with_writes({"environments/pr-1/environment.yaml": settings})
    draft = replace(rollback(scope=WHOLE, environment="pr-1"), override=True).apply(present, at(past))
    tree = present.with_writes(draft.writes)
    assert (draft.subject, tree.read("environments/pr-1/values.yaml")) == (
        "rollback(pr-1): environment to 1234567",
        text,
    )
    assert held(tree, "pr-1") == [None, "web"]
    assert read_environment(tree, "pr-1").expires_at == read_environment(present, "pr-1").expires_at
    assert ("Service", "web") in draft.trailers


def test_a_whole_environment_names_no_services() -> None:
    problem = refusal(rollback("api", scope=WHOLE), RUNNING)
    assert isinstance(problem, InvalidInput)
    assert problem.errors[0].path == ("services",)


def test_values_that_were_broken_by_hand_can_be_rolled_back() -> None:
    for data in (b"lucity-app: [\n", None):
        broken = LATER.with_writes({VALUES: data})
        tree = broken.with_writes(rollback(scope=WHOLE).apply(broken, at(RUNNING)).writes)
        assert tree.read(VALUES) == RUNNING.read(VALUES)


def test_values_that_were_broken_then_are_not_put_back() -> None:
    problem = refusal(rollback(scope=WHOLE), LATER, at(RUNNING.with_writes({VALUES: b"a: [\n"})))
    assert isinstance(problem, InvalidRepository)
    assert (problem.path, problem.line, problem.commit_sha) == (VALUES, 2, THEN)


def test_a_commit_that_is_not_in_the_history_is_named() -> None:
    problem = refusal(rollback("api"), LATER)
    assert isinstance(problem, NotFound)
    assert (problem.what, problem.name) == ("commit", THEN)


def test_a_service_that_was_removed_since_is_left_alone_or_named() -> None:
    tree = after(LATER, RemoveService("shop", "web"))
    assert tags(tree.with_writes(rollback().apply(tree, at(RUNNING)).writes)) == {"api": "1"}
    problem = refusal(rollback("web"), tree, at(RUNNING))
    assert (problem.what, problem.name) == ("service", "web")
    whole = rollback(scope=WHOLE).apply(tree, at(RUNNING))
    assert tree.with_writes(whole.writes).read(VALUES) == RUNNING.read(VALUES)
    assert [value for key, value in whole.trailers if key == "Service"] == ["api"]


def test_a_service_that_came_later_is_left_alone_or_named() -> None:
    tree = after(RUNNING, AddService("shop", "mail", "r/mail"), deploy("1", "mail"), deploy("9", "api"))
    assert tags(tree.with_writes(rollback().apply(tree, at(RUNNING)).writes)) == {"api": "1", "mail": "1", "web": "2"}
    problem = refusal(rollback("mail"), tree, at(RUNNING))
    assert (problem.what, problem.name) == ("deployment", "mail")
    assert refusal(rollback(), tree, at(SHOP)).what == "deployment"


def test_an_environment_that_is_gone_or_was_not_there_yet_is_named() -> None:
    gone = after(LATER, DeleteEnvironment("shop", "development", "development"))
    for scope in (IMAGE, CONFIG, WHOLE):
        for tree, past in ((gone, RUNNING), (LATER, gone)):
            problem = refusal(rollback(scope=scope), tree, at(past))
            assert (problem.what, problem.name) == ("environment", "development")


def test_an_environment_that_was_made_again_gets_back_what_its_predecessor_ran() -> None:
    tree = after(
        LATER, DeleteEnvironment("shop", "development", "development"), CreateEnvironment("shop", "development")
    )
    assert tags(tree.with_writes(rollback().apply(tree, at(RUNNING)).writes)) == {"api": "1", "web": "2"}


def test_the_chart_stays_as_it_was_upgraded() -> None:
    newer = replace(CONTEXT, charts={"0.2.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.2.0\n"}})
    tree = LATER.with_writes(UpgradeChart("shop").apply(LATER, newer).writes)
    for scope in (IMAGE, CONFIG, WHOLE):
        writes = rollback(scope=scope).apply(tree, at(RUNNING)).writes
        assert set(writes) == {VALUES, "environments/development/environment.yaml"}


def test_an_image_whose_repository_was_changed_since_comes_back_whole() -> None:
    moved = after(LATER, UpdateService("shop", "api", "elsewhere/api"))
    tree = moved.with_writes(rollback("api").apply(moved, at(RUNNING)).writes)
    assert (images(tree, "development") or {})["api"].reference == "r/api:1"
    back = tree.with_writes(rollback("api").apply(tree, at(moved)).writes)
    assert (images(back, "development") or {})["api"].reference == "elsewhere/api:9"
    assert b"elsewhere" not in (back.read(VALUES) or b"")


names = st.sampled_from(["api", "web"])
found = st.dictionaries(names, st.text("ab1", min_size=1, max_size=2), min_size=1, max_size=2)
scale = st.dictionaries(names, st.integers(1, 4), max_size=2)


def grown(tree: Files, running: Mapping[str, str], replicas: Mapping[str, int]) -> Files:
    deploys = [Deploy("shop", "development", (ServiceImage(name, tag),)) for name, tag in running.items()]
    return after(tree, *deploys, *(Scale("shop", "development", name, count) for name, count in replicas.items()))


@given(found, scale, found, scale, st.sampled_from([IMAGE, CONFIG, WHOLE]))
def test_any_state_comes_back_and_only_what_came_back_is_held(
    old: Mapping[str, str],
    old_scale: Mapping[str, int],
    new: Mapping[str, str],
    new_scale: Mapping[str, int],
    scope: RollbackScope,
) -> None:
    past = grown(SHOP, old, old_scale)
    present = grown(past, new, new_scale)
    draft = rollback(scope=scope).apply(present, at(past))
    tree = present.with_writes(draft.writes)
    before, now = (read_environment(one, "development") for one in (past, tree))
    for name in old:
        was, service = before.service(name), now.service(name)
        assert was is not None
        assert service is not None
        assert service.image == was.image
        assert scope is IMAGE or service.values == was.values
    if scope is WHOLE:
        assert tree.read(VALUES) == past.read(VALUES)
    said = [value for key, value in draft.trailers if key == "Service"]
    assert held(tree) == ([] if not draft.writes else [None] if scope is WHOLE else said)
    assert rollback(scope=scope).apply(tree, at(past)).writes == {}
