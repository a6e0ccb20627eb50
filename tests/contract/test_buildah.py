"""The builder's promises, by its twin and by Buildah; and what a real one alone can keep: no build harms others."""

import os
import signal
import subprocess
import sys
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from adapters.build_caches import key_of
from adapters.buildah import BuildahBuilder
from adapters.buildah_process import RegistryAccess
from adapters.ports import Builder, BuildOrder, Stopped, Unreachable
from gitops.problems import InvalidInput, JobFailure, NotFound, Problem, Refused
from tests.fakes import FakeBuilder
from tests.support.building import BOUNDS, BUSYBOX, Log, begun, builder, never, order, processes, wait_for_end
from tests.support.registry import OCI_MANIFEST, PASSWORD, USERNAME, RegistryServer, start_registry

PLAIN = "FROM scratch\nCOPY busybox /busybox\n"


@dataclass(frozen=True)
class Place:
    """A builder, a folder for sources, and the repository that it pushes to."""

    builder: Builder
    folder: Path
    repository: str
    digest_of: Callable[[str], str | None]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegistryServer]:
    with start_registry(tmp_path_factory.mktemp("registry"), login=True) as running:
        yield running


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all, so that busybox is there already."""
    return tmp_path_factory.mktemp("builds")


@pytest.fixture
def buildah(root: Path) -> BuildahBuilder:
    return builder(root)


@pytest.fixture(params=["twin", "buildah"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "twin":
        twin = FakeBuilder()
        repository = "registry.test/shop/api"
        return Place(twin, tmp_path, repository, lambda tag: twin.pushed.get(repository, {}).get(tag))
    real = builder(request.getfixturevalue("root"), registry=access(request.getfixturevalue("registry")))
    server: RegistryServer = request.getfixturevalue("registry")
    return Place(real, tmp_path, f"{server.address}/shop/api", lambda tag: digest(server, "shop/api", tag))


def access(server: RegistryServer, password: str = PASSWORD) -> RegistryAccess:
    login = b64encode(f"{USERNAME}:{password}".encode()).decode()
    return RegistryAccess(server.address, insecure=True, login=login)


def digest(server: RegistryServer, path: str, tag: str) -> str | None:
    url = f"http://{server.address}/v2/{path}/manifests/{tag}"
    answer = httpx.head(url, auth=server.login, headers={"Accept": OCI_MANIFEST})
    found: str | None = answer.headers.get("Docker-Content-Digest")
    return found


def refusal(work: Callable[[], object]) -> Problem:
    with pytest.raises(Refused) as caught:
        work()
    return caught.value.problem


def failure(work: Callable[[], object]) -> str:
    problem = refusal(work)
    assert isinstance(problem, JobFailure)
    return problem.message


class TestEveryBuilder:
    def test_it_is_there_and_says_what_it_is(self, place: Place) -> None:
        assert place.builder.absence() is None
        assert place.builder.kind()

    def test_the_same_sources_are_the_same_image_and_pushed_they_have_the_registrys_digest(self, place: Place) -> None:
        log = Log()
        first = place.builder.build(order(place.folder / "one", PLAIN), log, never)
        again = place.builder.build(order(place.folder / "two", PLAIN), log, never)
        assert first == again
        assert ("stdout", "STEP 1/") in [(stream, line[:7]) for stream, line in log.lines]
        pushed = place.builder.push(first, f"{place.repository}:a1b2c3d", log, never)
        assert pushed == place.digest_of("a1b2c3d")
        assert pushed.startswith("sha256:")

    def test_other_annotations_make_another_image(self, place: Place) -> None:
        given = order(place.folder / "one", PLAIN)
        first = place.builder.build(given, Log(), never)
        assert first != place.builder.build(replace(given, annotations={"a": "b"}), Log(), never)

    def test_a_dockerfile_that_is_not_there_is_named(self, place: Place) -> None:
        given = replace(order(place.folder / "one", PLAIN), dockerfile="docker/Dockerfile.web")
        problem = refusal(lambda: place.builder.build(given, Log(), never))
        assert isinstance(problem, NotFound)
        assert (problem.what, problem.name) == ("Dockerfile", "docker/Dockerfile.web")
        assert "docker/Dockerfile.web" in problem.message

    @pytest.mark.parametrize(
        ("context", "dockerfile"), [("..", "Dockerfile"), ("/etc", "passwd"), (".", "../Dockerfile"), ("out", "passwd")]
    )
    def test_paths_that_lead_out_are_refused(self, place: Place, context: str, dockerfile: str) -> None:
        given = order(place.folder / "one", PLAIN)
        (given.folder / "out").symlink_to("/etc")
        problem = refusal(
            lambda: place.builder.build(replace(given, context=context, dockerfile=dockerfile), Log(), never)
        )
        assert isinstance(problem, InvalidInput)

    def test_what_is_to_be_stopped_stops(self, place: Place) -> None:
        with pytest.raises(Stopped):
            place.builder.build(order(place.folder / "one", PLAIN), Log(), lambda: True)
        image = place.builder.build(order(place.folder / "two", PLAIN), Log(), never)
        with pytest.raises(Stopped):
            place.builder.push(image, f"{place.repository}:stopped", Log(), lambda: True)

    def test_an_image_that_is_not_there_is_not_pushed(self, place: Place) -> None:
        assert "there is no image" in failure(lambda: place.builder.push("x", f"{place.repository}:x", Log(), never))

    def test_pruning_is_harmless(self, place: Place) -> None:
        image = place.builder.build(order(place.folder / "one", PLAIN), Log(), never)
        place.builder.prune()
        assert place.builder.push(image, f"{place.repository}:pruned", Log(), never) == place.digest_of("pruned")


def test_a_failing_run_is_told_with_its_code_and_its_last_words(buildah: BuildahBuilder, tmp_path: Path) -> None:
    log = Log()
    given = order(tmp_path / "one", BUSYBOX + "RUN echo out; echo broken >&2; exit 7\n")
    message = failure(lambda: buildah.build(given, log, never))
    assert "exit code 7" in message
    assert "exit 7" in message
    assert ("stdout", "out") in log.lines
    assert ("stderr", "broken") in log.lines


def test_layers_are_kept_for_the_next_build_of_the_service_alone(buildah: BuildahBuilder, tmp_path: Path) -> None:
    buildah.build(order(tmp_path / "one", BUSYBOX + "RUN echo layers\n"), Log(), never)
    again, other = Log(), Log()
    buildah.build(order(tmp_path / "two", BUSYBOX + "RUN echo layers\n"), again, never)
    assert "layers" not in again.text.splitlines()
    buildah.build(order(tmp_path / "three", BUSYBOX + "RUN echo layers\n", cache="other/api"), other, never)
    assert "layers" in other.text.splitlines()


def test_a_run_that_never_ends_is_ended_with_all_that_it_started(root: Path, tmp_path: Path) -> None:
    mark = f"9{uuid.uuid4().int % 10**12}"
    hurried = builder(root, replace(BOUNDS, timeout_seconds=8))
    seen: list[int] = []

    def look() -> bool:
        seen.extend(processes(mark))
        return False

    run = f"RUN trap '' TERM INT HUP; setsid sleep {mark} & (trap '' TERM; setsid sleep {mark}) & sleep {mark}\n"
    message = failure(lambda: hurried.build(order(tmp_path / "one", BUSYBOX + run), Log(), look))
    assert "LUCITY_BUILD_TIMEOUT_SECONDS" in message
    assert seen
    assert processes(mark) == []


def test_a_build_that_is_stopped_leaves_nothing_running_and_nothing_behind(
    root: Path, buildah: BuildahBuilder, tmp_path: Path
) -> None:
    mark = f"8{uuid.uuid4().int % 10**12}"
    given = order(tmp_path / "one", BUSYBOX + f"RUN setsid sleep {mark} & sleep {mark}\n")
    with pytest.raises(Stopped):
        buildah.build(given, Log(), begun(mark))
    assert processes(mark) == []
    assert not (root / key_of("shop/api") / "tmp").exists()
    assert "[]" in (root / key_of("shop/api") / "storage" / "vfs-containers" / "containers.json").read_text()


def test_a_log_of_100_mb_is_cut_while_the_build_goes_on(buildah: BuildahBuilder, tmp_path: Path) -> None:
    log = Log()
    run = "RUN head -c 50000000 /dev/zero | tr '\\0' x; yes line | head -c 50000000; echo; touch /reached\n"
    buildah.build(order(tmp_path / "one", BUSYBOX + run), log, never)
    assert len(log.text) < 2 * BOUNDS.log_mib << 20
    assert "more characters" in log.text
    assert "the log is cut here" in log.lines[-1][1]


def test_processes_without_end_are_bounded(root: Path, tmp_path: Path) -> None:
    mark = f"7{uuid.uuid4().int % 10**12}"
    few = builder(root, replace(BOUNDS, processes=100, timeout_seconds=30))
    seen = [0]

    def look() -> bool:
        seen.append(len(processes(mark)))
        return False

    bomb = f"RUN while true; do sleep {mark} & done; sleep {mark}\n"
    failure(lambda: few.build(order(tmp_path / "one", BUSYBOX + bomb), Log(), look))
    assert 0 < max(seen) <= 100
    assert processes(mark) == []


@pytest.mark.parametrize(
    "run",
    [
        "RUN dd if=/dev/zero of=/big bs=1M count=4000",
        "RUN i=0; while true; do i=$((i + 1)); dd if=/dev/zero of=/big$i bs=1M count=8 2> /dev/null; done",
    ],
    ids=["one-file", "many-files"],
)
def test_a_run_that_fills_the_disk_is_ended_and_its_files_are_gone(root: Path, tmp_path: Path, run: str) -> None:
    small = builder(root, replace(BOUNDS, disk_mib=96))
    message = failure(lambda: small.build(order(tmp_path / "one", f"{BUSYBOX}{run}\n"), Log(), never))
    assert "LUCITY_BUILD_DISK_MIB" in message
    big = [path for path in (root / key_of("shop/api")).rglob("big*") if path.is_file()]
    assert big == []


HOSTILE = """
env; id; ls -la / /dev
for process in /proc/[0-9]*; do
  cat $process/environ $process/maps $process/cmdline; ls -la $process/root/ $process/fd/
  cat $process/root/$1 $process/cwd/$1
done
mkdir /x; chroot /x; mount -t proc proc /x; mknod /disk b 254 0; cat $1
cat /etc/shadow /proc/kcore /dev/mem; echo changed > /proc/sys/kernel/core_pattern
find / -xdev -name "$2" | sed 's/^/found /'
"""


def test_a_run_sees_nothing_of_ours(root: Path, buildah: BuildahBuilder, tmp_path: Path) -> None:
    key = tmp_path / f"key-{uuid.uuid4().hex}"
    key.write_text("-----BEGIN MADE UP KEY-----")
    key.chmod(0o644)
    log = Log()
    hostile = f"COPY hostile.sh /\nRUN sh /hostile.sh {key} {key.name} 2>&1 | tr '\\0' '\\n'\n"
    given = order(tmp_path / "one", BUSYBOX + hostile, files={"hostile.sh": HOSTILE})
    buildah.build(given, log, never)
    assert "uid=0" in log.text
    assert "MADE UP KEY" not in log.text
    assert "found " not in log.text
    assert str(root) not in log.text
    variables = {line.partition("=")[0] for line in log.text.splitlines() if "=" in line}
    assert not variables & (set(os.environ) - {"PATH", "HOME", "PWD", "SHLVL", "HOSTNAME"})
    for refused in ("chroot: can't", "mount: permission denied", "mknod: /disk: Operation not permitted"):
        assert refused in log.text
    assert Path("/proc/sys/kernel/core_pattern").read_text() != "changed\n"


KILLED = """
import sys
from pathlib import Path
from tests.support.building import BUSYBOX, Log, builder, never, order
builder(Path(sys.argv[1])).build(order(Path(sys.argv[2]), BUSYBOX + f"RUN setsid sleep {sys.argv[3]}\\n"), Log(), never)
"""


def test_a_worker_that_is_killed_takes_its_build_along_and_the_next_one_works(
    root: Path, buildah: BuildahBuilder, tmp_path: Path
) -> None:
    mark = f"6{uuid.uuid4().int % 10**12}"
    arguments = [sys.executable, "-c", KILLED, str(root), str(tmp_path / "killed"), mark]
    worker = subprocess.Popen(arguments, cwd=Path(__file__).parent.parent.parent)
    running = order(tmp_path / "one", BUSYBOX)
    while not any(pid != worker.pid for pid in processes(f"sleep\0{mark}")):
        assert worker.poll() is None
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    wait_for_end(f"sleep\0{mark}")
    buildah.prune()
    containers = root / key_of("shop/api") / "storage" / "vfs-containers" / "containers.json"
    assert "[]" in containers.read_text()
    assert buildah.build(running, Log(), never)


def test_two_builds_of_a_service_wait_for_each_other_and_a_waiting_one_can_be_stopped(
    buildah: BuildahBuilder, tmp_path: Path
) -> None:
    outcomes: list[str] = []

    def interfere() -> bool:
        if not outcomes:
            outcomes.append("tried")
            with pytest.raises(Stopped):
                buildah.build(order(tmp_path / "two", PLAIN), Log(), lambda: True)
        return False

    assert buildah.build(order(tmp_path / "one", PLAIN + "LABEL a=b\n"), Log(), interfere)
    assert outcomes == ["tried"]


class TestPushing:
    def image(self, builder: Builder, folder: Path) -> tuple[str, BuildOrder]:
        given = order(folder, PLAIN)
        return builder.build(given, Log(), never), given

    def test_a_registry_that_does_not_answer_is_unreachable(self, buildah: BuildahBuilder, tmp_path: Path) -> None:
        image, _ = self.image(buildah, tmp_path / "one")
        with pytest.raises(Unreachable) as caught:
            buildah.push(image, "127.0.0.1:1/shop/api:a1b2c3d", Log(), never)
        assert caught.value.component == "registry"

    def test_a_wrong_password_names_the_settings_and_is_not_shown(
        self, root: Path, registry: RegistryServer, tmp_path: Path
    ) -> None:
        wrong = builder(root, registry=access(registry, "wrong-password-that-nobody-has"))
        image, _ = self.image(wrong, tmp_path / "one")
        log = Log()
        message = failure(lambda: wrong.push(image, f"{registry.address}/shop/api:a1b2c3d", log, never))
        assert "LUCITY_REGISTRY_PASSWORD_FILE" in message
        assert "wrong-password" not in message + log.text
        assert digest(registry, "shop/api", "never") is None

    def test_a_base_image_comes_from_the_registry_and_its_password_is_not_in_the_build(
        self, root: Path, registry: RegistryServer, tmp_path: Path
    ) -> None:
        real = builder(root, registry=access(registry))
        base = real.build(order(tmp_path / "base", BUSYBOX, cache="shop/base"), Log(), never)
        real.push(base, f"{registry.address}/shop/base:1", Log(), never)
        log = Log()
        run = f"FROM {registry.address}/shop/base:1\nRUN cat /proc/*/root/credentials.json; echo on base\n"
        real.build(order(tmp_path / "one", run, cache="shop/on-base"), log, never)
        assert "on base" in log.text.splitlines()
        assert "auths" not in log.text


ABSENCE = """
import os, sys
from pathlib import Path
from adapters.build_caches import Caches
from adapters.buildah import BuildahBuilder
from tests.support.building import BOUNDS
os.environ["PATH"] = sys.argv[1]
os.setuid(int(sys.argv[2]))
print(BuildahBuilder(Caches(Path("builds"), 1, 1), BOUNDS, lambda: None).absence())
"""


@pytest.mark.parametrize(
    ("path", "user", "held", "reason"),
    [
        ("/nonexistent", "0", [], "buildah is not on PATH"),
        (os.environ["PATH"], "65534", [], "takes root"),
        (os.environ["PATH"], "0", ["--bounding-set=-sys_admin", "--inh-caps=-sys_admin"], "Operation not permitted"),
        (os.environ["PATH"], "0", [], "None"),
    ],
    ids=["no-program", "no-root", "no-namespaces", "all-there"],
)
def test_why_nothing_can_be_built_is_told(
    buildah: BuildahBuilder, tmp_path: Path, path: str, user: str, held: list[str], reason: str
) -> None:
    assert buildah.absence() is None
    command = ["setpriv", *held, sys.executable, "-c", ABSENCE, path, user]
    variables = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent.parent)}
    said = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True)
    assert reason in said.stdout
