"""The settings as a table in Markdown, as docs/operations.md holds them."""

import json
from pathlib import Path
from typing import Any

from adapters.settings import Settings

_HEAD = ("| variable | default | meaning |", "|---|---|---|")


def render() -> str:
    """One line per setting, in the order of adapters/settings.py."""
    rows = (
        f"| `LUCITY_{name.upper()}` | {_shown(field.default)} | {_cell(field.description or '')} |"
        for name, field in Settings.model_fields.items()
    )
    return "".join(f"{line}\n" for line in (*_HEAD, *rows))


def _shown(default: Any) -> str:
    match default:
        case None:
            return ""
        case bool():
            return f"`{str(default).lower()}`"
        case str() | Path():
            return f"`{default}`"
        case _:
            return f"`{json.dumps(default)}`"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "\\<")
