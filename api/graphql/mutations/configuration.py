"""Configuration: replicas, variables and values."""

import strawberry

from api.graphql.context import Info
from api.graphql.given import or_none
from api.graphql.guards import mutation
from api.graphql.mutations.admitting import AskedAt, admitted
from api.graphql.problems import JobResult
from api.graphql.scalars import JSON
from gitops.operations.configuration import Scale, SetVariables, VariableSetting
from gitops.operations.values import SetValues, ValueSetting
from gitops.services import SecretKey


@strawberry.input
class ScaleInput(AskedAt):
    """See gitops.operations.configuration."""

    project: str
    environment: str
    service: str
    replicas: int = strawberry.field(description="Pods, 0 to 1000.")

    def change(self) -> Scale:
        """As an operation."""
        return Scale(self.project, self.environment, self.service, self.replicas)


@strawberry.input
class SecretKeyInput:
    """A key of a Kubernetes Secret."""

    secret: str = strawberry.field(description="The name of a Secret in the namespace of the environment.")
    key: str


@strawberry.input(description="Exactly one of value and fromSecret.")
class VariableInput:
    """See gitops.operations.configuration."""

    name: str
    value: str | None = strawberry.UNSET
    from_secret: SecretKeyInput | None = strawberry.UNSET

    def setting(self) -> VariableSetting:
        """As an operation takes it."""
        secret = or_none(self.from_secret)
        return VariableSetting(self.name, or_none(self.value), SecretKey(secret.secret, secret.key) if secret else None)


@strawberry.input(description="Without environment: base; without service: shared by all services.")
class SetVariablesInput(AskedAt):
    """See gitops.operations.configuration."""

    project: str
    environment: str | None = strawberry.UNSET
    service: str | None = strawberry.UNSET
    set: list[VariableInput] | None = strawberry.UNSET
    unset: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Names of variables to remove.")

    def change(self) -> SetVariables:
        """As an operation."""
        settings = tuple(one.setting() for one in or_none(self.set) or ())
        unset = tuple(or_none(self.unset) or ())
        return SetVariables(self.project, or_none(self.environment), or_none(self.service), settings, unset)


@strawberry.input
class ValueInput:
    """A key and its value."""

    key: str = strawberry.field(description="Segments joined by dots; one that holds a dot stands in quotes.")
    value: JSON


@strawberry.input(description="Keys below lucity-app; image.* is refused (use deploy).")
class SetValuesInput(AskedAt):
    """See gitops.operations.configuration."""

    project: str
    environment: str | None = strawberry.UNSET
    set: list[ValueInput] | None = strawberry.UNSET
    unset: list[str] | None = strawberry.field(default=strawberry.UNSET, description="Keys to remove.")

    def change(self) -> SetValues:
        """As an operation."""
        settings = tuple(ValueSetting(one.key, one.value) for one in or_none(self.set) or ())
        return SetValues(self.project, or_none(self.environment), settings, tuple(or_none(self.unset) or ()))


@strawberry.type
class ConfigurationMutation:
    """Root fields."""

    @mutation("How many pods a service has in an environment.")
    async def scale(self, info: Info, input: ScaleInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "scale", input, input.change())

    @mutation("Environment variables, in an environment or for all.")
    async def set_variables(self, info: Info, input: SetVariablesInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "setVariables", input, input.change())

    @mutation("Free-form Helm values, in an environment or for all.")
    async def set_values(self, info: Info, input: SetValuesInput) -> JobResult:  # noqa: A002 - the contract's name
        """See the contract."""
        return await admitted(info, "setValues", input, input.change())
