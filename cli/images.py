"""What `lucity up` says of images: where they are, and what builds them."""

from adapters.ports import Builder


def images_line(registry: str | None, builder: Builder) -> str:
    """One line, or nothing without a registry."""
    if registry is None:
        return ""
    absence = builder.absence()
    built = f"builds by {builder.kind()}" if absence is None else f"no builds: {absence}"
    return f"  Images       {registry}; {built}\n"
