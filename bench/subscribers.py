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
PLAIN = "plain WebSocket server"
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
            clients(plain, "/listen", "-", lambda number: echo(product, number)) as reference,
            clients(product.up.url, "/graphql", product.up.token, status) as ours,
        ):
            _support.title(f"{SUBSCRIBERS} subscribers, one event (aim: p99 at most 250 ms)")
            samples = heard({PLAIN: reference, "environmentStatus, the last of them": ours})
            _support.show(last(samples), PLAIN)
            with_all = commands(redis, status)
        with_none = commands(redis, status)
        print(f"  commands for one event, API and observer together, with {SUBSCRIBERS} subscribers and with none:")
        print("   ", "  ".join(f"{name} {with_all[name]:.1f} {with_none[name]:.1f}" for name in READS))


def heard(subjects: dict[str, Clients]) -> dict[str, list[list[float]]]:
    """Events to each in turns."""
    samples: dict[str, list[list[float]]] = {name: [] for name in subjects}
    for number in range(EVENTS):
        for name, subject in subjects.items():
            time.sleep(PAUSE_SECONDS)
            samples[name].append(subject.hear(number))
    return samples


def last(samples: dict[str, list[list[float]]]) -> dict[str, list[float]]:
    """Of each event, when the last subscriber had it."""
    return {name: [times[-1] for times in events] for name, events in samples.items()}


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
def clients(url: str, path: str, token: str, tell: Callable[[int], object]) -> Iterator[Clients]:
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
    """Commands that Redis carries out for each event, less what it does in the same time without; those of writing the
    event are among them.
    """
    busy, idle = (counted(redis, what) for what in (status, lambda _number: None))
    return {name: (busy.get(name, 0) - idle.get(name, 0)) / COUNTED for name in READS}


def counted(redis: Redis, tell: Callable[[int], object]) -> dict[str, float]:
    """Commands while so many events happen."""
    redis.config_resetstat()
    for number in range(COUNTED):
        tell(EVENTS + number)
        time.sleep(PAUSE_SECONDS)
    found: dict[str, dict[str, float]] = redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in found.items()}


if __name__ == "__main__":
    main()
