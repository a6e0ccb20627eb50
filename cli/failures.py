"""Why Lucity does not start, said to a person.

StartFailed             what failed, on what, what to do next
"""


class StartFailed(Exception):  # noqa: N818 - a state, told to a person
    """Lucity does not start."""
