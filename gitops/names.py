"""What things may be called: names of ours, image references, tags, digests, Git SHAs. Parsed once, carried as types.

Every parser raises Refused(InvalidInput) with a message that says what is allowed.
"""

import re
from typing import ClassVar, Self

from gitops.problems import InvalidInput, Refused

_NAME = re.compile(r"[a-z](?:[a-z0-9-]*[a-z0-9])?")
_SHOWN = 60
NAME_RULE = "lower-case letters, digits and single dashes, beginning with a letter and not ending with a dash"


class _Name(str):
    """A name of ours: fit for a path segment, a DNS label, a Git ref and a YAML key."""

    __slots__ = ()
    WHAT: ClassVar[str]
    MAX: ClassVar[int]
    RESERVED: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def parse(cls, text: str) -> Self:
        """The name, or Refused(InvalidInput)."""
        if not text:
            raise refuse(f"a name for the {cls.WHAT} is missing: {NAME_RULE}, at most {cls.MAX} characters")
        if len(text) > cls.MAX or "--" in text or not _NAME.fullmatch(text):
            raise refuse(f"{shown(text)} is no {cls.WHAT} name: {NAME_RULE}, at most {cls.MAX} characters")
        if cls.reserved(text):
            raise refuse(f"the {cls.WHAT} name {shown(text)} is reserved: choose another one")
        return cls(text)

    @classmethod
    def fits(cls, text: str) -> bool:
        """Whether `parse` takes it."""
        try:
            cls.parse(text)
        except Refused:
            return False
        return True

    @classmethod
    def reserved(cls, text: str) -> bool:
        """Whether a well-formed name is kept for Lucity, Argo CD or Kubernetes."""
        return text in cls.RESERVED


class ProjectName(_Name):
    """At most 30 characters; not `default`, `argocd`, `lucity`, `settings` nor kube*."""

    __slots__ = ()
    WHAT = "project"
    MAX = 30
    RESERVED = frozenset({"default", "argocd", "lucity", "settings"})

    @classmethod
    def reserved(cls, text: str) -> bool:
        """See _Name.reserved."""
        return text in cls.RESERVED or text.startswith("kube")


class EnvironmentName(_Name):
    """At most 20 characters; not `base`."""

    __slots__ = ()
    WHAT = "environment"
    MAX = 20
    RESERVED = frozenset({"base"})


class ServiceName(_Name):
    """At most 30 characters."""

    __slots__ = ()
    WHAT = "service"
    MAX = 30


class _Text(str):
    """Text of a foreign grammar."""

    __slots__ = ()
    PATTERN: ClassVar[re.Pattern[str]]
    RULE: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The text unchanged, or Refused(InvalidInput)."""
        if not cls.PATTERN.fullmatch(text):
            raise refuse(f"{shown(text)} is no {cls.RULE}")
        return cls(text)


class VariableName(_Text):
    """The name of an environment variable, as POSIX shells accept it."""

    __slots__ = ()
    PATTERN = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}", re.ASCII)
    RULE = "variable name: letters, digits and underscores, not beginning with a digit, at most 128 characters"


class Tag(_Text):
    """An image tag; https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests."""

    __slots__ = ()
    PATTERN = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}", re.ASCII)
    RULE = "image tag: letters, digits, _, . and -, not beginning with . or -, at most 128 characters"


class Digest(_Text):
    """An image digest."""

    __slots__ = ()
    PATTERN = re.compile(r"sha256:[a-f0-9]{64}")
    RULE = "image digest: sha256: and 64 lower-case hexadecimal digits"


class ImageRepository(_Text):
    """Where an image lives, `registry/path` without tag or digest; the grammar of distribution/reference."""

    __slots__ = ()
    _PART = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
    _HOST = (
        r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*(?::[0-9]{1,5})?/)?"
    )
    PATTERN = re.compile(rf"(?=.{{1,255}}\Z){_HOST}{_PART}(?:/{_PART})*")
    RULE = "image repository: registry.example.com/team/name, without a tag or digest, at most 255 characters"


class SourceUrl(_Text):
    """Where source code is cloned from. It goes into Git, so a token or password has no place in it."""

    __slots__ = ()
    _PLAIN = r"(?:https?|git|file)://[^\s/@]*/\S+"
    _SSH = r"ssh://(?:[^\s/@:]+@)?[^\s/@]+/\S+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s:]\S*"
    PATTERN = re.compile(rf"(?:{_PLAIN}|{_SSH}|/\S+)")
    RULE = "URL of a Git repository: https, http, ssh, git or file, or user@host:path, without a password or token"

    @classmethod
    def parse(cls, text: str) -> Self:
        """See _Text.parse; the message keeps to itself what may hold a password."""
        if not cls.PATTERN.fullmatch(text):
            raise refuse(f"this is no {cls.RULE}")
        return cls(text)


class BranchName(_Text):
    """A branch of a source repository; https://git-scm.com/docs/git-check-ref-format."""

    __slots__ = ()
    _NOWHERE = r"(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|\Z)))"
    PATTERN = re.compile(
        rf"(?=.{{1,200}}\Z){_NOWHERE}[^\s\x00-\x20\x7f~^:?*\[\\/.-][^\s\x00-\x20\x7f~^:?*\[\\]*(?<![/.])"
    )
    RULE = "branch: a name that Git accepts, at most 200 characters"


class Sha(_Text):
    """A full Git SHA-1."""

    __slots__ = ()
    PATTERN = re.compile(r"[0-9a-f]{40}")
    RULE = "full commit SHA: 40 lower-case hexadecimal digits"


class Revision(_Text):
    """A full or shortened Git SHA-1."""

    __slots__ = ()
    PATTERN = re.compile(r"[0-9a-f]{4,40}")
    RULE = "commit revision: 4 to 40 lower-case hexadecimal digits"


class Version(_Text):
    """A chart's version, https://semver.org."""

    __slots__ = ()
    PATTERN = re.compile(r"(?=.{1,40}\Z)[0-9]+\.[0-9]+\.[0-9]+(?:-[0-9A-Za-z.-]+)?(?:\+[0-9A-Za-z.-]+)?", re.ASCII)
    RULE = "chart version: MAJOR.MINOR.PATCH, at most 40 characters"


def namespace(project: str, environment: str) -> str:
    """The Kubernetes namespace of an environment, also its Application's name; at most 51 characters."""
    return f"{ProjectName.parse(project)}-{EnvironmentName.parse(environment)}"


def short(sha: str) -> str:
    """The seven digits that people read."""
    return sha[:7]


def shown(text: str) -> str:
    """User text as messages may carry it: quoted, escaped, shortened."""
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")


def refuse(message: str) -> Refused:
    """InvalidInput without a field; the field is added where it is known."""
    return Refused(InvalidInput(message))
