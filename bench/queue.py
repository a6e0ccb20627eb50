"""500 queued changes on one repository, against as many single pushes to the same host; and changes a second.

The queue is filled while the worker stands still. Single pushes are sampled and scaled: 500 of them would take minutes.
Wall time of the worker is from when it goes on to when the last job has ended.
"""

import os
import time
from pathlib import Path

from bench import _support
from bench.admission import deploy, still
from bench.change import pushes
from tests.support.git import delay_pushes
from tests.support.product import Product

CHANGES = 500
SAMPLE = 20
ROUNDS = 3


def main() -> None:
    """Print the figures."""
    with _support.lucity() as product:
        product.found("shop", services=("api", "web"))
        product.found("plain")
        push = pushes(product.repository("plain"), product.up.data.parent / "clone", 2 * ROUNDS * SAMPLE)
        for name, seconds, aim in (("local host", 0.0, ">= 200 a second"), ("slow host", 0.3, ">= 20x")):
            for project in ("shop", "plain"):
                delay_pushes(product.repository(project), seconds)
            _support.title(f"{CHANGES} queued changes, {name}, hook sleeps {seconds} s (aim: {aim})")
            for _ in range(ROUNDS):
                single = _support.median([_support.seconds(push) for _ in range(SAMPLE)])
                worked, processor = drained(product)
                print(
                    f"  {CHANGES} changes {worked:6.2f} s, {CHANGES / worked:4.0f} a second, each"
                    f" {worked / CHANGES * 1e3:.1f} ms, {processor / CHANGES * 1e3:.1f} ms of a processor;"
                    f"  single push {single * 1e3:4.0f} ms (median of {SAMPLE}), {CHANGES} of them"
                    f" {single * CHANGES:5.1f} s;  {single * CHANGES / worked:.1f}x",
                    flush=True,
                )


def drained(product: Product) -> tuple[float, float]:
    """Fill the queue; how long the worker takes to bring every job of it to its end, and the processor time that this
    costs all processes of Lucity: on a busy machine it tells what the wall clock would be on another.
    """
    ask, redis = deploy(product, keyed=False), product.valkey()
    with still(product):
        for _ in range(CHANGES):
            ask()
        started, before = time.perf_counter(), processor_seconds(product)
    while redis.exists("lucity:unfinished:shop"):
        time.sleep(0.005)
    return time.perf_counter() - started, processor_seconds(product) - before


def processor_seconds(product: Product) -> float:
    """What all living processes have used, and those that they waited for."""
    fields = (Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in product.up.processes())
    return sum(sum(map(int, field[11:15])) for field in fields) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
