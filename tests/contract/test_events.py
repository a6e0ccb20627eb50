"""The event log, its cursors and its tail, and the logs of jobs, on a real Valkey."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapters.event_entries import sequence
from adapters.records import Event, EventKind
from gitops.problems import InvalidInput, Refused
from tests.support.redis_ports import RedisPorts, a_job, redis_ports
from tests.support.valkey import ValkeyServer


def test_an_empty_log_has_a_position_and_nothing_after_it(redis: RedisPorts) -> None:
    position = redis.events.position()
    assert sequence(position) == 0
    assert redis.events.position() == position
    page = redis.events.after(position)
    assert (page.events, page.position, page.gap) == ((), position, False)


def test_sequences_are_contiguous_whoever_writes(redis: RedisPorts) -> None:
    start = redis.events.position()
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(redis.ledger.admit, [a_job() for _ in range(40)]))
    told = redis.told(start)
    assert [sequence(event.cursor) for event in told] == list(range(1, 41))
    assert {event.cursor.partition(".")[0] for event in told} == {start.partition(".")[0]}


def test_pages_of_the_log_join_without_gap_or_double(redis: RedisPorts) -> None:
    cursor = start = redis.events.position()
    redis.admit(*(a_job() for _ in range(7)))
    seen: list[Event] = []
    while (page := redis.events.after(cursor, 3)).events:
        seen += page.events
        cursor = page.position
    assert seen == redis.told(start)
    assert cursor == redis.events.position()


@pytest.mark.parametrize(
    "cursor", ["", "nonsense", "abc", "abc.", ".1", "abc.-1", "abc.01", "abc.1.2", "ABC.1", "abc.1\n"]
)
def test_a_malformed_cursor_is_refused(redis: RedisPorts, cursor: str) -> None:
    with pytest.raises(Refused) as caught:
        redis.events.after(cursor)
    assert isinstance(caught.value.problem, InvalidInput)


def test_a_cursor_that_was_trimmed_is_a_gap_and_the_last_one_before_is_not(
    valkey: ValkeyServer, redis: RedisPorts
) -> None:
    start = redis.events.position()
    epoch = start.partition(".")[0]
    redis.admit(*(a_job() for _ in range(10)))
    small = redis_ports(valkey.url, events_kept=4)
    small.claims.sweep(1)
    assert redis.events.after(f"{epoch}.5").gap
    assert redis.events.after(start).position == redis.events.position()
    assert [sequence(event.cursor) for event in redis.events.after(f"{epoch}.6").events] == [7, 8, 9, 10]
    small.client.close()


def test_old_events_are_trimmed_by_their_own_time(valkey: ValkeyServer, redis: RedisPorts) -> None:
    start = redis.events.position()
    redis.admit(*(a_job() for _ in range(5)))
    redis.claims.sweep(1)
    assert not redis.events.after(start).gap
    forgetful = redis_ports(valkey.url, event_hours=0)
    end = redis.events.position()
    while not redis.events.after(start).gap:
        forgetful.claims.sweep(1)
    page = redis.events.after(end)
    assert (page.gap, page.events) == (False, ())
    (job,) = redis.admit(a_job())
    assert [event.job for event in redis.events.after(end).events] == [job]
    forgetful.client.close()


def test_a_cursor_ahead_of_the_log_is_a_gap(redis: RedisPorts) -> None:
    epoch = redis.events.position().partition(".")[0]
    assert redis.events.after(f"{epoch}.1").gap


def test_a_log_that_was_lost_begins_a_new_epoch(redis: RedisPorts) -> None:
    redis.admit(a_job())
    before = redis.events.position()
    redis.client.flushall()
    redis.admit(a_job())
    page = redis.events.after(before)
    assert (page.gap, page.events, page.position) == (True, (), redis.events.position())
    assert page.position.partition(".")[0] != before.partition(".")[0]


def test_a_head_moves_once_and_tells_its_commits_in_order(redis: RedisPorts) -> None:
    assert redis.events.advance_head("shop", None, "a1", [("a1", ["development"])])
    start = redis.events.position()
    commits = [("b2", ["development"]), ("c3", ["staging", "production"]), ("d4", [])]
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda _: redis.events.advance_head("shop", "a1", "d4", commits), range(8)))
    assert sorted(answers) == [False] * 7 + [True]
    told = redis.told(start)
    assert [(event.kind, event.commit, event.environments, event.head) for event in told] == [
        (EventKind.COMMIT, "b2", ("development",), "d4"),
        (EventKind.COMMIT, "c3", ("staging", "production"), "d4"),
        (EventKind.COMMIT, "d4", (), "d4"),
    ]
    assert {event.environment for event in told} == {None}
    assert redis.events.heads(["shop", "unknown"]) == {"shop": "d4"}
    assert redis.events.heads([]) == {}


def test_the_first_sight_of_a_project_tells_nothing(redis: RedisPorts) -> None:
    start = redis.events.position()
    assert redis.events.advance_head("shop", None, "b2", [("a1", []), ("b2", [])])
    assert redis.told(start) == []
    assert not redis.events.advance_head("shop", None, "c3", [])
    assert redis.events.heads(["shop"]) == {"shop": "b2"}


def test_the_first_push_to_an_empty_repository_tells_its_commits(redis: RedisPorts) -> None:
    start = redis.events.position()
    assert redis.events.advance_head("shop", "", "a1", [("a1", ["development"])])
    assert [event.commit for event in redis.told(start)] == ["a1"]
    assert not redis.events.advance_head("shop", "", "b2", [("b2", [])])


def test_a_head_that_is_not_the_old_one_moves_nothing(redis: RedisPorts) -> None:
    assert not redis.events.advance_head("shop", "a1", "b2", [("b2", [])])
    assert redis.events.heads(["shop"]) == {}


def test_rewritten_history_is_one_event_of_its_own(redis: RedisPorts) -> None:
    redis.events.advance_head("shop", None, "a1", [])
    start = redis.events.position()
    assert redis.events.advance_head("shop", "a1", "x9", [("x8", []), ("x9", [])], rewritten=True)
    (event,) = redis.told(start)
    assert (event.kind, event.project, event.head, event.commit) == (EventKind.HISTORY_REWRITTEN, "shop", "x9", None)


def test_a_job_event_carries_the_head_of_its_project(redis: RedisPorts) -> None:
    redis.events.advance_head("shop", None, "a1", [])
    start = redis.events.position()
    redis.admit(a_job())
    assert [event.head for event in redis.told(start)] == ["a1"]


def test_a_revoked_token_is_told(redis: RedisPorts) -> None:
    start = redis.events.position()
    redis.events.revoked("tok_7")
    (event,) = redis.told(start)
    assert (event.kind, event.token_id, event.project) == (EventKind.TOKEN_REVOKED, "tok_7", "")


def test_a_log_comes_in_pages_with_cursors_of_its_own(redis: RedisPorts) -> None:
    lines = [("stdout", f"line {number}: ünïcode ✓") for number in range(5)]
    redis.events.append_log("job_1", lines[:2])
    redis.events.append_log("job_1", lines[2:])
    first = redis.events.log("job_1", 3, None)
    assert ([(line.stream, line.text) for line in first.lines], first.has_next) == (lines[:3], True)
    rest = redis.events.log("job_1", 3, first.lines[-1].cursor)
    assert ([(line.stream, line.text) for line in rest.lines], rest.has_next) == (lines[3:], False)
    assert rest.position == rest.lines[-1].cursor
    end = redis.events.log("job_1", 3, rest.position)
    assert (end.lines, end.gap, end.position) == ((), False, rest.position)


def test_a_log_that_does_not_exist_yet_is_empty_and_can_be_followed(redis: RedisPorts) -> None:
    empty = redis.events.log("job_1", 3, None)
    assert (empty.lines, empty.gap, empty.position) == ((), False, "")
    redis.events.append_log("job_1", [("step", "hello")])
    assert [line.text for line in redis.events.log("job_1", 3, empty.position).lines] == ["hello"]


def test_a_log_that_was_lost_is_a_gap(redis: RedisPorts) -> None:
    redis.events.append_log("job_1", [("step", "hello")])
    cursor = redis.events.log("job_1", 3, None).position
    redis.client.flushall()
    assert redis.events.log("job_1", 3, cursor).gap
    redis.events.append_log("job_1", [("step", "again")])
    page = redis.events.log("job_1", 3, cursor)
    assert (page.gap, page.lines) == (True, ())
    assert [line.text for line in redis.events.log("job_1", 3, page.position).lines] == ["again"]


def test_logs_expire(redis: RedisPorts) -> None:
    redis.events.append_log("job_1", [("step", "hello")])
    assert [redis.client.pttl(key) > 0 for key in redis.client.scan_iter("lucity:log*")] == [True, True]
