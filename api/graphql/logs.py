"""A job's log, in pages and as a stream."""

from datetime import datetime
from typing import Self

import strawberry

from adapters.records import LogEntry, LogPage
from api.graphql.connections import PageInfo


@strawberry.type(description="One line of a job's log.")
class LogLine:
    """See adapters.records.LogEntry."""

    cursor: str
    at: datetime
    stream: str = strawberry.field(description="stdout, stderr or step.")
    text: str

    @classmethod
    def of(cls, model: LogEntry) -> Self:
        """From the log."""
        return cls(cursor=model.cursor, at=model.at, stream=model.stream, text=model.text)


@strawberry.type
class LogEdge:
    """One line with its cursor."""

    cursor: str
    node: LogLine


@strawberry.type
class LogConnection:
    """One page of a log."""

    edges: list[LogEdge]
    nodes: list[LogLine]
    page_info: PageInfo

    @classmethod
    def of(cls, page: LogPage) -> Self:
        """From the log."""
        nodes = [LogLine.of(line) for line in page.lines]
        edges = [LogEdge(cursor=node.cursor, node=node) for node in nodes]
        info = PageInfo.of([node.cursor for node in nodes], has_next=page.has_next)
        return cls(edges=edges, nodes=nodes, page_info=info)
