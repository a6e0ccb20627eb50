"""The ports: what Lucity asks of the outside, each small, synchronous and typed. Real ones: one file per system in
adapters/. Twins: tests/fakes.py. `adapters/wiring.py` builds them from settings.
"""

from adapters.ports.builds import Builder, BuildOrder, Checkout, Registry, Sources, never
from adapters.ports.cluster import Cluster, Delivery, Renderer, ResourceTrees, Secrets
from adapters.ports.failures import MissingCommit, Outpaced, StaleClaim, StaleLead, Stopped, Unreachable
from adapters.ports.git import GitHost, History, Repositories, Snapshot
from adapters.ports.logs import PodLine, PodLogs
from adapters.ports.work import Bell, Claims, Events, Followed, Leases, Ledger, Requests, Statuses

__all__ = [
    "Bell",
    "BuildOrder",
    "Builder",
    "Checkout",
    "Claims",
    "Cluster",
    "Delivery",
    "Events",
    "Followed",
    "GitHost",
    "History",
    "Leases",
    "Ledger",
    "MissingCommit",
    "Outpaced",
    "PodLine",
    "PodLogs",
    "Registry",
    "Renderer",
    "Repositories",
    "Requests",
    "ResourceTrees",
    "Secrets",
    "Snapshot",
    "Sources",
    "StaleClaim",
    "StaleLead",
    "Statuses",
    "Stopped",
    "Unreachable",
    "never",
]
