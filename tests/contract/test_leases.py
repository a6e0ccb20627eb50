"""Leases on a real Valkey."""

from tests.support.redis_ports import RedisPorts, until


def test_a_lease_has_one_holder_until_it_is_given_up_or_expires(redis: RedisPorts) -> None:
    assert redis.leases.acquire("observer", "a", 60)
    assert redis.leases.acquire("observer", "a", 60)
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "b")
    assert not redis.leases.acquire("observer", "b", 60)
    redis.leases.release("observer", "a")
    assert redis.leases.acquire("observer", "b", 0.05)
    until(lambda: redis.leases.acquire("observer", "a", 60), "the lease to expire")
