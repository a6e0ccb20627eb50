"""Builds every port from settings, in one place. Nothing is opened before it is used."""

from dataclasses import dataclass

from adapters.failpoints import Failpoints
from adapters.ports import (
    Bell,
    Claims,
    Delivery,
    Events,
    GitHost,
    History,
    Leases,
    Ledger,
    Renderer,
    Repositories,
    Secrets,
    Statuses,
)
from adapters.settings import Settings
from adapters.tokens import Tokens


@dataclass(frozen=True)
class Ports:
    """All that operations may ask of the outside."""

    settings: Settings
    githost: GitHost
    repositories: Repositories
    history: History
    renderer: Renderer
    ledger: Ledger
    claims: Claims
    events: Events
    statuses: Statuses
    leases: Leases
    delivery: Delivery
    secrets: Secrets
    tokens: Tokens
    bell: Bell
    failpoints: Failpoints
