"""Who wrote each line: the same as `git blame --first-parent` says, whatever is kept in between."""

import random
from pathlib import Path

import pytest

from adapters.history import SqliteHistory
from adapters.history_blame import KEPT_EVERY
from tests.support.git import git
from tests.support.stories import BASE, PROJECT, Story, tags, values

DEV = values("development")
ALL = range(1, 10_000)


def blamed(history: SqliteHistory, head: str, path: str = DEV, lines: range = ALL) -> list[str]:
    return [record.git.sha for record in history.blame(PROJECT, head, path, lines)]


def told_by_git(story: Story, head: str, path: str = DEV) -> list[str]:
    folder = Path(story.mirrors.objects(PROJECT).path)
    told = git(folder, "blame", "--first-parent", "--porcelain", head, "--", path)
    headers = (line.split() for line in told.splitlines() if not line.startswith("\t"))
    return [words[0].lstrip("^") for words in headers if len(words[0]) == 40]


def wander(story: Story, length: int, seed: int) -> None:
    """Insert, replace, remove and swap lines of one file; other commits in between."""
    dice = random.Random(seed)  # noqa: S311 - the same history every time
    lines = [f"# {number}" for number in range(8)]
    story.born(development="\n".join(lines) + "\n")
    for number in range(length):
        place = dice.randrange(len(lines) + 1)
        match dice.randrange(5):
            case 0:
                lines.insert(place, f"# new {number}")
            case 1 if len(lines) > 4:
                del lines[place - 1]
            case 2:
                lines[place - 1] = f"# changed {number}"
            case 3:
                lines[place - 1 : place + 1] = [f"# two {number}", f"# three {number}", "# same"]
            case _:
                story.by_hand("docs: words\n", {"docs/one.md": str(number)})
        end = dice.choice(["\n", "\n", ""])
        story.signed(f"config(development): set {number} keys\n", {DEV: "\n".join(lines) + end})


@pytest.mark.parametrize("seed", range(3))
def test_every_line_is_blamed_on_the_commit_that_git_blames(story: Story, seed: int) -> None:
    wander(story, 60, seed)
    history = story.history()
    for head in story.told[::9]:
        assert blamed(history, head) == told_by_git(story, head)


def test_what_is_kept_changes_no_answer(story: Story) -> None:
    wander(story, 2 * KEPT_EVERY + 20, seed=4)
    blamed(story.history(), story.head)
    warm = story.history()
    for head in (story.head, story.told[KEPT_EVERY], story.told[-10], story.told[5]):
        assert blamed(warm, head) == told_by_git(story, head)


def test_rewritten_history_is_blamed_anew(story: Story) -> None:
    wander(story, KEPT_EVERY + 40, seed=5)
    history, old = story.history(), story.head
    blamed(history, old)
    story.head = story.told[20]
    for number in range(KEPT_EVERY):
        story.signed("config(development): set 1 keys\n", {DEV: f"# other {number}\n# the same\n"})
    assert blamed(history, story.head) == told_by_git(story, story.head)
    assert blamed(history, old) == told_by_git(story, old)


def test_only_the_asked_lines_are_answered(story: Story) -> None:
    first = story.born(development="a: 1\nb: 2\nc: 3\n")
    second = story.signed("config(development): set b\n", {DEV: "a: 1\nb: 4\nc: 3\n"})
    assert blamed(story.history(), second, lines=range(2, 4)) == [second, first]
    assert blamed(story.history(), second, lines=range(3, 9)) == [first]


def test_a_merge_by_hand_is_one_commit_of_the_first_parent_line(story: Story) -> None:
    first = story.born(development="a: 1\nb: 2\n")
    side = story.by_hand("b on a branch\n", {DEV: "a: 1\nb: 3\n"})
    merge = story.by_hand("Merge a branch\n", {DEV: "a: 1\nb: 3\n"}, parents=[first, side])
    assert blamed(story.history(), merge) == [first, merge]


def test_a_file_that_came_back_is_blamed_on_its_return(story: Story) -> None:
    story.born(development=tags(api="1"))
    story.signed("env(delete): development\n", {DEV: None})
    assert blamed(story.history(), story.head) == []
    back = story.signed("env(create): development\n", {DEV: tags(api="1")})
    assert set(blamed(story.history(), back)) == {back}
    assert blamed(story.history(), back, "docs/nothing.md") == []
    assert set(blamed(story.history(), back, BASE)) == {story.told[0]}
