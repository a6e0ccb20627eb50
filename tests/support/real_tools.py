"""Real programs for tests, built by `make real-tools` from Go modules with pinned versions below tests/real."""

import hashlib
import os
from pathlib import Path

import pytest

_REAL = Path(__file__).parents[1] / "real"
_GIVEN = {"kubernetes": "LUCITY_REAL_TOOLS", "compose": "LUCITY_REAL_COMPOSE"}
"""By module, the variable that names a folder of ready ones."""


def real_tool(name: str, module: str = "kubernetes") -> Path:
    """The binary; skips the test where it was not built, fails it where CI did build them."""
    given = os.environ.get(_GIVEN[module])
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lucity" / "real-tools"
    pins = (_REAL / module / "go.sum").read_bytes()
    folder = Path(given) if given else cache / hashlib.sha256(pins).hexdigest()[:16]
    if not (folder / name).exists():
        message = f"{name} is not in {folder}: make real-tools builds it (needs Go)"
        if given:
            pytest.fail(message)
        pytest.skip(message)
    return folder / name
