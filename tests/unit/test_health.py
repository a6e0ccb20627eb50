"""Checks of components: what they say, and who is asked."""

from functools import partial

from adapters.ports import Unreachable
from api.health import checks_by


def test_a_component_left_out_is_not_asked() -> None:
    asked: list[str] = []

    def probe(name: str) -> str:
        asked.append(name)
        return ""

    checks = checks_by({"redis": partial(probe, "redis"), "git": partial(probe, "git")})
    assert [check.name for check in checks(["git", "unheard of"])] == ["redis"]
    assert asked == ["redis"]
    assert [check.name for check in checks()] == ["redis", "git"]


def test_a_probe_that_fails_is_a_component_that_is_not_ready() -> None:
    def unreachable() -> str:
        raise Unreachable("git", "it does not answer")

    def mistaken() -> str:
        raise RuntimeError("boom")

    found = checks_by({"git": unreachable, "disk": mistaken, "redis": lambda: ""})()
    assert [(check.name, check.healthy, check.message) for check in found] == [
        ("git", False, "it does not answer"),
        ("disk", False, "the check itself failed: RuntimeError"),
        ("redis", True, None),
    ]
