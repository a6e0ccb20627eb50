from collections.abc import Callable

import pytest

from gitops.names import (
    Digest,
    EnvironmentName,
    ImageRepository,
    ProjectName,
    Revision,
    ServiceName,
    Sha,
    SourceUrl,
    Tag,
    VariableName,
    Version,
    namespace,
)
from gitops.problems import InvalidInput, Refused

Parser = Callable[[str], str]
BAD_NAMES = ["", "A", "1a", "a--b", "a-", "-a", "a_b", "a.b", "a/b", "../a", "a\n", "é", "a b", "а"]  # noqa: RUF001 - the last is Cyrillic


@pytest.mark.parametrize("kind", [ProjectName, EnvironmentName, ServiceName])
@pytest.mark.parametrize("text", BAD_NAMES)
def test_a_name_outside_the_rule_is_refused_with_the_rule(kind: type[ProjectName], text: str) -> None:
    with pytest.raises(Refused, match="lower-case letters, digits and single dashes") as refused:
        kind.parse(text)
    assert isinstance(refused.value.problem, InvalidInput)


@pytest.mark.parametrize(("kind", "most"), [(ProjectName, 30), (EnvironmentName, 20), (ServiceName, 30)])
def test_names_have_their_length(kind: type[ProjectName], most: int) -> None:
    assert kind.parse("a" * most) == "a" * most
    with pytest.raises(Refused, match=f"at most {most}"):
        kind.parse("a" * (most + 1))


@pytest.mark.parametrize(
    ("kind", "text"),
    [(ProjectName, name) for name in ("default", "argocd", "lucity", "settings", "kube", "kube-system", "kubernetes")]
    + [(EnvironmentName, "base")],
)
def test_reserved_names_are_refused(kind: type[ProjectName], text: str) -> None:
    with pytest.raises(Refused, match="reserved"):
        kind.parse(text)


def test_names_reserved_for_one_kind_are_free_for_others() -> None:
    assert (ServiceName.parse("default"), ProjectName.parse("base"), EnvironmentName.parse("kube")) == (
        "default",
        "base",
        "kube",
    )


@pytest.mark.parametrize(
    ("parse", "good"),
    [
        (Tag.parse, ["1234567", "12e4567", "0x1F", "no", "1_000", "2026-11-23", "_a.b-c", "a" * 128]),
        (Digest.parse, ["sha256:" + "0f" * 32]),
        (
            ImageRepository.parse,
            ["api", "shop/api", "registry.example.com/shop/api", "localhost:5000/a", "REG.x:80/a", "a/b__c/d-e"],
        ),
        (VariableName.parse, ["A", "_x1", "LOG_LEVEL", "a" * 128]),
        (Sha.parse, ["0f" * 20]),
        (Revision.parse, ["0f0f", "0f" * 20]),
        (Version.parse, ["0.1.0", "1.2.3-rc.1+build"]),
    ],
)
def test_well_formed_text_passes_unchanged(parse: Parser, good: list[str]) -> None:
    assert [parse(text) for text in good] == good


@pytest.mark.parametrize(
    ("parse", "bad"),
    [
        (Tag.parse, ["", "-a", ".a", "a b", "a:b", "a@b", "a/b", "a" * 129, "a\n", "é"]),
        (Digest.parse, ["", "sha256:" + "0" * 63, "sha256:" + "F" * 64, "sha512:" + "0" * 64, "0" * 64]),
        (
            ImageRepository.parse,
            ["", "-x", "a:tag", "a/b:tag", f"a@sha256:{'0' * 64}", "A", "a/B", "http://a/b", "a b",
             "a//b", "a/", "/a", "a\n", "a/" + "b" * 254],
        ),
        (VariableName.parse, ["", "1A", "A-B", "A.B", "A B", "A=", "É", "a" * 129, "A\n"]),
        (Sha.parse, ["", "0f" * 19, "0F" * 20]),
        (Revision.parse, ["", "0f0", "main", "--all", "0f0f\n"]),
        (Version.parse, ["", "1", "1.2", "v1.2.3", "1.2.3 ", "../1.2.3"]),
    ],
)  # fmt: skip
def test_malformed_text_is_refused(parse: Parser, bad: list[str]) -> None:
    for text in bad:
        with pytest.raises(Refused):
            parse(text)


def test_a_namespace_is_project_and_environment() -> None:
    assert namespace("shop", "pr-142") == "shop-pr-142"
    with pytest.raises(Refused):
        namespace("shop", "../x")


def test_messages_shorten_what_they_quote() -> None:
    with pytest.raises(Refused) as refused:
        ProjectName.parse("x" * 100_000)
    assert len(str(refused.value)) < 250


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/team/api.git",
        "http://127.0.0.1:3000/api",
        "ssh://git@example.com:23231/api.git",
        "git@example.com:team/api.git",
        "file:///srv/git/api.git",
        "/srv/git/api.git",
    ],
)
def test_source_code_may_come_from_any_ordinary_git_address(url: str) -> None:
    assert SourceUrl.parse(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "https://ann:secret@example.com/api.git",
        "https://secret@example.com/api.git",
        "ssh://git:secret@example.com/api.git",
        "ext::sh -c secret",
        "--upload-pack=secret",
        "https://example.com/a secret",
        "",
    ],
)
def test_a_source_with_a_password_or_a_helper_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(Refused) as refused:
        SourceUrl.parse(url)
    assert "secret" not in refused.value.problem.message
