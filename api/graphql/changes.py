"""What a commit changed, value by value."""

from typing import Self

import strawberry

from api.graphql.scalars import JSON
from gitops.history import FileChange
from gitops.values import ChangeKind


@strawberry.type(description="One value that a commit changed; null is a legal value, so `kind` tells.")
class ValueChange:
    """A key is its segments joined by dots; a segment that holds a dot is a JSON string in quotes."""

    path: str = strawberry.field(description="The file.")
    environment_name: str | None = strawberry.field(description="Null: base/, or the project.")
    key: str = strawberry.field(
        description="Segments joined by dots; one that holds a dot stands in quotes, as a JSON string."
    )
    kind: ChangeKind
    before: JSON | None
    after: JSON | None

    @classmethod
    def of(cls, model: FileChange) -> Self:
        """From the structural difference of two trees."""
        return cls(
            path=model.path,
            environment_name=model.environment,
            key=model.key,
            kind=model.kind,
            before=JSON(model.before),
            after=JSON(model.after),
        )
