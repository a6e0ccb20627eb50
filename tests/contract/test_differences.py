"""What a commit changed against its first parent, value by value and as text, over real Git."""

from pathlib import Path

import pytest

from adapters.ports import MissingCommit
from adapters.text_diffs import hunks
from api.reading.differences import MAX_SHOWN_BYTES, changes, text
from gitops.history import FileChange
from tests.support.git import git
from tests.support.stories import BASE, PROJECT, Story, tags, values

DEV, PROD = values("development"), values("production")


def changes_of(story: Story, sha: str) -> list[FileChange]:
    return changes(story.mirrors, PROJECT, story.mirrors.git_commit(PROJECT, sha))


def text_of(story: Story, sha: str) -> str:
    return text(story.mirrors, PROJECT, story.mirrors.git_commit(PROJECT, sha))


def test_changes_tell_every_key_of_every_file_of_ours(story: Story) -> None:
    born = story.born(development=tags(api="1"))
    sha = story.by_hand(
        "by hand\n", {DEV: tags(api="2"), "project.yaml": "deleting: true\n", "README.md": "x\n", PROD: tags(web="1")}
    )
    told = [(one.path, one.environment, one.key, one.before, one.after) for one in changes_of(story, sha)]
    assert told == [
        (DEV, "development", "lucity-app.services.api.image.tag", "1", "2"),
        (PROD, "production", "lucity-app.services.web.image.tag", None, "1"),
        ("project.yaml", None, "deleting", None, True),
    ]
    assert {change.path for change in changes_of(story, born)} == {BASE, DEV}


def test_a_merge_is_compared_with_its_first_parent(story: Story) -> None:
    story.born(development=tags(api="1"), production=tags(api="1"))
    trunk = story.signed("deploy(development): api 2\n", {DEV: tags(api="2")})
    side = story.by_hand("side\n", {PROD: tags(api="9")}, parents=[story.told[0]])
    merge = story.by_hand("merge\n", {PROD: tags(api="9")}, parents=[trunk, side])
    assert [(one.path, one.before, one.after) for one in changes_of(story, merge)] == [(PROD, "1", "9")]


def test_a_commit_that_the_mirror_lost_is_missing(story: Story) -> None:
    story.born(development=tags(api="1"))
    last = story.mirrors.git_commit(PROJECT, story.by_hand("by hand\n", {"README.md": "x\n"}))
    story.mirrors.forget(PROJECT)
    with pytest.raises(MissingCommit):
        changes(story.mirrors, PROJECT, last)


def test_the_text_is_gits_own_of_the_whole_commit(story: Story) -> None:
    born = story.born(development=tags(api="1"))
    sha = story.signed("deploy(development): api 2\n", {DEV: tags(api="2"), "notes/new.md": "new\n", "README.md": None})
    found = text_of(story, sha)
    assert f"--- a/{DEV}\n+++ b/{DEV}\n" in found
    assert '-    api: {image: {tag: "1"}}\n+    api: {image: {tag: "2"}}\n' in found
    assert "--- a/README.md\n+++ /dev/null\n@@ -1 +0,0 @@\n-# shop\n" in found
    assert "--- /dev/null\n+++ b/notes/new.md\n@@ -0,0 +1 @@\n+new\n" in found
    assert "+# shop\n" in text_of(story, born)


def test_git_applies_the_text_of_a_commit_to_its_parent(story: Story, tmp_path: Path) -> None:
    born = story.born(development=tags(api="1"))
    # difflib would compare the last one for many minutes
    one, other = ("".join(f"{line * step % 101}\n" for line in range(40_000)) for step in (1, 7))
    gone = {"README.md": None, PROD: tags(web="1"), "empty.txt": "", "unended.txt": "x\ny", "alike.txt": one}
    added = story.by_hand("by hand\n", {DEV: tags(api="2"), **gone})
    left = {"empty.txt": None, "unended.txt": "x\nz", "alike.txt": other}
    removed = story.by_hand("again\n", {PROD: None, **left})
    for parent, sha in ((born, added), (added, removed)):
        patch, index = tmp_path / f"{sha}.patch", {"GIT_INDEX_FILE": str(tmp_path / f"{sha}.index")}
        patch.write_text(text_of(story, sha))
        repository = Path(story.mirrors.objects(PROJECT).path)
        git(repository, "read-tree", parent, env=index)
        git(repository, "apply", "--cached", str(patch), env=index)
        assert git(repository, "write-tree", env=index) == git(repository, "rev-parse", f"{sha}^{{tree}}")


def test_a_file_that_became_a_folder_is_told_as_both(story: Story) -> None:
    story.born(development=tags())
    story.by_hand("file\n", {"notes": "one\n"})
    sha = story.by_hand("folder\n", {"notes/one.md": "one\n"})
    assert [line for line in text_of(story, sha).splitlines() if line.startswith("diff")] == [
        "diff --git a/notes b/notes",
        "diff --git a/notes/one.md b/notes/one.md",
    ]


def test_a_text_is_cut_at_its_bound_and_says_so(story: Story) -> None:
    story.born(development=tags())
    sha = story.by_hand("large\n", {f"large-{number}.txt": "é" * 400_000 for number in range(3)})
    found = text_of(story, sha)
    assert MAX_SHOWN_BYTES - 10 <= len(found.encode()) <= MAX_SHOWN_BYTES + 200
    assert "left out" in found.splitlines()[-1]


@pytest.mark.parametrize("content", [b"a\0b\n", b"\r\n", "ü\n".encode(), b"no end", b"\n\n"])
def test_whatever_is_text_is_shown(content: bytes) -> None:
    lines = content.decode().split("\n")
    assert hunks(b"", content).startswith("@@ -0,0 +1")
    assert f"\n+{lines[0]}\n" in hunks(b"", content)
    assert hunks(content, content) == ""
