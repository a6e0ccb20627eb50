"""Environment variables of services, with the place that each value comes from."""

from typing import Self

import strawberry

from gitops.services import Variable as Model
from gitops.services import VariableScope


@strawberry.type(description="A key of a Kubernetes Secret.")
class SecretKey:
    """Names only; Lucity never reads the value."""

    secret: str = strawberry.field(description="The name of the Secret in the namespace of the environment.")
    key: str


@strawberry.type(description="A variable and where its value comes from.")
class Variable:
    """Exactly one of `value` and `fromSecret` is set."""

    name: str
    value: str | None = strawberry.field(description="Null when it is read from a Secret.")
    scope: VariableScope
    from_secret: SecretKey | None = strawberry.field(
        description="Where it is read from by the pods; Lucity never reads it."
    )

    @classmethod
    def of(cls, model: Model) -> Self:
        """From merged values."""
        secret = model.from_secret
        return cls(
            name=model.name,
            value=model.value,
            scope=model.scope,
            from_secret=SecretKey(secret=secret.secret, key=secret.key) if secret else None,
        )
