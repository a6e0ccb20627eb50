"""Paths in a checkout, which strangers wrote: whatever its links say, nothing outside of it is looked at."""

import os.path
from pathlib import Path, PurePosixPath

from adapters.ports import BuildOrder
from gitops.problems import FieldError, InvalidInput, NotFound, Refused


def paths_of(order: BuildOrder) -> tuple[str, str]:
    """The order's context and Dockerfile, relative to its folder, links followed. Raises Refused: InvalidInput,
    NotFound (what=Dockerfile).
    """
    root = order.folder.resolve()
    asked = os.path.normpath(PurePosixPath(order.context) / order.dockerfile)
    try:
        context = inside(root, order.context, "contextPath")
        dockerfile = inside(root, f"{order.context or '.'}/{order.dockerfile}", "dockerfile")
    except Refused as refusal:
        if isinstance(refusal.problem, NotFound):
            raise _no_dockerfile(asked) from None
        raise
    if not context.is_dir() or not dockerfile.is_file():
        raise _no_dockerfile(asked)
    return str(context.relative_to(root)), str(dockerfile.relative_to(root))


def inside(folder: Path, path: str, what: str) -> Path:
    """Where a path of a checkout leads, links followed. Raises Refused: InvalidInput, for the field `what`, when it
    leads out, NotFound when nothing is there.
    """
    parts = PurePosixPath(path)
    if parts.is_absolute() or ".." in parts.parts or any(ord(letter) < ord(" ") for letter in path):
        raise _leads_out(path, what)
    root = folder.resolve()
    try:
        found = (root / parts).resolve(strict=True)
    except (OSError, RuntimeError):
        raise Refused(NotFound(f"there is no {path} in the source repository", what, path)) from None
    if not found.is_relative_to(root):
        raise _leads_out(path, what)
    return found


def _leads_out(path: str, what: str) -> Refused:
    message = f"{path!r} leads out of the source repository: give the service another path with updateService"
    return Refused(InvalidInput(message, (FieldError((what,), message),)))


def _no_dockerfile(path: str) -> Refused:
    message = (
        f"there is no Dockerfile in the source repository: {path} was looked for;"
        " add it, or say where it is with updateService (contextPath, and dockerfile inside of that)"
    )
    return Refused(NotFound(message, "Dockerfile", path))
