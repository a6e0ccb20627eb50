"""What changes come to in situations that matter; what each kind writes stands in test_golden.py."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gitops.operations import (
    AddService,
    CreateEnvironment,
    DeleteEnvironment,
    DeleteProject,
    Deploy,
    ExtendEnvironment,
    Promote,
    RemoveService,
    Scale,
    ServiceImage,
    SetValues,
    SetVariables,
    UpgradeChart,
    ValueSetting,
    VariableSetting,
)
from gitops.problems import ConflictCode, InvalidInput, InvalidRepository
from gitops.repository import images, read, read_environment
from gitops.yamltext import parse
from tests.support.shop import CONTEXT, RUNNING, SHOP, grown, refusal


@pytest.mark.parametrize("tag", ["1234567", "12e4567", "0x1F", "no", "1_000", "2026-11-23"])
def test_a_tag_that_yaml_would_misread_is_deployed_as_it_is(tag: str) -> None:
    draft = Deploy("shop", "staging", (ServiceImage("api", tag),)).apply(SHOP, CONTEXT)
    deployed = (images(SHOP.with_writes(draft.writes), "staging") or {})["api"]
    assert (draft.subject, deployed.tag) == (f"deploy(staging): api {tag}", tag)


def test_a_tag_written_as_a_number_is_not_taken_for_the_same_text() -> None:
    tree = SHOP.with_writes(
        {"environments/staging/values.yaml": b"lucity-app: {services: {api: {image: {tag: 1234567}}}}\n"}
    )
    draft = Deploy("shop", "staging", (ServiceImage("api", "1234567"),)).apply(tree, CONTEXT)
    assert (
        draft.writes["environments/staging/values.yaml"]
        == b'lucity-app: {services: {api: {image: {tag: "1234567"}}}}\n'
    )


@pytest.mark.parametrize("text", ["services: {api: , web: {}}", "services: ~", ""], ids=["service", "services", "all"])
def test_what_null_took_out_of_an_environment_is_deployed_to_it_again(text: str) -> None:
    path = "environments/staging/values.yaml"
    tree = SHOP.with_writes({path: f"lucity-app:\n  environment: staging\n  {text}\n".encode()})
    draft = Deploy("shop", "staging", (ServiceImage("api", "1"),)).apply(tree, CONTEXT)
    assert (images(tree.with_writes(draft.writes), "staging") or {})["api"].reference == "r/api:1"


def test_deploying_what_runs_writes_nothing() -> None:
    draft = Deploy("shop", "development", (ServiceImage("web", "2"), ServiceImage("api", "1"))).apply(RUNNING, CONTEXT)
    assert (draft.writes, draft.subject) == ({}, "deploy(development): api 1, web 2")


def test_a_deploy_names_only_what_it_changes() -> None:
    draft = Deploy("shop", "development", (ServiceImage("api", "1"), ServiceImage("web", "3"))).apply(RUNNING, CONTEXT)
    assert (draft.subject, draft.trailers[0]) == ("deploy(development): web 3", ("Service", "web"))


def test_a_deploy_without_digest_removes_the_older_one_even_from_base() -> None:
    base = SHOP.content["base/values.yaml"].replace(b'"r/api"', b'"r/api"\n        digest: "sha256:0"')
    tree = SHOP.with_writes({"base/values.yaml": base})
    draft = Deploy("shop", "staging", (ServiceImage("api", "1"),)).apply(tree, CONTEXT)
    assert (images(tree.with_writes(draft.writes), "staging") or {})["api"].reference == "r/api:1"


def test_more_than_three_services_stand_in_the_body() -> None:
    services = [AddService("shop", name, f"r/{name}") for name in ("a", "b", "c", "d")]
    tree = grown(*services)
    draft = Deploy("shop", "staging", tuple(ServiceImage(name, "1") for name in "dcba")).apply(tree, CONTEXT)
    assert (draft.subject, draft.body) == ("deploy(staging): 4 services", ("a 1", "b 1", "c 1", "d 1"))


def test_the_only_service_is_scaled_without_its_name() -> None:
    tree = grown(AddService("shop", "api", "r/api"))
    assert Scale("shop", "staging", "api", 3).apply(tree, CONTEXT).subject == "config(staging): update replicas to 3"


def test_promoting_from_where_nothing_runs_says_so() -> None:
    assert "deploy there first" in refusal(Promote("shop", "staging", "development")).message
    assert "api has no image in staging" in refusal(Promote("shop", "staging", "development", ("api",))).message


def test_promoting_twice_writes_nothing_and_carries_the_head() -> None:
    once = Promote("shop", "development", "staging").apply(RUNNING, CONTEXT)
    assert ("From-Commit", "c" * 40) in once.trailers
    assert Promote("shop", "development", "staging").apply(RUNNING.with_writes(once.writes), CONTEXT).writes == {}


def test_a_key_that_travels_is_removed_where_the_source_has_none() -> None:
    change = SetValues("shop", "staging", (ValueSetting("services.api.resources", {"limits": {"cpu": 1}}),))
    tree = RUNNING.with_writes(change.apply(RUNNING, CONTEXT).writes)
    draft = Promote("shop", "development", "staging", ("api",), ("resources",)).apply(tree, CONTEXT)
    staging = parse(draft.writes["environments/staging/values.yaml"] or b"", "v").data
    assert staging == {"lucity-app": {"environment": "staging", "services": {"api": {"image": {"tag": "1"}}}}}


def test_an_environment_without_end_needs_its_name_repeated() -> None:
    problem = refusal(DeleteEnvironment("shop", "staging"))
    assert isinstance(problem, InvalidInput)
    assert problem.errors[0].path == ("confirm",)


def test_the_sweep_deletes_only_what_still_ends_then() -> None:
    preview = CreateEnvironment("shop", "pr-1", ephemeral=True, ttl_seconds=60)
    tree = SHOP.with_writes(preview.apply(SHOP, CONTEXT).writes)
    change = DeleteEnvironment("shop", "pr-1", expires_at="2026-11-23T12:01:00Z")
    later = replace(CONTEXT, now=CONTEXT.now + timedelta(minutes=2))
    assert set(change.apply(tree, later).writes.values()) == {None}
    assert refusal(change, tree).code is ConflictCode.CHANGED_SINCE
    assert refusal(replace(change, expires_at="2026-11-23T12:00:30Z"), tree, later).code is ConflictCode.CHANGED_SINCE


def test_a_preview_may_end_within_a_second() -> None:
    preview = CreateEnvironment("shop", "pr-1", ephemeral=True, ttl_seconds=1)
    made = SHOP.with_writes(preview.apply(SHOP, CONTEXT).writes)
    assert read_environment(made, "pr-1").expires_at == CONTEXT.now + timedelta(seconds=1)


def test_an_extension_moves_the_end_and_the_sweep_spares_it() -> None:
    preview = CreateEnvironment("shop", "pr-1", ephemeral=True, ttl_seconds=60)
    tree = SHOP.with_writes(preview.apply(SHOP, CONTEXT).writes)
    draft = ExtendEnvironment("shop", "pr-1", 3600).apply(
        tree, replace(CONTEXT, now=CONTEXT.now + timedelta(minutes=5))
    )
    extended = tree.with_writes(draft.writes)
    assert draft.subject == "config(pr-1): expire 2026-11-23T13:05:00Z"
    assert read_environment(extended, "pr-1").expires_at == CONTEXT.now + timedelta(hours=1, minutes=5)
    swept = DeleteEnvironment("shop", "pr-1", expires_at="2026-11-23T12:01:00Z")
    late = replace(CONTEXT, now=CONTEXT.now + timedelta(minutes=6))
    assert refusal(swept, extended, late).code is ConflictCode.CHANGED_SINCE


def test_only_what_is_ephemeral_has_an_end_to_move() -> None:
    problem = refusal(ExtendEnvironment("shop", "staging", 3600))
    assert isinstance(problem, InvalidInput)
    assert problem.errors[0].path == ("environment",)


def test_an_end_is_not_moved_in_a_file_that_cannot_be_read() -> None:
    tree = SHOP.with_writes({"environments/staging/environment.yaml": b"ephemeral: [\n"})
    assert isinstance(refusal(ExtendEnvironment("shop", "staging", 3600), tree), InvalidRepository)


def test_a_copy_does_not_take_over_the_hosts() -> None:
    hosts = SetValues("shop", "development", (ValueSetting("services.api.hosts", ["a.example.com"]),))
    tree = RUNNING.with_writes(hosts.apply(RUNNING, CONTEXT).writes)
    tree = tree.with_writes(
        CreateEnvironment("shop", "pr-1", "development", ephemeral=True).apply(tree, CONTEXT).writes
    )
    preview = read(tree).environment("pr-1")
    assert preview is not None
    assert [(each.name, each.image and each.image.tag, each.hosts) for each in preview.services or ()] == [
        ("api", "1", ()),
        ("web", "2", ()),
    ]


def test_what_was_added_is_removed_byte_for_byte() -> None:
    tree = RUNNING
    for change in (AddService("shop", "extra", "r/x"), Deploy("shop", "staging", (ServiceImage("extra", "1"),))):
        tree = tree.with_writes(change.apply(tree, CONTEXT).writes)
    assert tree.with_writes(RemoveService("shop", "extra").apply(tree, CONTEXT).writes) == RUNNING


def test_values_keep_every_character() -> None:
    texts = ['"', "'", "a\nb\n", "{{ .x }}", "$x", "😀\u2028", "x" * 65536, "a.b: #c", "no", ""]
    settings = tuple(VariableSetting(f"V{number}", text) for number, text in enumerate(texts))
    draft = SetVariables("shop", None, "api", settings).apply(SHOP, CONTEXT)
    service = read(SHOP.with_writes(draft.writes)).service("api")
    assert service is not None
    assert [variable.value for variable in service.variables] == texts
    assert not any(text and text in f"{draft.subject}{draft.body}{draft.trailers}" for text in texts if len(text) > 2)


def test_a_key_with_dots_is_one_key() -> None:
    change = SetValues("shop", "staging", (ValueSetting('services.api.annotations."example.com/a.b"', "x"),))
    draft = change.apply(SHOP, CONTEXT)
    assert draft.subject == 'config(staging): set services.api.annotations."example.com/a.b"'
    values = parse(draft.writes["environments/staging/values.yaml"] or b"", "v").data
    assert values["lucity-app"] == {
        "environment": "staging",
        "services": {"api": {"annotations": {"example.com/a.b": "x"}}},
    }


def test_a_broken_environment_stops_its_own_changes_and_no_other() -> None:
    tree = RUNNING.with_writes({"environments/staging/values.yaml": b"a: [\n"})
    problem = refusal(Deploy("shop", "staging", (ServiceImage("api", "9"),)), tree)
    assert isinstance(problem, InvalidRepository)
    assert (problem.path, problem.line) == ("environments/staging/values.yaml", 2)
    assert Deploy("shop", "development", (ServiceImage("api", "9"),)).apply(tree, CONTEXT).writes


def test_a_broken_project_can_still_be_deleted() -> None:
    tree = SHOP.with_writes({"project.yaml": b"deleting: [\n"})
    assert DeleteProject("shop", "shop").apply(tree, CONTEXT).writes == {"project.yaml": b"deleting: true\n"}


def test_a_chart_that_is_not_carried_is_refused_with_those_that_are() -> None:
    assert "choose one of 0.1.0" in refusal(UpgradeChart("shop", "9.9.9")).message
