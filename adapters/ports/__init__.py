"""The ports: what Lucity asks of the outside, each small, synchronous and typed. Real ones: one file per system in
adapters/. Twins: tests/fakes.py. `adapters/wiring.py` builds them from settings.
"""

from adapters.ports.builds import Builder, BuildOrder, Checkout, Registry, Sources
from adapters.ports.cluster import Cluster, Delivery, Renderer, Secrets
from adapters.ports.failures import MissingCommit, StaleClaim, Stopped, Unreachable
from adapters.ports.git import GitHost, History, Repositories, Snapshot
from adapters.ports.work import Bell, Claims, Events, Leases, Ledger, Statuses

__all__ = [
    "Bell",
    "BuildOrder",
    "Builder",
    "Checkout",
    "Claims",
    "Cluster",
    "Delivery",
    "Events",
    "GitHost",
    "History",
    "Leases",
    "Ledger",
    "MissingCommit",
    "Registry",
    "Renderer",
    "Repositories",
    "Secrets",
    "Snapshot",
    "Sources",
    "StaleClaim",
    "Statuses",
    "Stopped",
    "Unreachable",
]
