"""Making an image of a service from its source; makes no commit."""

from dataclasses import dataclass
from typing import ClassVar, Final

from gitops.changes import Context, Draft, JobKind, Ref
from gitops.layout import BASE_VALUES
from gitops.operations.checks import Checks, base_services, need_services, open_environment, open_project
from gitops.tree import Tree

_LONGEST_REVISION: Final = 255
_SHORT: Final = 7
_SHA_LENGTHS: Final = (40, 64)


@dataclass(frozen=True)
class Build:
    """An image of a service at a revision of its source (None: the head of its branch), then put into environments."""

    KIND: ClassVar[JobKind] = JobKind.BUILD
    project: str
    service: str
    revision: str | None = None
    """Branch, tag, full or short SHA."""
    deploy_to: tuple[str, ...] = ()
    force: bool = False
    """Build although there is an image of the same source."""
    branch: str | None = None
    """A push to this branch asked for it (or to a ref by its full name): built is what it is when the build begins."""

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return self.deploy_to

    @property
    def services(self) -> tuple[str, ...]:
        """See Change."""
        return (self.service,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("service", self.service), *(Ref("environment", name) for name in self.deploy_to))

    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()
    paths: ClassVar[tuple[str, ...]] = (BASE_VALUES,)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.service(self.service, "service")
        for index, name in enumerate(self.deploy_to):
            checks.environment(name, "deployTo", str(index))
        checks.require(len(set(self.deploy_to)) == len(self.deploy_to), "Name an environment once.", "deployTo")
        if self.revision is not None:
            checks.require(is_revision(self.revision), "A revision is a branch, a tag or a commit.", "revision")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return f"build {self.service} {shown_revision(self.revision or 'the head of its branch')}"

    def apply(self, tree: Tree, context: Context) -> Draft:  # noqa: ARG002 - the same for every change
        """See Change. Nothing is written."""
        self.validate()
        open_project(tree, self.project)
        need_services(base_services(tree), self.services)
        for name in self.deploy_to:
            open_environment(tree, name)
        return Draft(self.summary(), {})


def is_revision(text: str) -> bool:
    """Whether Git could know a branch, a tag or a commit by this name."""
    forbidden = set(" ~^:?*[\\") | {chr(code) for code in (*range(33), 127)}
    shaped = text and len(text) <= _LONGEST_REVISION and text[0] not in "-/." and text[-1] not in "/."
    return bool(shaped) and not forbidden & set(text) and not any(part in text for part in ("..", "@{", "//"))


def shown_revision(revision: str) -> str:
    """A revision as people read it: a full SHA is cut."""
    full = len(revision) in _SHA_LENGTHS and all(character in "0123456789abcdef" for character in revision)
    return revision[:_SHORT] if full else revision
