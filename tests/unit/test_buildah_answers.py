"""What Dockerfiles and Buildah say, understood."""

import pytest

from adapters.buildah_answers import base_images, build_failure, could_not_pull, is_unreachable, push_failure

REFUSED = (
    'Error: initializing source docker://localhost:1/a:1: pinging container registry localhost:1: Get "https://'
    'localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused'
)


def test_base_images_are_those_that_the_file_does_not_make_itself() -> None:
    text = """
# FROM comment:1
ARG VERSION=1
FROM --platform=linux/amd64 registry.test/base:1 AS build
from \\
  registry.test/other@sha256:abc
FROM scratch
FROM build AS final
FROM registry.test/$VERSION
COPY --from=build /a /a
COPY --chown=1:1 --from=registry.test/files:2 /a /a
COPY --from=0 /a /a
RUN echo FROM nothing
FROM --evil
"""
    assert base_images(text) == ["registry.test/base:1", "registry.test/other@sha256:abc", "registry.test/files:2"]


def test_a_registry_that_is_silent_is_worth_another_try() -> None:
    assert is_unreachable(REFUSED)
    assert could_not_pull(125, f"much\n{REFUSED}\n")
    assert not could_not_pull(7, REFUSED)
    assert not could_not_pull(125, "Error: building at STEP: connection refused")
    assert not is_unreachable(f"{REFUSED}\nError: something else")


@pytest.mark.parametrize(
    ("said", "setting"),
    [
        ("Error: trying to reuse blob: unauthorized: authentication required", "LUCITY_REGISTRY_PASSWORD_FILE"),
        ("Error: requested access to the resource is denied", "LUCITY_REGISTRY_USERNAME"),
        ("Error: http: server gave HTTP response to HTTPS client", "LUCITY_REGISTRY_INSECURE"),
        ("Error: tls: failed to verify certificate: x509: unknown authority", "LUCITY_REGISTRY_INSECURE"),
        ("Error: manifest invalid", "manifest invalid"),
    ],
)
def test_a_push_that_failed_says_what_to_do(said: str, setting: str) -> None:
    assert setting in push_failure(f"Getting image source signatures\n{said}\n")
    assert not is_unreachable(said)


def test_the_end_of_a_build_is_told() -> None:
    assert build_failure(7, "a\nError: exit status 7\n", 9) == "the build ended with exit code 7: Error: exit status 7"
    assert build_failure(2, "", 9) == "the build ended with exit code 2"
    assert "9 MiB (LUCITY_BUILD_DISK_MIB)" in build_failure(1, "dd: /big: File too large\nError: exit status 1", 9)
    assert "no memory" in build_failure(137, "Killed", 9)
    assert len(build_failure(1, "x" * 10_000, 9)) < 1000
