"""The forges that there are, by the names that stand in the addresses of webhooks."""

from collections.abc import Mapping
from typing import Final, Protocol

from adapters.forges import generic, gitea, github, gitlab
from adapters.forges.deliveries import Delivery
from adapters.forges.payloads import Headers


class Forge(Protocol):
    """One way to sign and to tell a delivery; each module of this package that is named after one."""

    def verify(self, headers: Headers, body: bytes, secret: bytes) -> bool:
        """Whether who sent it knows the secret."""
        ...

    def parse(self, headers: Headers, body: bytes) -> Delivery | None:
        """What it says; None for what is of no interest. Raises Unreadable."""
        ...


FORGES: Final[Mapping[str, Forge]] = {"github": github, "gitlab": gitlab, "gitea": gitea, "generic": generic}
