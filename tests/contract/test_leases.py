"""Leases on a real Valkey."""

from collections.abc import Iterator

import pytest

from tests.support.redis_ports import RedisPorts, redis_ports, until
from tests.support.valkey import ValkeyServer, valkey_server


@pytest.fixture(scope="module")
def server() -> Iterator[ValkeyServer]:
    with valkey_server() as running:
        yield running


@pytest.fixture
def redis(server: ValkeyServer) -> Iterator[RedisPorts]:
    ports = redis_ports(server.url)
    ports.client.flushall()
    yield ports
    ports.client.close()


def test_a_lease_has_one_holder_until_it_is_given_up_or_expires(redis: RedisPorts) -> None:
    assert redis.leases.acquire("observer", "a", 60)
    assert redis.leases.acquire("observer", "a", 60)
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "b")
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "a")
    assert redis.leases.acquire("observer", "b", 0.05)
    until(lambda: redis.leases.acquire("observer", "a", 60), "the lease to expire")
