"""Helm in a process of its own: `python -m adapters.helm_process FD MEMORY_MIB`, started by adapters/helm_pipe.py.

helm_python is a Go runtime, which no process that forks may hold. A request is a line of JSON: {base, folder, values,
name, namespace}, where `base` names a chart and `folder` is where to load it from, null when it should be known. The
answer is a line too: {files}, {unknown: true}, or {error, values} with the chart's own words.
"""

import json
import os
import resource
import select
import socket
import sys
import threading
from collections import OrderedDict
from typing import Any

KEPT_CHARTS = 32
_MIB = 1024 * 1024
_RUNTIME_MIB = 2048
"""What Go maps besides its heap, and more: this limit is the last resort, the parent watches the resident size."""


class MissingDependency(Exception):  # noqa: N818 - a state of the chart
    """Chart.yaml declares a dependency that charts/ does not hold."""


class Helm:
    """Charts by name, the last used kept, and their rendering."""

    def __init__(self) -> None:
        import helm_python  # noqa: PLC0415 - a Go runtime starts here, after the limits and the parent's watch

        self._helm = helm_python
        self._charts: OrderedDict[str, Any] = OrderedDict()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """One answer to one request; see the module."""
        try:
            values = self._helm.values_from_yaml(request["values"])
        except self._helm.HelmError as error:
            return {"error": str(error), "values": True}
        try:
            chart = self._chart(request["base"], request["folder"])
            if chart is None:
                return {"unknown": True}
            return {"files": chart.render(values, name=request["name"], namespace=request["namespace"])}
        except (self._helm.HelmError, MissingDependency) as error:
            return {"error": str(error), "values": False}

    def _chart(self, base: str, folder: str | None) -> Any | None:
        if folder is not None and base not in self._charts:
            self._charts[base] = self._load(folder)
            if len(self._charts) > KEPT_CHARTS:
                self._charts.popitem(last=False)[1].close()
        if base in self._charts:
            self._charts.move_to_end(base)
        return self._charts.get(base)

    def _load(self, folder: str) -> Any:
        chart = self._helm.Chart.load(folder)
        present = {dependency["name"] for dependency in chart.dependencies}
        declared = [dependency["name"] for dependency in chart.metadata.get("dependencies") or []]
        missing = [name for name in declared if name not in present]
        if missing:
            # Helm's command line refuses this; its library renders without them.
            chart.close()
            raise MissingDependency(f"found in Chart.yaml, but missing in charts/ directory: {', '.join(missing)}")
        return chart


def _end_with_parent(channel: socket.socket) -> None:
    """Not PR_SET_PDEATHSIG: it fires when the parent's *thread* ends that started us."""
    parent = os.getppid()
    hangup = select.poll()
    hangup.register(channel, 0)
    while not hangup.poll(1000) and os.getppid() == parent:
        pass
    os._exit(0)


def main(descriptor: int, memory_mib: int) -> None:
    """Answer requests on a socket until the other end is gone."""
    channel = socket.socket(fileno=descriptor)
    limit = (2 * memory_mib + _RUNTIME_MIB) * _MIB
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    threading.Thread(target=_end_with_parent, args=(channel,), daemon=True).start()
    helm = Helm()
    # Go writes warnings about values to stderr; a user's values are no news of the server's.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    channel.sendall(b"{}\n")
    with channel.makefile("rb") as lines:
        for line in lines:
            channel.sendall(json.dumps(helm.answer(json.loads(line))).encode() + b"\n")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
