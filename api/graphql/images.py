"""Container images as values name them."""

from typing import Self

import strawberry

from gitops.commits import Image as Model


@strawberry.type(description="A container image.")
class Image:
    """See gitops.commits.Image."""

    repository: str
    tag: str
    digest: str | None
    reference: str = strawberry.field(description="repository:tag[@digest]")

    @classmethod
    def of(cls, model: Model) -> Self:
        """From values."""
        return cls(repository=model.repository, tag=model.tag, digest=model.digest, reference=model.reference)
