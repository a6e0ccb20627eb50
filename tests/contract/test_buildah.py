"""The builder's promises, by its twin and by Buildah; and what a real one alone can keep: no build harms others."""

import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from adapters.buildah import BuildahBuilder
from adapters.buildah_process import RegistryAccess
from adapters.ports import Builder, BuildOrder, Stopped, Unreachable
from gitops.problems import InvalidInput, NotFound
from tests.fakes import FakeBuilder
from tests.support.building import BUSYBOX, Log, builder, failure, never, order, refusal
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
        assert "updateService" in problem.message
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
