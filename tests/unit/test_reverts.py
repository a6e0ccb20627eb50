"""What a revert puts back, what it leaves alone, and what stops it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gitops.changes import ActorKind, Change, Context
from gitops.gates import passed
from gitops.messages import parse as parse_message
from gitops.operations import (
    AddService,
    CreateEnvironment,
    DeleteEnvironment,
    Deploy,
    RemoveService,
    Revert,
    Scale,
    ServiceImage,
    SetHold,
    SetVariables,
    UpdateService,
    UpgradeChart,
    VariableSetting,
)
from gitops.problems import Conflict, ConflictCode, GateClosed, InvalidInput, NotFound, Refused
from gitops.repository import effective_values, environment_names, images, read_environment
from gitops.tree import Files, Overlaid, Writes
from gitops.values import changes, render_key
from gitops.yamltext import edit, parse
from tests.support.shop import CONTEXT, RUNNING, SHOP

VALUES = "environments/development/values.yaml"
STAGING = "environments/staging/values.yaml"


@dataclass
class Story:
    """A history: trees one after the other, named by SHAs that count."""

    trees: list[Files]
    titles: list[str]

    def do(self, change: Change, *, actor: ActorKind = ActorKind.PERSON) -> str:
        """One commit by Lucity; its SHA."""
        context = self.context(actor)
        draft = passed(change.apply(self.head, context), context)
        return self.write(draft.writes, draft.subject)

    def write(self, writes: Writes, title: str = "by hand") -> str:
        """One commit by hand; its SHA."""
        self.trees.append(self.head.with_writes(writes))
        self.titles.append(title)
        return sha(len(self.trees) - 1)

    def revert(self, commit: str, *, override: bool = False) -> Revert:
        """The change that takes back one of the commits."""
        number = int(commit, 16)
        before, after = self.trees[number - 1], self.trees[number]
        paths = {path for path in before.content.keys() | after.content.keys() if before.read(path) != after.read(path)}
        parts = (path.split("/") for path in paths)
        places = {"/".join(part[: 2 if part[0] == "environments" else 1]) for part in parts}
        title = self.titles[number]
        return Revert("shop", commit, sha(number - 1), title, tuple(sorted(places)), (), override)

    def context(self, actor: ActorKind = ActorKind.PERSON) -> Context:
        """What the next change may know."""
        trees = {sha(number): tree for number, tree in enumerate(self.trees)}
        head, who = sha(len(self.trees) - 1), replace(CONTEXT.actor, kind=actor)
        return replace(CONTEXT, reason="a mistake", head=head, actor=who, at=trees.get, since=self.since)

    def since(self, commit: str, path: str) -> list[str]:
        """See Context.since."""
        later = range(int(commit, 16) + 1, len(self.trees))
        return [sha(one) for one in later if self.trees[one].read(path) != self.trees[one - 1].read(path)]

    def refusal(self, commit: str) -> Any:
        """Why it cannot be taken back."""
        with pytest.raises(Refused) as refused:
            self.do(self.revert(commit))
        return refused.value.problem

    @property
    def head(self) -> Files:
        """The newest tree."""
        return self.trees[-1]


def sha(number: int) -> str:
    return f"{number:040x}"


def story(tree: Files = RUNNING) -> Story:
    return Story([tree], ["project(create): shop"])


def deploy(tag: str, *names: str, environment: str = "development") -> Deploy:
    return Deploy("shop", environment, tuple(ServiceImage(name, tag) for name in names or ("api", "web")))


def variable(value: str, *, service: str | None = "api", environment: str | None = "development") -> SetVariables:
    return SetVariables("shop", environment, service, (VariableSetting("A", value),))


def tags(tree: Files) -> dict[str, str]:
    return {name: image.tag for name, image in (images(tree, "development") or {}).items()}


CHANGES: dict[str, Change] = {
    "deploy": deploy("9"),
    "first deploy": deploy("9", environment="staging"),
    "scale": Scale("shop", "development", "api", 5),
    "variables": variable("1"),
    "shared variables": variable("1", service=None),
    "shared variables of base": variable("1", service=None, environment=None),
    "hold": SetHold("shop", "development", ("api",)),
    "environment": CreateEnvironment("shop", "pr-1", "development", ephemeral=True, ttl_seconds=60),
    "no environment": DeleteEnvironment("shop", "development", "development"),
    "service": AddService("shop", "worker", "r/worker"),
    "service updated": UpdateService("shop", "api", "r/api2", 9090),
    "no service": RemoveService("shop", "api"),
    "chart": UpgradeChart("shop"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_revert_brings_every_byte_back_and_its_own_revert_every_byte_of_the_change(name: str) -> None:
    told = story()
    charts = {**CONTEXT.charts, "0.2.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.2.0\n"}}
    before = told.head
    draft = CHANGES[name].apply(before, replace(CONTEXT, charts=charts, reason="x"))
    done = told.write(draft.writes, draft.subject)
    after = told.head
    undone = told.do(told.revert(done))
    assert (told.head, undone) == (before, sha(2))
    told.do(told.revert(undone))
    assert told.head == after


@pytest.mark.parametrize("name", [name for name in CHANGES if name not in {"no environment", "no service"}])
def test_what_a_change_added_goes_byte_for_byte_also_when_others_wrote_since(name: str) -> None:
    told = story()
    charts = {**CONTEXT.charts, "0.2.0": {"Chart.yaml": b"name: lucity-app\nversion: 0.2.0\n"}}
    draft = CHANGES[name].apply(told.head, replace(CONTEXT, charts=charts, reason="x"))
    done = told.write(draft.writes)
    other = SetVariables("shop", "staging", "web", (VariableSetting("LATER", "1"),))
    told.do(other)
    told.do(Scale("shop", "development", "web", 7))
    told.do(told.revert(done))
    expected = story()
    expected.do(other)
    expected.do(Scale("shop", "development", "web", 7))
    assert told.head == expected.head


def test_a_revert_says_what_it_takes_back_and_what_runs_then() -> None:
    told = story()
    done = told.do(deploy("9", "api"))
    draft = told.revert(done).apply(told.head, told.context())
    assert draft.subject == "revert(development): 0000000 deploy(development): api 9"
    assert draft.trailers == (("Service", "api"), ("Image", "api=r/api:1"), ("Reverts", done))


@pytest.mark.parametrize("title", ["", "\tby \x00 hand\r", "x" * 300, "ünïcode ✓"])
def test_whatever_the_reverted_subject_says_the_subject_can_be_read_back(title: str) -> None:
    told = story()
    change = told.revert(told.write({VALUES: b"lucity-app: {}\n", "README.md": b"new"}, title))
    message = parse_message(change.summary())
    assert message.form is not None
    assert (message.subject == change.summary(), message.environment) == (True, None)
    assert change.apply(told.head, told.context()).subject == change.summary()


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (variable("1", environment=None), "revert(base): 0000000 config(base): set A for api"),
        (CreateEnvironment("shop", "pr-1"), "revert(pr-1): 0000000 env(create): pr-1"),
        (RemoveService("shop", "api"), "revert(base): 0000000 config(base): remove service api"),
    ],
)
def test_what_concerns_one_environment_says_so_and_all_else_is_base(change: Change, subject: str) -> None:
    told = story()
    assert told.revert(told.do(change)).summary() == subject


def test_keys_changed_since_stop_it_and_are_named_with_the_commits_that_changed_them() -> None:
    told = story()
    done = told.do(deploy("8"))
    told.do(Scale("shop", "development", "api", 5))
    later = [told.do(deploy("9", "api")), told.do(deploy("10", "api"))]
    problem = told.refusal(done)
    assert isinstance(problem, Conflict)
    assert problem.code is ConflictCode.CHANGED_SINCE
    assert problem.paths == (f"{VALUES}:lucity-app.services.api.image.tag",)
    assert problem.commits == tuple(later)
    assert tags(told.head) == {"api": "10", "web": "8"}


def test_a_file_deleted_or_made_again_since_stops_it() -> None:
    told = story()
    done = told.do(deploy("8"))
    gone = told.do(DeleteEnvironment("shop", "development", "development"))
    problem = told.refusal(done)
    assert (problem.paths, problem.commits) == ((VALUES,), (gone,))
    again = told.do(CreateEnvironment("shop", "development"))
    problem = told.refusal(gone)
    assert problem.code is ConflictCode.CHANGED_SINCE
    assert again in problem.commits


def test_a_file_that_stands_again_with_the_values_that_it_had_is_no_change() -> None:
    told = story()
    gone = told.write({VALUES: None})
    told.write({VALUES: b"# again\n" + (RUNNING.read(VALUES) or b"")})
    assert told.revert(gone).apply(told.head, told.context()).writes == {}
    broken = told.write({VALUES: b"{"})
    told.write({VALUES: b"# once more\n" + (RUNNING.read(VALUES) or b"")})
    assert told.revert(broken).apply(told.head, told.context()).writes == {}


def test_an_environment_that_was_used_since_does_not_go_with_its_creation() -> None:
    told = story()
    created = told.do(CreateEnvironment("shop", "pr-1"))
    used = told.do(deploy("9", "api", environment="pr-1"))
    problem = told.refusal(created)
    assert problem.paths == ("environments/pr-1/values.yaml:lucity-app.services.api.image.tag",)
    assert problem.commits == (used,)
    told.do(told.revert(used))
    told.do(told.revert(created))
    assert environment_names(told.head) == ("development", "staging")


def test_what_stands_again_already_is_no_change() -> None:
    told = story()
    done = told.do(deploy("9", "api"))
    told.do(Scale("shop", "development", "web", 3))
    told.do(deploy("1", "api"))
    assert told.revert(done).apply(told.head, told.context()).writes == {}


def test_one_that_only_changed_a_comment_is_no_change_once_values_moved_on() -> None:
    told = story()
    done = told.write({VALUES: b"# new\n" + (told.head.read(VALUES) or b"")})
    told.do(deploy("9", "api"))
    assert told.revert(done).apply(told.head, told.context()).writes == {}


def test_files_that_are_no_values_go_back_only_as_they_stand() -> None:
    told = story()
    done = told.write({"README.md": b"one"})
    told.write({"README.md": b"two"})
    problem = told.refusal(done)
    assert (problem.paths, problem.commits) == (("README.md",), (sha(2),))


def test_a_revert_mends_files_that_a_push_broke_and_that_nothing_else_can_be_done_to() -> None:
    told = story()
    settings = "environments/development/environment.yaml"
    broken = told.write({VALUES: b"{", settings: b"[", "base/values.yaml": b"*x"})
    told.do(told.revert(broken))
    assert told.head == RUNNING


@pytest.mark.parametrize("change", [deploy("9"), Scale("shop", "development", "api", 5)])
def test_automation_does_not_revert_what_is_held_and_a_person_says_why(change: Change) -> None:
    told = story()
    done = told.do(change)
    told.do(SetHold("shop", "development", ("api",)))
    for actor, override in ((ActorKind.AUTOMATION, True), (ActorKind.PERSON, False)):
        with pytest.raises(Refused) as refused:
            told.do(told.revert(done, override=override), actor=actor)
        assert isinstance(refused.value.problem, GateClosed)
    context = told.context()
    draft = passed(told.revert(done, override=True).apply(told.head, context), context)
    assert draft.trailers[-1] == ("Override", "hold: a mistake")


def test_a_hold_is_reverted_as_it_is_released_by_anybody() -> None:
    told = story()
    held = told.do(SetHold("shop", "development"))
    told.do(told.revert(held), actor=ActorKind.AUTOMATION)
    assert read_environment(told.head, "development").holds == ()


def test_a_mark_of_deletion_that_was_taken_away_by_hand_does_not_come_back() -> None:
    marked = SHOP.with_writes({"project.yaml": edit(SHOP.content["project.yaml"], "p", [(("deleting",), True)])})
    told = story(marked)
    rescued = told.write({"project.yaml": SHOP.content["project.yaml"]})
    assert isinstance(told.refusal(rescued), InvalidInput)


def test_a_commit_that_is_no_longer_in_the_history_is_not_found() -> None:
    told = story()
    change = told.revert(told.do(deploy("9")))
    with pytest.raises(Refused) as refused:
        change.apply(told.head, CONTEXT)
    assert isinstance(refused.value.problem, NotFound)


def test_nulls_that_keep_the_order_of_variables_go_with_the_variable_that_needed_them() -> None:
    told = story()
    shared = told.do(variable("shared", service=None))
    told.do(variable("own", environment=None))
    told.do(told.revert(shared))
    service = read_environment(told.head, "development").service("api")
    assert service is not None
    assert [variable.value for variable in service.variables] == ["own"]


@pytest.mark.parametrize(
    ("before", "after", "now", "expected"),
    [
        ("a: 1", "a: null", "a: null\nb: 2", {"a": 1, "b": 2}),
        ("a: null", "a: 1", "a: 1\nb: 2", {"a": None, "b": 2}),
        ("b: 1", "b: 1\na: {x: {}}", "b: 2\na: {x: {}}", {"b": 2}),
        ("b: 1", "b: 1\na: {x: 1}", "b: 2\na: {x: 1, w: 2}", {"b": 2, "a": {"w": 2}}),
        ("b: 1\na: {x: {}, w: {z: 1}}", "b: 1", "b: 2", {"b": 2, "a": {"x": {}, "w": {"z": 1}}}),
        ("a: {x: 1}", "a: {}", "a: {w: 2}", {"a": {"x": 1, "w": 2}}),
        ("a: {}", "a: {x: 1}", "a: {x: 1, w: 2}", {"a": {"w": 2}}),
        ("a: [1, 2]", "a: [1, 2, 3]", "a: [1, 2, 3]\nb: 1", {"a": [1, 2], "b": 1}),
        ("a: '1'", "a: 1", "a: 1\nb: 1", {"a": "1", "b": 1}),
        ("a: 1", "a: {x: 1}", "a: {x: 1, w: 2}", None),
        ("a: {x: 1}", "b: 1", "b: 1\na: 5", None),
        ("a: {x: 1}", "b: 1", "b: 1\na: null", None),
        ("a: 1", "a: 2", "b: 1", None),
        ("a: 1", "a: 2", "a: '2'", None),
    ],
)
def test_nulls_empty_mappings_and_kinds_of_values_are_told_apart(
    before: str, after: str, now: str, expected: Mapping[str, object] | None
) -> None:
    told = story(RUNNING.with_writes({VALUES: before.encode()}))
    done = told.write({VALUES: after.encode()})
    told.write({VALUES: now.encode()})
    if expected is None:
        assert told.refusal(done).code is ConflictCode.CHANGED_SINCE
        return
    writes = told.revert(done).apply(told.head, told.context()).writes
    assert parse(writes[VALUES] or b"", VALUES).data == expected


State = dict[tuple[str, str], object]
"""The model: (file, key) → value, and (file, '') for the file itself."""
_steps = st.lists(
    st.one_of(
        st.builds(
            lambda path, key, value: ("set", path, key, value),
            st.sampled_from([VALUES, STAGING, "environments/pr-1/values.yaml", "project.yaml"]),
            st.sampled_from([("a",), ("b", "x"), ("b", "y"), ("c", "d", "e"), ("c", "f")]),
            st.sampled_from([1, 2, "1", None, True, [1, 2]]),
        ),
        st.builds(
            lambda path, key: ("unset", path, key, None),
            st.sampled_from([VALUES, STAGING]),
            st.sampled_from([("a",), ("b", "x"), ("b", "y"), ("c", "d", "e"), ("c", "f")]),
        ),
        st.builds(lambda path: ("toggle", path, (), None), st.sampled_from([STAGING, "environments/pr-1/values.yaml"])),
    ),
    min_size=1,
    max_size=25,
)


def model(tree: Files) -> State:
    found: State = {}
    for path, data in tree.content.items():
        found[path, ""] = None
        if path.endswith("values.yaml") or path == "project.yaml":
            found |= {(path, render_key(one.key)): one.after for one in changes({}, parse(data, path).data)}
    return found


def step(tree: Files, kind: str, path: str, key: tuple[str, ...], value: object) -> Writes:
    data = tree.read(path)
    if kind == "toggle":
        return {path: None if data is not None else b"a: 1\nc: {f: 2}\n"}
    if data is None:
        return {}
    return {path: edit(data, path, [(key, value)] if kind == "set" else [], [key] if kind == "unset" else [])}


def expected(before: State, after: State, now: State) -> State | None:
    """The model's revert; None: a conflict."""
    result = dict(now)
    files = {path for path, _ in before.keys() | after.keys()}
    for path in files:
        of = [{key: value for key, value in one.items() if key[0] == path} for one in (before, after, now)]
        if typed(of[0]) == typed(of[1]) or typed(of[2]) == typed(of[0]):
            continue
        if typed(of[2]) != typed(of[1]) and any((path, "") not in one for one in of):
            return None
        for key in of[0].keys() | of[1].keys():
            was, became, stands = (_standing(one, key) for one in of)
            if was in (became, stands):
                continue
            if stands != became:
                return None
            result.pop(key, None)
            result |= {key: of[0][key]} if key in of[0] else {}
    return {key: value for key, value in result.items() if value != {} or not _holds_more(result, key)}


def _standing(state: State, key: tuple[str, str]) -> str | None:
    """What stands at a key; all mappings are alike, for what changes in them is told of the keys below."""
    return repr(state[key]) if key in state else repr({}) if _holds_more(state, key) else None


def _holds_more(state: State, key: tuple[str, str]) -> bool:
    """Whether something stands below a key."""
    return any(path == key[0] and below.startswith(f"{key[1]}.") for path, below in state)


def typed(state: State) -> dict[tuple[str, str], str]:
    return {key: repr(value) for key, value in state.items()}


@given(_steps, st.randoms(use_true_random=False))
@example(
    [
        ("toggle", STAGING, (), None),
        ("toggle", STAGING, (), None),
        ("unset", STAGING, ("c", "f"), None),
        ("set", STAGING, ("c", "d", "e"), 1),
    ],
    Random(1),  # noqa: S311 - the same order every time
)
@example(
    [
        ("set", STAGING, ("c", "d", "e"), 1),
        ("set", STAGING, ("c", "f"), 2),
        ("toggle", STAGING, (), None),
        ("toggle", STAGING, (), None),
    ],
    Random(3),  # noqa: S311 - the same order every time
)
@example(
    [
        ("toggle", STAGING, (), None),
        ("toggle", STAGING, (), None),
        ("unset", STAGING, ("c", "f"), None),
        ("set", STAGING, ("c", "f"), 2),
    ],
    Random(1),  # noqa: S311 - the same order every time
)
def test_reverts_in_any_order_do_what_a_model_of_keys_does(steps: list[Any], random: Any) -> None:
    told = story(SHOP.with_writes({VALUES: b"# top\na: 0 # first\nb:\n  x: 0\n", "project.yaml": b"a: 0\n"}))
    told.trees[0] = told.head.with_writes({"project.yaml": b"pipeline: []\n"})
    done = [told.write(writes) for one in steps if (writes := step(told.head, *one))]
    for commit in random.sample(done, len(done)):
        number = int(commit, 16)
        wanted = expected(*(model(told.trees[one]) for one in (number - 1, number, -1)))
        if wanted is None:
            assert told.refusal(commit).code is ConflictCode.CHANGED_SINCE
        else:
            told.do(told.revert(commit))
            # What somebody wrote as {…} stays when its last key goes: see gitops.yamltext.edit.
            found = {key: value for key, value in model(told.head).items() if value != {} or key in wanted}
            assert typed(found) == typed(wanted)


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e/f/g"]), st.sampled_from([b"x", None])))
def test_a_tree_under_writes_reads_as_one_that_was_written(writes: dict[str, bytes | None]) -> None:
    below = Files({"b/c": b"1", "e/f/h": b"2", "a": b"3"})
    overlaid, written = Overlaid(below, writes), below.with_writes(writes)
    for path in ("", "a", "b", "b/c", "b/d", "e", "e/f", "e/f/g"):
        assert overlaid.read(path) == written.read(path)
        assert overlaid.folder(path) == written.folder(path)
        assert list(overlaid.files(path)) == list(written.files(path))


def test_the_effective_values_are_those_from_before() -> None:
    told = story()
    before = effective_values(told.head, "development")
    done = told.do(UpdateService("shop", "api", "r/api2", 9090))
    told.do(deploy("9", environment="staging"))
    told.do(told.revert(done))
    assert effective_values(told.head, "development") == before
