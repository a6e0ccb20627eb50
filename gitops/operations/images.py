"""What deploying and promoting have in common: images put into an environment's file."""

from collections.abc import Mapping
from typing import Final

from gitops.changes import Draft
from gitops.commits import Image
from gitops.messages import SERVICE, Trailer, image_trailer
from gitops.operations.precedence import Edits
from gitops.repository import SERVICES
from gitops.services import image_of
from gitops.subjects import MAX_NAMED, Subject, render_subject
from gitops.tree import Writes
from gitops.values import Key, Values, get, table

_SHORT_DIGEST: Final = 19


def shown_tag(image: Image) -> str:
    """How a subject names an image: its tag, or the beginning of its digest."""
    text = image.tag or (image.digest or "")[:_SHORT_DIGEST]
    return "".join(character for character in text if not character.isspace() and character != ",")


def service_values(values: Values, name: str) -> Values:
    """What values say of a service."""
    return table(values, (*SERVICES, name))


def named(images: Mapping[str, Image]) -> tuple[tuple[str, str], ...]:
    """(service, tag) for a subject, sorted."""
    return tuple((name, shown_tag(images[name])) for name in sorted(images))


def news_of(asked: Mapping[str, Image], present: Values) -> dict[str, Image]:
    """Those that are not there already."""
    return {name: image for name, image in asked.items() if image_of(service_values(present, name)) != image}


def image_edits(images: Mapping[str, Image], base: Values) -> Edits:
    """What must be said in an environment's file so that these images are the effective ones."""
    sets: list[tuple[Key, object]] = []
    unsets: list[Key] = []
    for name, image in images.items():
        for part, value in (("tag", image.tag), ("digest", image.digest)):
            key = (*SERVICES, name, "image", part)
            if value:
                sets.append((key, value))
            elif get(base, (name, "image", part)) is None:
                unsets.append(key)
            else:
                sets.append((key, None))
    return sets, unsets


def moved_edits(images: Mapping[str, Image], base: Values, present: Values) -> Edits:
    """See image_edits; the repositories go along: an environment may have one of its own, pushed by hand."""
    sets, unsets = image_edits(images, base)
    for name, image in images.items():
        inside = ("image", "repository")
        if get(base, (name, *inside)) != image.repository:
            sets.append(((*SERVICES, name, *inside), image.repository))
        elif get(service_values(present, name), inside) != image.repository:
            unsets.append((*SERVICES, name, *inside))
    return sets, unsets


def image_draft(subject: Subject, images: Mapping[str, Image], writes: Writes, *more: Trailer) -> Draft:
    """A draft whose body and trailers name these images."""
    body = tuple(f"{name} {shown_tag(image)}" for name, image in images.items()) if len(images) > MAX_NAMED else ()
    trailers = [(SERVICE, name) for name in images] + [image_trailer(name, image) for name, image in images.items()]
    return Draft(render_subject(subject), writes, body, (*trailers, *more))
