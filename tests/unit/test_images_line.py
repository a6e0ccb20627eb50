"""What `lucity up` says of images."""

import pytest

from cli.images import images_line
from tests.fakes import FakeBuilder


@pytest.mark.parametrize(
    ("registry", "absence", "line"),
    [
        (None, None, ""),
        ("registry:5000/shop", None, "  Images       registry:5000/shop; builds by fake 1\n"),
        ("ghcr.io", "buildah is not on PATH", "  Images       ghcr.io; no builds: buildah is not on PATH\n"),
    ],
    ids=["no-registry", "builds", "no-builds"],
)
def test_up_says_where_images_are_and_why_none_are_built(registry: str | None, absence: str | None, line: str) -> None:
    assert images_line(registry, FakeBuilder(outage=absence)) == line
