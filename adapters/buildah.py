"""Images made by Buildah, here: adapters/build_jail.py confines it, adapters/build_caches.py keeps layers."""

import os
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters import buildah_answers, buildah_process
from adapters.build_caches import Cache, Caches, key_of
from adapters.build_output import Allowance, Stream
from adapters.buildah_process import Buildah, Confinement, RegistryAccess
from adapters.ports import BuildOrder, Stopped, Unreachable
from adapters.source_paths import paths_of
from adapters.watched_process import Deadline, Growth
from gitops.problems import JobFailure, Refused

_LINE_CHARACTERS = 16 * 1024
_TIDY_SECONDS = 60.0
_DOCKERFILE_BYTES = 1 << 20
_IMAGE = re.compile(r"([0-9a-f]{32})/([0-9a-f]{64})")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VERSION = re.compile(r"buildah version (\S+)")


@dataclass(frozen=True)
class BuildBounds:
    """What one build may take."""

    timeout_seconds: float
    disk_mib: int
    log_mib: int
    processes: int

    @property
    def confinement(self) -> Confinement:
        """The part that the kernel enforces."""
        return Confinement(self.processes, self.disk_mib)


@dataclass
class BuildahBuilder:
    """See ports.Builder. `registry` is asked at each use, so that a new password counts."""

    caches: Caches
    bounds: BuildBounds
    registry: Callable[[], RegistryAccess | None]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _probed: tuple[str | None, str] | None = None

    def absence(self) -> str | None:
        """See Builder.absence. Whether builds can be confined here is tried once."""
        if buildah_process.find() is None:
            return "buildah is not on PATH"
        return buildah_process.is_allowed_here() or self._probe()[0]

    def kind(self) -> str:
        """See Builder.kind."""
        self._require()
        return self._probe()[1]

    def build(self, order: BuildOrder, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        """See Builder.build."""
        self._require()
        context, dockerfile = paths_of(order)
        key = key_of(order.cache)
        with self._use(key, stopped) as buildah:
            deadline = Deadline(self.bounds.timeout_seconds, "the build", "LUCITY_BUILD_TIMEOUT_SECONDS")
            run = _Run(buildah, log, stopped, self.bounds, deadline, order.hidden)
            run.pull(buildah_answers.base_images(_text(order.folder / dockerfile)))
            code = run(["bud", *_options(order), f"--file=/source/{dockerfile}", f"/source/{context}"], order.folder)
            if code == 0:
                return f"{key}/{_answer(buildah.cache, 'image').removeprefix('sha256:')}"
            if buildah_answers.could_not_pull(code, run.said):
                raise Unreachable("registry", buildah_answers.last_line(run.said))
            message = buildah_answers.build_failure(code, run.said, self.bounds.disk_mib)
            raise Refused(JobFailure(message, "build"))

    def push(self, image: str, reference: str, log: Callable[[str, str], None], stopped: Callable[[], bool]) -> str:
        """See Builder.push."""
        self._require()
        found = _IMAGE.fullmatch(image)
        if found is None:
            raise Refused(JobFailure(f"there is no image {image}", "push"))
        with self._use(found[1], stopped) as buildah:
            deadline = Deadline(self.bounds.timeout_seconds, "the push", "LUCITY_BUILD_TIMEOUT_SECONDS")
            run = _Run(buildah, log, stopped, self.bounds, deadline)
            arguments = ["push", "--digestfile=/tmp/digest", found[2], f"docker://{reference}"]
            if run(arguments, with_credentials=True) == 0:
                return _answer(buildah.cache, "digest")
            if buildah_answers.is_unreachable(run.said):
                raise Unreachable("registry", buildah_answers.last_line(run.said))
            raise Refused(JobFailure(buildah_answers.push_failure(run.said), "push"))

    def prune(self) -> None:
        """See Builder.prune."""
        if self.absence() is None:
            for cache in self.caches.idle():
                if cache.spoiled:
                    self._tidy(self._buildah(cache))
        self.caches.prune()

    def _require(self) -> None:
        reason = self.absence()
        if reason is not None:
            raise Unreachable("builder", reason)

    def _probe(self) -> tuple[str | None, str]:
        """Why it does not run here, and what it is."""
        with self._lock:
            if self._probed is None:
                self._probed = self._try()
            return self._probed

    def _try(self) -> tuple[str | None, str]:
        printed: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        deadline = Deadline(_TIDY_SECONDS, "buildah --version", "it does not answer")
        try:
            with self.caches.open(key_of(""), deadline.check) as cache:
                self._buildah(cache).run(["--version"], buildah_process.sinks_into(printed), deadline.check)
        except Refused as refusal:
            return str(refusal), ""
        except OSError as error:
            return f"{self.caches.root} cannot be used: {error.strerror}", ""
        version = _VERSION.search(b"".join(printed["stdout"]).decode(errors="replace"))
        if version is None:
            said = b"".join(printed["stderr"]).decode(errors="replace").strip()
            return said or "buildah does not say its version", ""
        return None, f"buildah {version[1]} {os.uname().machine}"

    def _buildah(self, cache: Cache) -> Buildah:
        return Buildah(buildah_process.find() or "", cache, self.registry(), self.bounds.confinement)

    @contextmanager
    def _use(self, key: str, stopped: Callable[[], bool]) -> Iterator[Buildah]:
        """A cache for us alone, in order; and in order again when it is left."""
        with self.caches.open(key, lambda: _stop_if(stopped)) as cache:
            buildah = self._buildah(cache)
            if cache.spoiled:
                self._tidy(buildah)
            cache.spoil()
            try:
                yield buildah
            except BaseException:
                self._tidy(buildah)
                raise
            cache.mend()

    def _tidy(self, buildah: Buildah) -> None:
        """Remove what a build left that was ended; if that does not work, all there is."""
        deadline = Deadline(_TIDY_SECONDS, "tidying up", "it does not end")
        try:
            tidied = buildah.run(["rm", "--all"], (_ignore, _ignore), deadline.check) == 0
        except Refused:
            tidied = False
        if tidied:
            buildah.cache.mend()
        else:
            buildah.cache.clear()


class _Run:
    """Runs of Buildah for one order, with one log and one deadline."""

    def __init__(
        self,
        buildah: Buildah,
        log: Callable[[str, str], None],
        stopped: Callable[[], bool],
        bounds: BuildBounds,
        deadline: Deadline,
        hidden: Sequence[str] = (),
    ) -> None:
        self._buildah = buildah
        self._secrets = (*(buildah.registry.secrets if buildah.registry else ()), *hidden)
        self._allowance = Allowance(bounds.log_mib << 20, log)
        self._stopped = stopped
        self._deadline = deadline
        cache = buildah.cache
        folders = (cache.storage, cache.scratch)
        self._growth = Growth(folders, bounds.disk_mib, "the build", "LUCITY_BUILD_DISK_MIB", cache.layers)
        self.said = ""
        """The end of what the last run said on stderr."""

    def __call__(self, arguments: list[str], source: Path | None = None, *, with_credentials: bool = False) -> int:
        names = ("stdout", "stderr")
        stdout, stderr = (Stream(name, self._secrets, _LINE_CHARACTERS, self._allowance) for name in names)
        try:
            return self._buildah.run(
                arguments, (stdout.feed, stderr.feed), self._watch, source=source, with_credentials=with_credentials
            )
        finally:
            stdout.end()
            stderr.end()
            self.said = stderr.tail

    def pull(self, images: list[str]) -> None:
        """Fetch those of the registry that asks for credentials, which no build may see. What fails, the build will
        say. Raises Unreachable.
        """
        registry = self._buildah.registry
        if registry is None or registry.authfile is None:
            return
        for image in images:
            if image.startswith(f"{registry.host}/"):
                code = self(["pull", "--quiet", image], with_credentials=True)
                if code != 0 and buildah_answers.is_unreachable(self.said):
                    raise Unreachable("registry", buildah_answers.last_line(self.said))

    def _watch(self) -> None:
        _stop_if(self._stopped)
        self._deadline.check()
        self._growth.check()


def _stop_if(stopped: Callable[[], bool]) -> None:
    if stopped():
        raise Stopped("stopped, as was asked for")


def _options(order: BuildOrder) -> list[str]:
    texts = sorted(f"{name}={value}" for name, value in order.annotations.items())
    return [
        *("--isolation=chroot", "--layers", "--format=oci", "--cap-drop=CAP_SYS_CHROOT", "--iidfile=/tmp/image"),
        f"--timestamp={int(order.created_at.timestamp())}",
        *(f"--annotation={text}" for text in texts),
        *(f"--label={text}" for text in texts),
    ]


def _text(path: Path) -> str:
    with path.open("rb") as file:
        return file.read(_DOCKERFILE_BYTES).decode(errors="replace")


def _answer(cache: Cache, name: str) -> str:
    """What Buildah wrote into scratch, which others might have written too."""
    descriptor = os.open(cache.scratch / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        text = file.read(100).decode(errors="replace").strip()
    if not _DIGEST.fullmatch(text):
        raise Refused(JobFailure(f"buildah answered {text!r} instead of a digest"))
    return text


def _ignore(_data: bytes) -> None:
    return
