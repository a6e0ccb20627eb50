"""The versions of chart lucity-app that this server carries, read from charts/ beside the code."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

CHARTS = Path(__file__).parent.parent / "charts"


@cache
def carried_charts() -> Mapping[str, Mapping[str, bytes]]:
    """Version → {path inside the chart: bytes}, paths sorted. Read once. Raises FileNotFoundError without charts/."""
    folder = CHARTS / "lucity-app"
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {_version(files["Chart.yaml"].decode()): {name: files[name] for name in sorted(files)}}


def _version(chart: str) -> str:
    found = re.search(r"^version: (\S+)$", chart, re.MULTILINE)
    if found is None:
        raise ValueError("charts/lucity-app/Chart.yaml has no version")
    return found[1]
