"""1,000 WebSocket subscribers on one environment: from the event to the last of them, and Redis reads for each event.

Against the plainest WebSocket server that sends the same to as many. The clients of each are a process of their own.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from redis import Redis

from adapters.redis_client import connect
from adapters.settings import Settings
from adapters.statuses import RedisStatuses
from bench import _reference, _support
from bench._subscribers import mark_of
from gitops.rollouts import HealthStatus, Observation, SyncStatus
from tests.support.product import Product

SUBSCRIBERS = 1000
EVENTS = 40
COUNTED = 20
PAUSE_SECONDS = 0.25
READS = ("xread", "xrange", "xrevrange", "get", "hget", "hmget", "hgetall", "evalsha")


@dataclass(frozen=True)
class Clients:
    """A running process of clients, and what makes the event that they hear."""

    process: "subprocess.Popen[str]"
    tell: Callable[[int], object]

    def hear(self, number: int) -> list[float]:
        """One event; seconds until each client had it."""
        started = time.perf_counter()
        self.tell(number)
        return sorted(at - started for at in json.loads(self.line()))

    def line(self) -> str:
        """The next line of the process."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the clients ended early"
        return line


def main() -> None:
    """Print the figures."""
    with _support.lucity() as product, _reference.running(product) as plain:
        product.found("shop")
        redis = product.valkey()
        status = telling(product, redis)
        with (
            clients(plain, "/listen", lambda number: echo(product, number)) as reference,
            clients(product.up.url, "/graphql", status, product.up.token) as ours,
        ):
            _support.title(f"{SUBSCRIBERS} subscribers, one event (aim: p99 at most 250 ms)")
            samples = heard({"plain WebSocket server": reference, "environmentStatus": ours})
            for which, place in (("the last subscriber", -1), ("any subscriber, p99 of each event", -SUBSCRIBERS // 100)):
                print(f"  {which}:")
                _support.show(
                    {name: [times[place] for times in all_times] for name, all_times in samples.items()},
                    "plain WebSocket server",
                )
            with_all = commands(redis, status)
        with_none = commands(redis, status)
        print(f"  commands for each event, in all processes, with {SUBSCRIBERS} subscribers and with none:")
        print("   ", "  ".join(f"{name} {with_all[name]:.1f} {with_none[name]:.1f}" for name in READS))


def heard(subjects: dict[str, Clients]) -> dict[str, list[list[float]]]:
    """Events to each in turns."""
    samples: dict[str, list[list[float]]] = {name: [] for name in subjects}
    for number in range(EVENTS):
        for name, subject in subjects.items():
            time.sleep(PAUSE_SECONDS)
            samples[name].append(subject.hear(number))
    return samples


def telling(product: Product, redis: Redis) -> Callable[[int], None]:
    """What the observer does when the delivery says something new."""
    arguments = redis.connection_pool.connection_kwargs
    url = f"redis://:{arguments['password']}@{arguments['host']}:{arguments['port']}/0"
    statuses = RedisStatuses(connect(url), Settings(data=product.up.data))

    def tell(number: int) -> None:
        now, synced, healthy = datetime.now(UTC), SyncStatus.SYNCED, HealthStatus.HEALTHY
        said = Observation("shop", "development", None, synced, healthy, mark_of(number), None, now)
        statuses.observe([said], [], heads={})

    return tell


def echo(product: Product, number: int) -> None:
    """The same for the plain server, which reads another database of the same Valkey."""
    answer = {"cursor": f"0.{number}", "status": {"sync": "SYNCED", "health": "HEALTHY", "revision": mark_of(number)}}
    text = json.dumps({"id": "1", "type": "next", "payload": {"data": {"environmentStatus": answer}}})
    with product.valkey() as redis:
        redis.execute_command("SELECT", 9)
        redis.xadd(_reference.STREAM, {"text": text})


@contextmanager
def clients(url: str, path: str, tell: Callable[[int], object], token: str = "-") -> Iterator[Clients]:
    """Subscribed clients, ended with the block."""
    address = urlsplit(url)
    place = [str(address.hostname), str(address.port), path, token, str(SUBSCRIBERS), str(EVENTS)]
    command = [sys.executable, "-m", "bench._subscribers", *place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            made = Clients(process, tell)
            assert made.line() == "ready\n"
            yield made
        finally:
            process.kill()


def commands(redis: Redis, status: Callable[[int], object]) -> dict[str, float]:
    """Commands that Redis carries out for each event, those of its own writing included."""
    redis.config_resetstat()
    for number in range(COUNTED):
        status(EVENTS + number)
        time.sleep(PAUSE_SECONDS)
    found: dict[str, dict[str, float]] = redis.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): figures["calls"] / COUNTED for name, figures in found.items()}
    return {name: calls.get(name, 0.0) for name in READS}


if __name__ == "__main__":
    main()
