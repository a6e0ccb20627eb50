"""Moving the end of an ephemeral environment."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.layout import environment_settings
from gitops.operations.checks import Checks, changed, open_environment, open_project
from gitops.problems import Refused, invalid
from gitops.subjects import Action, Subject, render_subject
from gitops.times import MAX_TTL_SECONDS, MIN_TTL_SECONDS, rfc3339
from gitops.tree import Tree
from gitops.yamltext import edit, parse


@dataclass(frozen=True)
class ExtendEnvironment:
    """A new end of an ephemeral environment, sooner or later than the one it has, or the first."""

    KIND: ClassVar[JobKind] = JobKind.ENVIRONMENT_EXTEND
    project: str
    environment: str
    ttl_seconds: int
    """Counted from the commit."""

    services: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_settings(self.environment),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment)
        fits = MIN_TTL_SECONDS <= self.ttl_seconds <= MAX_TTL_SECONDS
        checks.require(fits, f"between {MIN_TTL_SECONDS} and {MAX_TTL_SECONDS} seconds", "ttlSeconds")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return f"config({self.environment}): expire in {self.ttl_seconds} seconds"

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        open_environment(tree, self.environment)
        path = environment_settings(self.environment)
        data = tree.read(path) or b""
        if parse(data, path).data.get("ephemeral") is not True:
            raise not_ephemeral(self.environment)
        end = rfc3339(context.now + timedelta(seconds=self.ttl_seconds))
        subject = render_subject(Subject(Action.EXPIRE, self.environment, value=end))
        return Draft(subject, changed(tree, {path: edit(data, path, [(("expiresAt",), end)])}))


def not_ephemeral(environment: str) -> Refused:
    """InvalidInput about an environment that has no end."""
    message = (
        f"{environment} is not ephemeral, so it has no end to move: delete it with deleteEnvironment when it is over"
    )
    return invalid("environment", message)
