"""Connections: pages with cursors, `first` bounded to 100."""

from collections.abc import Callable, Sequence
from typing import Generic, Self, TypeVar

import strawberry

from gitops.problems import invalid

DEFAULT_PAGE = 20
LARGEST_PAGE = 100
T = TypeVar("T")


@strawberry.type
class PageInfo:
    """Where a page ends and whether more follow."""

    has_next_page: bool
    start_cursor: str | None
    end_cursor: str | None = strawberry.field(description="As `after` of the next page.")

    @classmethod
    def of(cls, cursors: Sequence[str], *, has_next: bool) -> Self:
        """For a page with these cursors."""
        return cls(
            has_next_page=has_next,
            start_cursor=cursors[0] if cursors else None,
            end_cursor=cursors[-1] if cursors else None,
        )


@strawberry.type
class Edge(Generic[T]):
    """One item of a page with its cursor."""

    cursor: str = strawberry.field(description="As `after`: what follows this one.")
    node: T


@strawberry.type
class Connection(Generic[T]):
    """One page."""

    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo

    @classmethod
    def of(cls, nodes: Sequence[T], cursor: Callable[[T], str], *, has_next: bool) -> Self:
        """A page of these nodes."""
        edges = [Edge(cursor=cursor(node), node=node) for node in nodes]
        return cls(
            edges=edges, nodes=list(nodes), page_info=PageInfo.of([edge.cursor for edge in edges], has_next=has_next)
        )


def page_size(first: int | None, default: int = DEFAULT_PAGE) -> int:
    """`first`, or the default for null. Raises Refused(InvalidInput) outside of 0 to 100."""
    size = default if first is None else first
    if not 0 <= size <= LARGEST_PAGE:
        raise invalid("first", f"first is {size}: ask for 0 to {LARGEST_PAGE} items, and for more by the endCursor.")
    return size
