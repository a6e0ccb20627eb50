"""What was heard of requests, on a real Valkey."""

from datetime import UTC, datetime, timedelta

import pytest

from tests.support.redis_ports import RedisPorts

NEVER = datetime(1, 1, 1, tzinfo=UTC)
"""Go's time that nobody set, as some forges send it."""
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize("moment", [NEVER, NOON])
def test_what_is_older_changes_nothing_and_closed_beats_open(redis: RedisPorts, moment: datetime) -> None:
    later = moment + timedelta(minutes=1)
    assert redis.requests.hear("shop", 7, later, is_open=True)
    assert not redis.requests.hear("shop", 7, moment, is_open=False)
    assert redis.requests.hear("shop", 7, later, is_open=False)
    assert not redis.requests.hear("shop", 7, later, is_open=True)
    assert redis.requests.closed("shop") == {7}
    assert redis.requests.hear("shop", 7, later + timedelta(minutes=1), is_open=True)
    assert redis.requests.closed("shop") == set()
