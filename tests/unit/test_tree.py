"""Trees under writes, in memory."""

from hypothesis import given
from hypothesis import strategies as st

from gitops.tree import Files, Overlaid


@given(st.dictionaries(st.sampled_from(["a", "b/c", "b/d", "e/f/g"]), st.sampled_from([b"x", None])))
def test_a_tree_under_writes_reads_as_one_that_was_written(writes: dict[str, bytes | None]) -> None:
    below = Files({"b/c": b"1", "e/f/h": b"2", "a": b"3"})
    overlaid, written = Overlaid(below, writes), below.with_writes(writes)
    for path in ("", "a", "b", "b/c", "b/d", "e", "e/f", "e/f/g"):
        assert overlaid.read(path) == written.read(path)
        assert overlaid.folder(path) == written.folder(path)
        assert list(overlaid.files(path)) == list(written.files(path))
