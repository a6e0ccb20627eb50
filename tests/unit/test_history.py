"""What a commit did is told by the values it changed."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.commits import CommitKind, GitCommit, Image, ImageChange, Person, Signature, SignatureState
from gitops.history import (
    Delta,
    Effect,
    FileChange,
    State,
    environment_names,
    images_of,
    is_values,
    read_values,
    state_of,
    step,
    told_by,
    value_changes,
)
from gitops.values import ChangeKind

BASE = "base/values.yaml"
DEV = "environments/development/values.yaml"
PROD = "environments/production/values.yaml"
REPOSITORIES = b"""lucity-app:
  services:
    api: {image: {repository: registry.local/api}}
    web: {image: {repository: registry.local/web}}
"""
BOTH = frozenset({"development", "production"})


def tags(**services: str) -> bytes:
    lines = [f'    {name}: {{image: {{tag: "{tag}"}}}}\n' for name, tag in services.items()]
    return ("lucity-app:\n  services:\n" + "".join(lines)).encode() if lines else b"{}\n"


def api(tag: str) -> Image:
    return Image("registry.local/api", tag)


def web(tag: str) -> Image:
    return Image("registry.local/web", tag)


def wrote(environments: frozenset[str] = BOTH, /, **named: bytes | None) -> Delta:
    places = {"base": BASE, "dev": DEV, "prod": PROD}
    values = {places[name]: data for name, data in named.items()}
    return Delta(tuple(values), environments, values)


def after(*deltas: Delta) -> tuple[State, Effect]:
    state, effect = step(State(), deltas[0])
    for delta in deltas[1:]:
        state, effect = step(state, delta)
    return state, effect


BORN = wrote(base=REPOSITORIES, dev=tags(api="1", web="1"), prod=tags(api="1"))


def test_the_first_commit_creates_environments_and_puts_their_images_there() -> None:
    _, effect = after(BORN)
    assert effect.created == ("development", "production")
    assert effect.environments == ("development", "production")
    assert effect.services == ("api", "web")
    assert effect.images == (
        ImageChange("development", "api", None, api("1")),
        ImageChange("development", "web", None, web("1")),
        ImageChange("production", "api", None, api("1")),
    )


def test_a_new_tag_is_a_deployment_of_that_service_only() -> None:
    _, effect = after(BORN, wrote(dev=tags(api="2", web="1")))
    assert effect.images == (ImageChange("development", "api", api("1"), api("2")),)
    assert (effect.environments, effect.services) == (("development",), ("api",))
    assert effect.touched == (("development", "api"),)


def test_going_back_by_hand_is_a_deployment_of_the_old_image() -> None:
    _, effect = after(BORN, wrote(dev=tags(api="2", web="1")), wrote(dev=tags(api="1", web="1")))
    assert effect.images == (ImageChange("development", "api", api("2"), api("1")),)


def test_a_change_of_base_counts_in_every_environment() -> None:
    moved = REPOSITORIES.replace(b"registry.local/api", b"elsewhere/api")
    _, effect = after(BORN, wrote(base=moved))
    assert effect.environments == ("development", "production")
    assert [(change.environment, change.after) for change in effect.images] == [
        ("development", Image("elsewhere/api", "1")),
        ("production", Image("elsewhere/api", "1")),
    ]
    assert effect.touched == (("development", "api"), ("production", "api"))


def test_the_chart_touches_every_environment_and_no_service() -> None:
    _, effect = after(BORN, Delta(("base/Chart.yaml",), BOTH, {}))
    assert (effect.environments, effect.services, effect.images) == (("development", "production"), (), ())


def test_a_file_beside_the_values_touches_its_environment_only() -> None:
    _, effect = after(BORN, Delta(("environments/development/environment.yaml",), BOTH, {}))
    assert (effect.environments, effect.touched) == (("development",), ())


def test_files_elsewhere_touch_nothing() -> None:
    _, effect = after(BORN, Delta(("README.md", "environments/README.md", "basement/x"), BOTH, {}))
    assert effect == Effect((), (), (), (), (), ())


def test_a_variable_touches_its_service_without_a_deployment() -> None:
    more = tags(api="1", web="1") + b"      variables: {A: '1'}\n"
    more = more.replace(b'    web: {image: {tag: "1"}}\n', b'    web:\n      image: {tag: "1"}\n')
    _, effect = after(BORN, wrote(dev=more))
    assert (effect.services, effect.images) == (("web",), ())


def test_a_broken_file_claims_nothing_and_keeps_what_it_last_said() -> None:
    state, effect = after(BORN, wrote(dev=b"lucity-app: [\n"))
    assert (effect.environments, effect.services, effect.images) == (("development",), (), ())
    assert state.environments["development"].images == {"api": api("1"), "web": web("1")}


def test_a_file_that_is_readable_again_is_compared_with_what_was_readable_last() -> None:
    _, effect = after(BORN, wrote(dev=b"lucity-app: [\n"), wrote(dev=tags(api="2", web="1")))
    assert effect.images == (ImageChange("development", "api", api("1"), api("2")),)


def test_a_broken_base_does_not_stop_deployments_from_being_seen() -> None:
    _, effect = after(BORN, wrote(base=b"\t"), wrote(dev=tags(api="2", web="1")))
    assert effect.images == (ImageChange("development", "api", api("1"), api("2")),)


@pytest.mark.parametrize(
    "text",
    [
        "lucity-app: 1",
        "lucity-app: {services: [api]}",
        "lucity-app: {services: {api: up}}",
        "lucity-app: {services: {api: {image: nginx}}}",
        "a: 1\na: 2",
        "a: &x 1",
        "\x00",
    ],
)
def test_values_of_a_wrong_shape_are_not_read(text: str) -> None:
    assert read_values(text.encode(), DEV) is None
    state, effect = after(BORN, wrote(dev=text.encode()))
    assert (effect.images, state.environments["development"].images["api"]) == ((), api("1"))


def test_a_missing_file_says_nothing_and_takes_its_images_away() -> None:
    _, effect = after(BORN, wrote(prod=None))
    assert effect.images == (ImageChange("production", "api", api("1"), None),)
    assert effect.deleted == ()


def test_deleting_an_environment_takes_its_images_away() -> None:
    _, effect = after(BORN, wrote(frozenset({"development"}), prod=None))
    assert effect.deleted == ("production",)
    assert effect.environments == ("production",)
    assert effect.images == (ImageChange("production", "api", api("1"), None),)


def test_an_environment_that_is_created_again_starts_from_nothing() -> None:
    gone = wrote(frozenset({"development"}), prod=None)
    _, effect = after(BORN, gone, wrote(prod=b"broken: ["))
    assert (effect.created, effect.images) == (("production",), ())
    _, effect = after(BORN, gone, wrote(prod=tags(api="1")))
    assert (effect.created, effect.images) == (("production",), (ImageChange("production", "api", None, api("1")),))


def test_null_deletes_as_in_helm() -> None:
    base = {"lucity-app": {"services": {"api": {"image": {"repository": "r", "tag": "1"}}}}}
    for nothing in (
        {"lucity-app": None},
        {"lucity-app": {"services": None}},
        {"lucity-app": {"services": {"api": None}}},
        {"lucity-app": {"services": {"api": {"image": None}}}},
        {"lucity-app": {"services": {"api": {"image": {"tag": None}}}}},
        {"lucity-app": {"services": {"api": {"image": {"repository": None}}}}},
    ):
        assert images_of(base, nothing) == {}
    assert images_of(base, {}) == {"api": Image("r", "1")}


def test_a_tag_without_a_repository_is_no_image_for_the_chart_renders_nothing_of_it() -> None:
    assert images_of({}, {"lucity-app": {"services": {"api": {"image": {"tag": "1"}}}}}) == {}


def test_only_folders_with_the_name_of_an_environment_are_environments() -> None:
    assert environment_names(["pr-142", "Prod", "a--b", "base", "x" * 21]) == {"pr-142"}


def test_values_files_are_those_that_helm_is_given() -> None:
    assert all(map(is_values, (BASE, DEV)))
    assert not any(
        map(is_values, ("environments/development/environment.yaml", "environments/a/b/values.yaml", "project.yaml"))
    )


def commit(message: str, state: SignatureState) -> GitCommit:
    ann, now = Person("Ann", "ann@example.org"), datetime(2026, 11, 23, tzinfo=UTC)
    return GitCommit("a" * 40, (), message, ann, ann, now, now, Signature(state))


def test_only_what_lucity_signed_is_believed() -> None:
    message = "deploy(development): api a1b2c3d\n\nJob-Id: job_1\n"
    assert told_by(commit(message, SignatureState.VALID)) == (CommitKind.DEPLOY, "job_1")
    for state in (SignatureState.NONE, SignatureState.INVALID, SignatureState.UNKNOWN_KEY):
        assert told_by(commit(message, state)) == (CommitKind.EXTERNAL, None)


def test_value_changes_tell_file_environment_key_and_both_values() -> None:
    changes = value_changes(DEV, b"lucity-app: {a.b: 1, gone: null}\n", b'lucity-app: {a.b: "1", new: [1]}\n')
    assert changes == (
        FileChange(DEV, "development", 'lucity-app."a.b"', ChangeKind.CHANGED, 1, "1"),
        FileChange(DEV, "development", "lucity-app.gone", ChangeKind.REMOVED, None, None),
        FileChange(DEV, "development", "lucity-app.new", ChangeKind.ADDED, None, [1]),
    )


def test_value_changes_of_what_cannot_be_read_or_is_not_ours_are_empty() -> None:
    assert value_changes(DEV, b"a: [", b"a: 1") == ()
    assert value_changes("README.md", b"a: 1", b"a: 2") == ()
    assert value_changes("base/charts/lucity-app/values.yaml", None, b"a: 2") == ()
    assert [change.environment for change in value_changes("project.yaml", None, b"deleting: true")] == [None]


SERVICE = st.sampled_from(["api", "web"])
FILE = st.dictionaries(SERVICE, st.sampled_from(["1", "2"])).map(lambda services: tags(**services))
SPARSE = st.dictionaries(
    SERVICE, st.sampled_from(["null", "{}", "{image: null}", "{image: {tag: null}}", "{image: {repository: r}}"])
).map(lambda found: f"lucity-app: {{services: {json.dumps(found)}}}".replace('"', "").encode())
NOTHING = st.sampled_from([b"lucity-app: null", b"lucity-app: {services: null}", b"{}", b"other: 1", b"["])
DELTAS = st.lists(
    st.fixed_dictionaries(
        {}, optional={"base": st.sampled_from([REPOSITORIES]) | SPARSE | NOTHING, "dev": FILE | SPARSE | NOTHING}
    ),
    max_size=8,
)


@given(DELTAS)
def test_image_changes_add_up_to_the_images_that_are_there(written: list[dict[str, bytes]]) -> None:
    state, effect = after(BORN)
    held = {(change.environment, change.service): change.after for change in effect.images}
    for files in written:
        state, effect = step(state, wrote(**files))
        for change in effect.images:
            assert held.get((change.environment, change.service)) == change.before
            held[change.environment, change.service] = change.after
    there = {
        (name, service): image for name, env in state.environments.items() for service, image in env.images.items()
    }
    assert {key: image for key, image in held.items() if image is not None} == there


@given(DELTAS)
def test_a_walk_can_begin_anywhere_with_the_values_that_were_readable_last(written: list[dict[str, bytes]]) -> None:
    state, _ = after(BORN, *(wrote(**files) for files in written))
    assert state_of(state.base, {name: env.values for name, env in state.environments.items()}) == state
