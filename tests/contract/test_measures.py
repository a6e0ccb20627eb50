"""Figures, uses of tokens and health checks on a real Valkey, and without it."""

from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

from adapters.measures import Measures
from adapters.ports import Unreachable
from adapters.probes import redis_probe, worker_probe
from adapters.redis_client import connect
from adapters.token_uses import TokenUses
from api.events import Hub
from api.metrics import Figures
from tests.support.graphql_server import MemoryLog
from tests.support.redis_ports import RedisPorts

NOW = datetime(2026, 11, 23, tzinfo=UTC)
NOBODY = "redis://127.0.0.1:1/0"


def test_what_workers_observe_is_a_histogram_on_the_metrics_page(redis: RedisPorts) -> None:
    measures = Measures(redis.client)
    for seconds in (0.02, 0.2, 99.0):
        measures.observe("push_seconds", seconds)
    log = MemoryLog()
    figures = Figures(Hub(log, log), list, Measures(redis.client).read)
    page = TestClient(Starlette(routes=[Route("/metrics", figures.answer)])).get("/metrics").text
    samples = {
        (sample.name, sample.labels.get("le")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }
    assert samples["lucity_push_seconds_bucket", "0.025"] == 1
    assert samples["lucity_push_seconds_bucket", "0.25"] == 2
    assert samples["lucity_push_seconds_bucket", "+Inf"] == 3
    assert samples["lucity_push_seconds_count", None] == 3
    assert samples["lucity_push_seconds_sum", None] == pytest.approx(99.22)


def test_a_tokens_use_is_written_at_most_once_a_minute(redis: RedisPorts) -> None:
    uses = TokenUses(redis.client)
    for seconds in (0, 30, 59):
        uses.note("tok_1", NOW + timedelta(seconds=seconds))
        uses.flush()
    assert TokenUses(redis.client).read() == {"tok_1": NOW}
    uses.note("tok_1", NOW + timedelta(seconds=61))
    uses.flush()
    assert uses.read() == {"tok_1": NOW + timedelta(seconds=61)}


def test_without_redis_nothing_is_told_and_nothing_fails() -> None:
    client = connect(NOBODY)
    uses = TokenUses(client)
    uses.note("tok_1", NOW)
    uses.flush()
    Measures(client).observe("batch_size", 3)
    assert uses.read() == {}
    assert Measures(client).read() == {}
    with pytest.raises(Unreachable):
        redis_probe(client)


def test_a_redis_that_keeps_everything_is_ready_and_another_is_not(redis: RedisPorts) -> None:
    assert redis_probe(redis.client) == ""
    redis.client.config_set("appendfsync", "everysec")
    assert "appendfsync" in redis_probe(redis.client)
    redis.client.config_set("appendfsync", "always")


def test_a_worker_is_alive_while_somebody_sweeps(redis: RedisPorts) -> None:
    assert "no worker" in worker_probe(redis.client)
    assert redis.leases.acquire("sweep", "worker-1", 60)
    assert worker_probe(redis.client) == ""
