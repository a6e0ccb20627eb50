"""What project.yaml says of branches and previews, and how it is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.operations import CreateProject, UpdateProject, ValueSetting
from gitops.problems import InvalidInput, InvalidRepository, NotFound
from gitops.projectsettings import ForgeSettings, Previews, branches_of, forge_of, previews_of, setting_problems
from gitops.repository import read
from gitops.tree import Files
from gitops.yamltext import Document, parse
from tests.support.shop import CONTEXT, SHOP, refusal

WRITTEN = b"""\
# ours, kept
branches:
  main: [development]   # on every push
  'release/1.0': [staging, development]
previews:
  enabled: true
  from: staging
  limit: 3
windows: {}   # a newer Lucity knows this
"""
HAND_EDITED = b"""\
branches:
  main: development
  next: [Prod]
  'a..b': [development]
previews:
  enabled: yes please
  limit: 0
  colour: red
"""
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def written(data: bytes) -> Files:
    return SHOP.with_writes({"project.yaml": data})


def test_followed_branches_and_previews_are_read() -> None:
    repository = read(written(WRITTEN))
    assert repository.problems == ()
    assert repository.settings.branches == {"main": ("development",), "release/1.0": ("staging", "development")}
    assert repository.settings.previews == Previews(enabled=True, source="staging", limit=3)


def test_without_a_word_nothing_is_followed_and_no_preview_is_made() -> None:
    settings = read(SHOP).settings
    assert (settings.branches, settings.previews.enabled, settings.previews.forks) == ({}, False, False)


def test_what_is_wrong_by_hand_is_told_with_its_line_and_counts_as_not_said() -> None:
    repository = read(written(HAND_EDITED))
    assert [(problem.line, problem.message.split(": ")[1].split()[0]) for problem in repository.problems] == [
        (2, "branches.main"),
        (3, "branches.next"),
        (4, 'branches."a..b"'),
        (6, "previews.enabled"),
        (7, "previews.limit"),
        (8, "previews.colour"),
    ]
    assert repository.settings.branches == {}
    assert repository.settings.previews == Previews()


def test_tables_of_another_type_are_told() -> None:
    assert [problem.line for problem in read(written(b"branches: []\npreviews: 1\n")).problems] == [1, 2]


@given(json_values, json_values, json_values)
def test_whatever_people_write_is_read_without_an_error(branches: object, previews: object, forge: object) -> None:
    values = {"branches": branches, "previews": previews, "forge": forge}
    branches_of(values)
    previews_of(values)
    forge_of(values)


def test_a_forge_of_ones_own_is_named() -> None:
    update = UpdateProject(
        "shop",
        (ValueSetting("forge.kind", "gitlab"), ValueSetting("forge.apiUrl", "https://git.example.org/gitlab/api/v4")),
    )
    data = update.apply(SHOP, CONTEXT).writes["project.yaml"] or b""
    wanted = ForgeSettings("gitlab", "https://git.example.org/gitlab/api/v4")
    assert read(written(data)).settings.forge == wanted
    assert read(SHOP).settings.forge == ForgeSettings()


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("forge.kind", "sourceforge"),
        ("forge.kind", True),
        ("forge.apiUrl", "git.example.org"),
        ("forge.apiUrl", "https://user:secret@git.example.org"),
        ("forge.apiUrl", "https://git.example.org/api?token=1"),
        ("forge.apiUrl", "ftp://git.example.org"),
        ("forge.apiUrl", "https://[git"),
        ("forge.token", "secret"),
    ],
)
def test_a_forge_that_cannot_be_is_refused_and_passed_over(key: str, value: object) -> None:
    assert isinstance(refusal(UpdateProject("shop", (ValueSetting(key, value),))), InvalidInput)
    assert forge_of({"forge": {key.removeprefix("forge."): value}}) == ForgeSettings()


@given(st.binary(max_size=30))
def test_whatever_bytes_people_write_are_problems_at_most(data: bytes) -> None:
    assert all(isinstance(problem, InvalidRepository) for problem in read(written(WRITTEN + data)).problems)


def test_an_update_keeps_every_other_character() -> None:
    change = UpdateProject("shop", (ValueSetting("branches.next", ["staging"]), ValueSetting("previews.limit", 5)))
    draft = change.apply(written(WRITTEN), CONTEXT)
    assert draft.subject == "project(update): set branches.next, previews.limit"
    wanted = WRITTEN.replace(b"limit: 3", b"limit: 5").decode()
    data = (draft.writes["project.yaml"] or b"").decode()
    added = [line for line in data.splitlines() if line not in wanted.splitlines()]
    assert [line for line in data.splitlines() if line not in added] == wanted.splitlines()
    assert read(written(data.encode())).settings.branches["next"] == ("staging",)


def test_what_was_set_is_unset_byte_for_byte() -> None:
    key = 'branches."release/2.0"'
    tree = written(WRITTEN)
    once = tree.with_writes(UpdateProject("shop", (ValueSetting(key, []),)).apply(tree, CONTEXT).writes)
    assert read(once).settings.branches["release/2.0"] == ()
    assert once.with_writes(UpdateProject("shop", unset=(key,)).apply(once, CONTEXT).writes) == tree


def test_unknown_keys_are_refused_with_those_that_are_known() -> None:
    problem = refusal(UpdateProject("shop", (ValueSetting("branch.main", []),)))
    assert isinstance(problem, InvalidInput)
    for known in ("branches.<branch>", "previews.enabled", "previews.ttlSeconds", "pipeline"):
        assert known in problem.message


@pytest.mark.parametrize("key", ["deleting", "deleting.now"])
def test_a_project_is_never_deleted_by_a_setting(key: str) -> None:
    for change in (UpdateProject("shop", (ValueSetting(key, value=True),)), UpdateProject("shop", unset=(key,))):
        assert "use deleteProject" in refusal(change).message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("branches.main", ["development", "nowhere"]),
        ("previews.from", "nowhere"),
        ("pipeline", [{"from": "development", "to": "nowhere"}]),
    ],
)
def test_environments_that_do_not_exist_are_named(key: str, value: object) -> None:
    change = UpdateProject("shop", (ValueSetting(key, value),))
    assert refusal(change) == NotFound(
        "the environment nowhere does not exist: create it first", "environment", "nowhere"
    )
    assert ("environment", "nowhere") in [(need.what, need.name) for need in change.needs]


def test_more_than_three_keys_stand_in_the_body() -> None:
    settings = tuple(ValueSetting(f"branches.b{number}", []) for number in range(4))
    draft = UpdateProject("shop", settings, ("previews",)).apply(SHOP, CONTEXT)
    assert draft.body == (*(f"set branches.b{number}" for number in range(4)), "unset previews")


def test_settings_that_cannot_be_read_are_not_written() -> None:
    change = UpdateProject("shop", (ValueSetting("previews.enabled", value=True),))
    assert isinstance(refusal(change, written(b"branches: [\n")), InvalidRepository)
    assert isinstance(refusal(change, written(b"previews: 5\n")), InvalidRepository)


def test_the_settings_that_a_project_is_born_with_break_no_rule() -> None:
    tree = Files({}).with_writes(CreateProject("shop", ("a", "b")).apply(Files({}), CONTEXT).writes)
    assert list(setting_problems(document(tree), "project.yaml")) == []


def document(tree: Files) -> Document:
    return parse(tree.content["project.yaml"], "project.yaml")
