"""Fields with resolvers, described."""

from collections.abc import Callable
from typing import Any

import strawberry


def field(description: str) -> Callable[[Callable[..., object]], Any]:
    """A field that its method resolves."""

    def decorate(resolver: Callable[..., object]) -> Any:
        return strawberry.field(resolver, description=description)

    return decorate
