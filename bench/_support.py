"""What the benchmarks share: samples taken in turns, figures of them, ratios against a reference of the same run."""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.product import Product
from tests.support.up import running

FULL = "--full" in sys.argv
"""Whether to take the minutes that the largest sizes need."""
Samples = Mapping[str, Sequence[float]]


def in_turns(rounds: int, subjects: Mapping[str, Callable[[], object]], *, warm: int = 1) -> dict[str, list[float]]:
    """Seconds of each call, the subjects one after the other in every round, so that all meet the same machine."""
    for _ in range(warm):
        for subject in subjects.values():
            subject()
    samples: dict[str, list[float]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, subject in subjects.items():
            samples[name].append(seconds(subject))
    return samples


def seconds(subject: Callable[[], object]) -> float:
    """How long one call takes."""
    started = time.perf_counter()
    subject()
    return time.perf_counter() - started


def percentile(samples: Sequence[float], hundredths: int) -> float:
    """The smallest sample that so many of a hundred do not exceed."""
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, -(-len(ordered) * hundredths // 100) - 1)]


def median(samples: Sequence[float]) -> float:
    """The sample in the middle."""
    return statistics.median(samples)


def show(samples: Samples, reference: str | None = None) -> None:
    """Print one line for each subject, in milliseconds, with the ratio to the reference."""
    width = max(map(len, samples))
    for name, taken in samples.items():
        line = (
            f"  {name:{width}}  min {min(taken) * 1e3:8.2f}  p50 {median(taken) * 1e3:8.2f}"
            f"  p99 {percentile(taken, 99) * 1e3:8.2f} ms  n {len(taken)}"
        )
        if reference is not None and name != reference:
            line += f"  ratio {median(taken) / median(samples[reference]):.2f}x"
        print(line, flush=True)


def title(text: str) -> None:
    """Print what is measured now, with the machine's load, by which the absolute figures have to be read."""
    print(f"{text}  (load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)", flush=True)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for one run."""
    with tempfile.TemporaryDirectory(prefix="lucity-bench-") as made:
        yield Path(made)


@contextmanager
def lucity(**variables: str) -> Iterator[Product]:
    """A ready `lucity up` with the settings it has by default, and these."""
    with folder() as place, running(place / "data", variables=variables) as up:
        product = Product(up)
        try:
            yield product
        finally:
            product.asks.close()
