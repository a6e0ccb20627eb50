"""Making and removing environments."""

from dataclasses import dataclass
from datetime import timedelta
from typing import ClassVar

from gitops.births import environment_files
from gitops.changes import Context, Draft, JobKind, Ref, refs
from gitops.layout import CHART, environment_folder, environment_values
from gitops.messages import FROM_COMMIT
from gitops.operations.checks import Checks, open_environment, open_project
from gitops.problems import AlreadyExists, Conflict, ConflictCode, NotFound, Refused, invalid
from gitops.repository import SERVICES, has_environment, read_environment
from gitops.subjects import Action, Subject, render_subject
from gitops.times import MAX_TTL_SECONDS, MIN_TTL_SECONDS, parse_time, rfc3339
from gitops.tree import Tree
from gitops.values import Key, table
from gitops.yamltext import edit, parse


@dataclass(frozen=True)
class CreateEnvironment:
    """A new environment, empty or as `source` stands, but for its hosts: two environments cannot answer for one."""

    KIND: ClassVar[JobKind] = JobKind.ENVIRONMENT_CREATE
    project: str
    environment: str
    source: str | None = None
    ephemeral: bool = False
    ttl_seconds: int | None = None
    """Counted from the commit."""

    services: ClassVar[tuple[str, ...]] = ()
    deletes: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment, self.source) if self.source else (self.environment,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("environment", self.source),) if self.source else ()

    @property
    def creates(self) -> tuple[Ref, ...]:
        """See Change."""
        return (Ref("environment", self.environment),)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return tuple(environment_folder(name) for name in self.environments)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment, "name")
        if self.source is not None:
            checks.environment(self.source, "from")
            checks.require(self.source != self.environment, "an environment cannot be made from itself", "from")
        if self.ttl_seconds is not None:
            checks.require(self.ephemeral, "only an ephemeral environment has an end: set ephemeral", "ttlSeconds")
            fits = MIN_TTL_SECONDS <= self.ttl_seconds <= MAX_TTL_SECONDS
            checks.require(fits, f"between {MIN_TTL_SECONDS} and {MAX_TTL_SECONDS} seconds", "ttlSeconds")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.ENV_CREATE, self.environment, origin=self.source or ""))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if any(tree.files(environment_folder(self.environment))):
            message = f"the environment {self.environment} exists: choose another name"
            raise Refused(AlreadyExists(message, "environment", self.environment))
        end = "" if self.ttl_seconds is None else rfc3339(context.now + timedelta(seconds=self.ttl_seconds))
        source = self.source or ""
        files = environment_files(
            self.environment, ephemeral=self.ephemeral, created_from=source, expires_at=end
        )  # fmt: skip
        if source:
            files[environment_values(self.environment)] = self._copied(open_environment(tree, source))
        return Draft(self.summary(), files, trailers=((FROM_COMMIT, context.head),) if source else ())

    def _copied(self, data: bytes) -> bytes:
        path = environment_values(self.source or "")
        services = table(parse(data, path).data, SERVICES)
        sets: list[tuple[Key, object]] = [((CHART, "environment"), self.environment)]
        unsets: list[Key] = [(*SERVICES, name, "hosts") for name in services if "hosts" in table(services, (name,))]
        if self.ephemeral:
            sets.append(((CHART, "ephemeral"), True))
        else:
            unsets.append((CHART, "ephemeral"))
        return edit(data, path, sets, unsets)


@dataclass(frozen=True)
class DeleteEnvironment:
    """Remove an environment's folder. `expires_at`: only if it still ends at that moment (asked by the sweep)."""

    KIND: ClassVar[JobKind] = JobKind.ENVIRONMENT_DELETE
    project: str
    environment: str
    confirm: str | None = None
    expires_at: str | None = None

    services: ClassVar[tuple[str, ...]] = ()
    creates: ClassVar[tuple[Ref, ...]] = ()

    @property
    def environments(self) -> tuple[str, ...]:
        """See Change."""
        return (self.environment,)

    @property
    def needs(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments)

    @property
    def deletes(self) -> tuple[Ref, ...]:
        """See Change."""
        return refs(self.environments)

    @property
    def paths(self) -> tuple[str, ...]:
        """See Change."""
        return (environment_folder(self.environment),)

    def validate(self) -> None:
        """Raise Refused(InvalidInput) with every field that is wrong."""
        checks = Checks()
        checks.project(self.project)
        checks.environment(self.environment, "name")
        if self.confirm is not None:
            checks.require(self.confirm == self.environment, "repeat the environment's name here", "confirm")
        checks.finish()

    def summary(self) -> str:
        """See Change."""
        return render_subject(Subject(Action.ENV_DELETE, self.environment))

    def apply(self, tree: Tree, context: Context) -> Draft:
        """See Change."""
        self.validate()
        open_project(tree, self.project)
        if not has_environment(tree, self.environment):
            raise Refused(
                NotFound(f"the environment {self.environment} does not exist", "environment", self.environment)
            )
        present = read_environment(tree, self.environment)
        if self.expires_at is not None:
            due = present.expires_at
            if due != parse_time(self.expires_at) or due > context.now:
                message = f"the environment {self.environment} was extended meanwhile, so it stays"
                raise Refused(Conflict(message, ConflictCode.CHANGED_SINCE))
        elif not present.ephemeral and self.confirm is None:
            message = f"{self.environment} is not ephemeral: repeat its name in confirm to delete it"
            raise invalid("confirm", message)
        return Draft(self.summary(), dict.fromkeys(tree.files(environment_folder(self.environment))))
