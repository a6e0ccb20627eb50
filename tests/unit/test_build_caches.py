"""Folders in which builds keep their layers. Their owners inside are numbers that only root may give files to."""

import os
from pathlib import Path

import pytest

from adapters.build_caches import Caches, key_of

DAY = 86400.0
NOW = 1_800_000_000.0
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="builds take root")


def caches(root: Path, *, mib: int = 10, days: float = 7) -> Caches:
    return Caches(root, mib, days, clock=lambda: NOW)


def fill(root: Path, name: str, *, mib: int, age_seconds: float) -> Path:
    folder = root / key_of(name)
    (folder / "storage").mkdir(parents=True)
    (folder / "storage" / "layer").write_bytes(b"x" * (mib << 20))
    (folder / "bytes").write_text(str(mib << 20))
    os.utime(folder / "bytes", (NOW - age_seconds,) * 2)
    return folder


def never() -> None:
    raise AssertionError("nobody holds it")


def test_what_is_old_goes_and_what_was_used_stays(tmp_path: Path) -> None:
    old = fill(tmp_path, "old", mib=1, age_seconds=8 * DAY)
    used = fill(tmp_path, "used", mib=1, age_seconds=6 * DAY)
    caches(tmp_path).prune()
    assert (old.exists(), used.exists()) == (False, True)


def test_of_too_much_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    folders = [fill(tmp_path, f"{hours}", mib=4, age_seconds=hours * 3600) for hours in (1, 2, 3, 4)]
    caches(tmp_path).prune()
    assert [folder.exists() for folder in folders] == [True, True, False, False]


def test_what_was_used_a_moment_ago_stays_for_its_push(tmp_path: Path) -> None:
    fresh = fill(tmp_path, "fresh", mib=20, age_seconds=5)
    caches(tmp_path).prune()
    assert fresh.exists()


def test_what_is_in_use_stays_and_is_not_idle(tmp_path: Path) -> None:
    folder = fill(tmp_path, "old", mib=1, age_seconds=30 * DAY)
    all_of_them = caches(tmp_path)
    with all_of_them.open(key_of("old"), never):
        os.utime(folder / "bytes", (0, 0))
        assert list(all_of_them.idle()) == []
        all_of_them.prune()
        assert folder.exists()
    assert [cache.folder for cache in all_of_them.idle()] == [folder]


def test_who_waits_is_asked_and_may_give_up(tmp_path: Path) -> None:
    class GivenUpError(Exception):
        pass

    def give_up() -> None:
        raise GivenUpError

    with (
        caches(tmp_path).open(key_of("a"), never),
        pytest.raises(GivenUpError),
        caches(tmp_path).open(key_of("a"), give_up),
    ):
        pytest.fail("two have the same cache")


def test_a_mark_outlives_the_process_until_all_is_in_order(tmp_path: Path) -> None:
    with caches(tmp_path).open(key_of("a"), never) as cache:
        cache.spoil()
        (cache.storage / "half").touch()
    with caches(tmp_path).open(key_of("a"), never) as cache:
        assert cache.spoiled
        cache.clear()
        assert not cache.spoiled
        assert list(cache.storage.iterdir()) == []


def test_rubbish_of_an_interrupted_removal_goes(tmp_path: Path) -> None:
    (tmp_path / ".half-removed").mkdir()
    caches(tmp_path).prune()
    assert list(tmp_path.iterdir()) == []


def test_names_never_lead_out(tmp_path: Path) -> None:
    for name in ("../x", "/etc", "", "a/b"):
        assert (tmp_path / key_of(name)).parent == tmp_path
    assert key_of("a/b") != key_of("a-b")
