"""Reverts in any order do what a model of keys does."""

from random import Random
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from gitops.problems import ConflictCode
from gitops.tree import Files, Writes
from gitops.values import changes, render_key
from gitops.yamltext import edit, parse
from tests.support.retelling import STAGING, VALUES, story
from tests.support.shop import SHOP

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
