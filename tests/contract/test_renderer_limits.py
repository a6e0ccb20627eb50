"""HelmRenderer's process: no chart can hold it up, and it ends when its owner does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from adapters.helm import HelmRenderer
from gitops.problems import RenderFailed
from tests.support.rendering import TINY, VALUES, refusal, template

CODE = Path(__file__).parents[2]
ENDLESS = "{{ range until 1000000 }}{{ range until 1000000 }}{{ end }}{{ end }}"


@pytest.fixture
def hasty(tmp_path: Path) -> Iterator[HelmRenderer]:
    renderer = HelmRenderer(tmp_path / "scratch", timeout_seconds=2, memory_mib=128)
    yield renderer
    renderer.close()


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.01)


def running(pid: int) -> bool:
    """Whether the process runs; one that has ended and that nobody has waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ENDLESS, "longer than 2 s"),
        ("{{ range until 1000000000 }}x{{ end }}", "more than 128 MiB"),
        ('{{ repeat 2000000000 "x" | sha256sum }}', "more than 128 MiB"),
        ('{{ repeat 100000000000 "x" | sha256sum }}', "ended"),
        ('{{ define "a" }}{{ template "a" . }}{{ end }}{{ template "a" . }}', ""),
    ],
)
def test_a_render_that_takes_too_much_is_ended_and_the_next_one_works(
    hasty: HelmRenderer, text: str, words: str
) -> None:
    problem = refusal(hasty, template(text))
    assert isinstance(problem, RenderFailed)
    assert words in problem.message
    assert VALUES in hasty.render(TINY, "shop", "dev").files


def test_manifests_beyond_any_size_are_not_taken(tmp_path: Path) -> None:
    renderer = HelmRenderer(tmp_path, memory_mib=1024)
    try:
        problem = refusal(renderer, template('a: {{ repeat 40000000 "x" }}'))
    finally:
        renderer.close()
    assert problem == RenderFailed("the manifests are larger than 32 MiB", "dev")


def test_helm_killed_from_outside_costs_nothing(hasty: HelmRenderer) -> None:
    hasty.render(TINY, "shop", "dev")
    assert hasty.pid is not None
    os.kill(hasty.pid, signal.SIGKILL)
    assert "n: 1" in hasty.render(template("n: 1"), "shop", "dev").files["base/templates/one.yaml"]


def test_nothing_is_left_in_the_scratch_folder(hasty: HelmRenderer, tmp_path: Path) -> None:
    hasty.render(TINY, "shop", "dev")
    refusal(hasty, template(ENDLESS))
    assert [path for path in (tmp_path / "scratch").iterdir() if path.name.startswith("tmp")] == []


def test_closing_ends_the_process(hasty: HelmRenderer) -> None:
    hasty.render(TINY, "shop", "dev")
    pid = hasty.pid
    assert pid is not None
    assert running(pid)
    hasty.close()
    assert not running(pid)
    assert hasty.pid is None


PARENT = """
import sys, threading
from pathlib import Path
from adapters.helm import HelmRenderer
from gitops.tree import Files
files = {path: text.encode() for path, text in eval(sys.stdin.readline()).items()}
renderer = HelmRenderer(Path(sys.argv[1]), timeout_seconds=600)
renderer.render(Files(files), "shop", "dev")
print(renderer.pid, flush=True)
files["base/templates/endless.yaml"] = sys.argv[2].encode()
renderer.render(Files(files), "shop", "dev")
"""


def test_helm_ends_with_a_parent_that_was_killed_in_the_middle_of_a_render(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), ENDLESS],
        cwd=CODE,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None
        assert parent.stdout is not None
        parent.stdin.write(repr({path: data.decode() for path, data in TINY.content.items()}) + "\n")
        parent.stdin.flush()
        pid = int(parent.stdout.readline())
        before = _cpu_ticks(pid)
        wait_for(lambda: _cpu_ticks(pid) > before + 20, "the endless render to be under way")
        parent.kill()
    wait_for(lambda: not running(pid), f"process {pid} to end")


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
