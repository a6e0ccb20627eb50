"""What a port raises besides Refused: states of the outside, the mirror, the claim and the reader."""

from datetime import datetime


class Unreachable(Exception):  # noqa: N818 - a state of the outside
    """A system does not answer; `component` is git, redis, delivery, cluster, source, builder, registry."""

    def __init__(self, component: str, message: str) -> None:
        super().__init__(message)
        self.component = component


class MissingCommit(Exception):  # noqa: N818 - a state of the mirror
    """The mirror does not hold this commit."""


class StaleClaim(Exception):  # noqa: N818 - a state of the claim
    """The claim expired and its jobs belong to somebody else, or to the queue."""


class StaleLead(Exception):  # noqa: N818 - a state of the lease
    """Somebody else leads, or soon will; what this one remembers may be wrong by now."""


class Stopped(Exception):  # noqa: N818 - what was asked for
    """Work was ended because somebody asked for it; nothing of it is left running."""


class Outpaced(Exception):  # noqa: N818 - a state of the reader
    """Lines come faster than they are taken, and reading was given up; `at` is when the last one taken was written."""

    def __init__(self, at: datetime | None) -> None:
        super().__init__("lines come faster than they are taken")
        self.at = at
