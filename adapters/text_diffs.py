"""What differs between two texts, by Git's own way of comparing: others take minutes for some files of 100 KiB."""

import pygit2
from pygit2.enums import DiffOption


def hunks(before: bytes, after: bytes) -> str:
    """Unified text from its first hunk on, with three lines around each; '' when no line differs."""
    data = pygit2.Patch.create_from(before, after, flag=DiffOption.FORCE_TEXT).data
    begin = data.find(b"\n@@ ")
    return "" if begin < 0 else data[begin + 1 :].decode(errors="replace")
