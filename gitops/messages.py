"""Commit messages, rendered and parsed: a subject of gitops/subjects.py, body lines, and trailers in Git's format."""

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from gitops.commits import CommitKind, Image
from gitops.subjects import Subject, parse_subject
from gitops.times import parse_time

Trailer = tuple[str, str]
JOB_ID: Final = "Job-Id"
ACTOR_ID: Final = "Actor-Id"
REASON: Final = "Reason"
SERVICE: Final = "Service"
IMAGE: Final = "Image"
FROM_COMMIT: Final = "From-Commit"
REVERTS: Final = "Reverts"
ROLLS_BACK_TO: Final = "Rolls-Back-To"
OVERRIDE: Final = "Override"
SOURCE_REVISION: Final = "Source-Revision"
SOURCE_COMMITTED_AT: Final = "Source-Committed-At"

_TRAILER: Final = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (\S.*)")
_SPACES: Final = re.compile(r"[\s\x00-\x1f\x7f-\x9f]+")


@dataclass(frozen=True)
class Message:
    """A message's parts. `form` is None when the subject is none of ours."""

    subject: str
    form: Subject | None
    body: tuple[str, ...]
    trailers: tuple[Trailer, ...]

    @property
    def kind(self) -> CommitKind:
        """What it says it is; to be believed of signed commits only."""
        return self.form.kind if self.form else CommitKind.EXTERNAL

    @property
    def environment(self) -> str | None:
        """The environment that the subject names."""
        return self.form.environment if self.form else None

    @property
    def services(self) -> tuple[str, ...]:
        """The services that the subject names."""
        return self.form.services if self.form else ()

    @property
    def tags(self) -> tuple[tuple[str, str], ...]:
        """(service, tag) for each image that the subject names."""
        return tuple((name, tag) for name, tag in self.form.images if tag) if self.form else ()

    def all(self, key: str) -> tuple[str, ...]:
        """Every value of a trailer."""
        return tuple(value for name, value in self.trailers if name == key)

    def first(self, key: str) -> str | None:
        """A trailer's first value."""
        return next(iter(self.all(key)), None)


def render(subject: str, body: Sequence[str] = (), trailers: Sequence[Trailer] = ()) -> str:
    """The whole message. Every part is folded to one line, so that no value can end the block or forge a trailer."""
    paragraphs = [fold(subject)]
    lines = [line for line in map(fold, body) if line]
    block = [f"{key}: {text}" for key, value in trailers if (text := fold(value))]
    if lines:
        paragraphs.append("\n".join(lines))
    if block:
        paragraphs.append("\n".join(block))
    return "\n\n".join(paragraphs) + "\n"


def parse(message: str) -> Message:
    """The parts of any message, ours or not; never raises."""
    paragraphs = [part.strip("\n") for part in re.split(r"\n[ \t\r]*\n", message.replace("\r\n", "\n").strip("\n"))]
    subject, *rest = paragraphs[0].split("\n")
    trailers: tuple[Trailer, ...] = ()
    if len(paragraphs) > 1:
        matches = [_TRAILER.fullmatch(line) for line in paragraphs[-1].split("\n")]
        if all(matches):
            trailers = tuple((match[1], match[2].strip()) for match in matches if match)
            paragraphs = paragraphs[:-1]
    body = [*rest, *(line for paragraph in paragraphs[1:] for line in paragraph.split("\n"))]
    return Message(subject, parse_subject(subject), tuple(line for line in body if line), trailers)


def fold(text: str) -> str:
    """Text on one line, without control characters, as UTF-8 can hold it."""
    return _SPACES.sub(" ", text.encode("utf-8", "replace").decode()).strip()


def image_trailer(service: str, image: Image) -> Trailer:
    """The trailer `Image: api=registry/api:tag@sha256:…`."""
    return IMAGE, f"{service}={image.reference}"


def source_committed_at(message: Message, service: str) -> datetime | None:
    """When the source that a service was built from was committed, as a trailer tells it; None when none does."""
    for moment in _of_service(message, SOURCE_COMMITTED_AT, service):
        with suppress(ValueError):
            return parse_time(moment)
    return None


def source_revision(message: Message, service: str) -> str | None:
    """The commit of the source that a service was built from, as a trailer tells it; None when none does."""
    return next(_of_service(message, SOURCE_REVISION, service), None)


def parse_image(text: str) -> tuple[str, Image] | None:
    """(service, image) of an Image trailer's value; None when it is none."""
    service, separator, reference = text.partition("=")
    reference, _, digest = reference.partition("@")
    head, slash, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return (service, Image(f"{head}{slash}{name}", tag, digest or None)) if separator and name else None


def _of_service(message: Message, key: str, service: str) -> Iterator[str]:
    named = (value.partition("=") for value in message.all(key))
    return (value for name, _, value in named if name == service)
