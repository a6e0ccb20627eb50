"""Whether Helm accepts a commit: every environment that it concerns, before anything is pushed."""

from adapters.wiring import Ports
from gitops import layout
from gitops.problems import Refused
from gitops.tree import Tree, Writes


def concerned(writes: Writes, after: Tree) -> tuple[str, ...]:
    """Environments whose folder was written, there or gone; all there are when base/ was. Sorted."""
    named = {name for path in writes if (name := layout.environment_of(path))}
    if any(layout.touches(path, layout.BASE) for path in writes):
        named.update(after.folder(layout.ENVIRONMENTS))
    return tuple(sorted(named))


def check_renders(ports: Ports, project: str, before: Tree, after: Tree, writes: Writes) -> None:
    """Raise Refused when the commit breaks an environment; one that it does not touch may have been broken before."""
    touched = {layout.environment_of(path) for path in writes}
    by_base = any(layout.touches(path, layout.BASE) for path in writes)
    for environment in concerned(writes, after):
        values = layout.environment_values(environment)
        if after.read(values) is None or not (by_base or values in writes):
            continue
        try:
            ports.renderer.check(after, project, environment)
        except Refused:
            if environment in touched or _renders(ports, before, project, environment):
                raise


def _renders(ports: Ports, tree: Tree, project: str, environment: str) -> bool:
    try:
        ports.renderer.check(tree, project, environment)
    except Refused:
        return False
    return True
