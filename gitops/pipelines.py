"""The project's pipeline: the ways by which versions go from one environment to the next, as project.yaml says it."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Final

from gitops.problems import InvalidRepository
from gitops.values import Values
from gitops.yamltext import Document

Edge = tuple[str, str]
PIPELINE: Final = "pipeline"


def edges_of(values: Values) -> tuple[Edge, ...]:
    """(from, to) in the order written; what is no such pair is passed over."""
    written = values.get(PIPELINE)
    found = [_edge(each) for each in written] if isinstance(written, list) else []
    return tuple(edge for edge in found if edge)


def pipeline_problems(document: Document, path: str) -> Iterator[InvalidRepository]:
    """What is wrong with the pipeline: it must be pairs of environments, and lead nowhere in a circle."""
    written, line = document.data.get(PIPELINE), document.line_of((PIPELINE,))
    for fault in pipeline_faults([] if written is None else written):
        yield InvalidRepository(f"{path}:{line}: {PIPELINE} {fault}", path, line)


def pipeline_faults(written: object) -> Iterator[str]:
    """As `pipeline_problems`, of a value alone."""
    if not (isinstance(written, list) and all(map(_edge, written))):
        yield "must be a list of {from, to}"
    order: TopologicalSorter[str] = TopologicalSorter()
    for source, goal in edges_of({PIPELINE: written}):
        order.add(goal, source)
    try:
        order.prepare()
    except CycleError as error:
        yield f"leads in a circle: {' → '.join(error.args[1])}"


def _edge(written: object) -> Edge | None:
    source, goal = (written.get("from"), written.get("to")) if isinstance(written, dict) else (None, None)
    return (source, goal) if isinstance(source, str) and isinstance(goal, str) else None
