"""What stands between Lucity and Argo CD fails in every way a network knows; nothing of it is taken for an answer."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.argocd import TURN_SECONDS, ArgoCdDelivery
from adapters.argocd_http import ArgoCdApi, Credentials, Declined, FixedToken, Login, TokenFile
from adapters.argocd_objects import Place
from adapters.argocd_pulse import Pulse
from adapters.ports import Unreachable
from adapters.records import Application, Gone
from gitops.rollouts import Observation
from tests.support.argocd_state import PASSWORD, TOKEN, FakeArgoCd
from tests.support.fake_argocd import fake_argocd
from tests.support.recordings import raw
from tests.support.waiting import wait_until

DEVELOPMENT = Application("myapp", "development", "myapp-development", "a" * 40, ephemeral=False)
STAGING = Application("myapp", "staging", "myapp-staging", "b" * 40, ephemeral=False)
PAGE = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@pytest.fixture
def fake() -> Iterator[FakeArgoCd]:
    with fake_argocd() as started:
        yield started
        while OPENED:
            OPENED.pop().close()


OPENED: list[ArgoCdDelivery] = []


def reach(fake: FakeArgoCd, credentials: Credentials | None = None, **times: float) -> ArgoCdDelivery:
    api = ArgoCdApi(fake.url, credentials or FixedToken(TOKEN), times.get("silence_seconds", 45.0))
    reading = ("http://127.0.0.1:1/gitops/myapp.git", "reader", "word")
    OPENED.append(
        ArgoCdDelivery(
            api, lambda _: reading, Place(), times.get("turn_seconds", TURN_SECONDS), times.get("mended_seconds", 60)
        )
    )
    return OPENED[-1]


def test_a_session_that_ended_is_renewed_once(fake: FakeArgoCd) -> None:
    delivery = reach(fake, Login("admin", PASSWORD))
    delivery.apply(DEVELOPMENT)
    fake.expire_sessions()
    assert delivery.applications("myapp") == [DEVELOPMENT]
    assert fake.logins == 2


def test_a_password_that_is_wrong_is_said_to_be(fake: FakeArgoCd) -> None:
    with pytest.raises((Unreachable, Declined), match="Invalid username or password"):
        reach(fake, Login("admin", "guessed")).applications("myapp")


def test_a_token_that_is_refused_is_an_outage_that_says_so(fake: FakeArgoCd) -> None:
    with pytest.raises(Unreachable, match="refuses our token") as outage:
        reach(fake, FixedToken("old")).applications("myapp")
    assert outage.value.component == "delivery"
    assert "old" not in str(outage.value)


def test_a_token_file_that_was_written_again_is_read_again(fake: FakeArgoCd, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("old\n")
    delivery = reach(fake, TokenFile(file))
    with pytest.raises(Unreachable):
        delivery.applications("myapp")
    file.write_text(f"{TOKEN}\n")
    assert delivery.applications("myapp") == []


@pytest.mark.parametrize("status", [200, 404, 502, 504])
def test_a_page_of_a_proxy_is_no_answer(fake: FakeArgoCd, status: int) -> None:
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    fake.broken = (status, "text/html", PAGE)
    for ask in (delivery.statuses, lambda: delivery.delete(DEVELOPMENT), lambda: next(delivery.watch())):
        with pytest.raises(Unreachable):
            ask()
    fake.broken = None
    assert [one.environment for one in delivery.statuses()] == ["development"]


def test_a_port_where_nobody_listens_is_an_outage() -> None:
    api = ArgoCdApi("http://127.0.0.1:1", FixedToken(TOKEN))
    with pytest.raises(Unreachable, match="does not answer"):
        ArgoCdDelivery(api, lambda _: ("", "", ""), Place()).applications("myapp")


def test_where_one_request_hung_the_others_fail_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        api = ArgoCdApi(url, FixedToken(TOKEN), pulse=Pulse(url, answer_seconds=0.1, pause_seconds=60))
        for seconds in (0.1, 20, 20):
            with pytest.raises(Unreachable, match="Argo CD does not answer"):
                api.get("/api/v1/applications", seconds=seconds)
        with pytest.raises(Unreachable, match="Argo CD does not answer"), api.stream("/api/v1/stream/applications", {}):
            pass
        hole.settimeout(0)
        for _ in ("the request", "the look for a sign of life"):
            hole.accept()[0].close()
        with pytest.raises(BlockingIOError):
            hole.accept()
        api.close()


def test_a_slow_answer_is_not_taken_for_silence(fake: FakeArgoCd) -> None:
    api = ArgoCdApi(fake.url, FixedToken(TOKEN), pulse=Pulse(fake.url, pause_seconds=60))
    with fake.lock, pytest.raises(Unreachable, match="timed out"):
        api.get("/api/v1/applications", seconds=0.1)
    assert api.get("/api/v1/applications")["items"] is None
    api.close()


def test_what_answers_again_is_asked_again(fake: FakeArgoCd) -> None:
    api = ArgoCdApi(fake.url, FixedToken(TOKEN), pulse=Pulse(fake.url, answer_seconds=0.1, pause_seconds=0))
    with fake.lock:
        for _ in range(3):
            with pytest.raises(Unreachable):
                api.get("/api/v1/applications", seconds=0.1)
    assert api.get("/api/v1/applications")["items"] is None
    api.close()


def test_a_stream_that_breaks_in_the_middle_of_an_event_is_an_outage(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    watch = delivery.watch()
    assert isinstance(next(one for one in watch if one is not None), Observation)
    fake.cut()
    rest = [one for one in watch if isinstance(one, Gone)]
    assert rest == []
    assert isinstance(next(one for one in delivery.watch() if one is not None), Observation)


def test_an_event_that_is_no_json_is_an_outage(fake: FakeArgoCd) -> None:
    fake.recording = [raw("render-error.sse") + b"\n\n"]
    with pytest.raises(Unreachable, match="not JSON"):
        list(reach(fake).watch())


def test_silence_is_death(fake: FakeArgoCd) -> None:
    delivery = reach(fake, silence_seconds=0.5)
    delivery.apply(DEVELOPMENT)
    watch = delivery.watch()
    next(watch)
    fake.mute = True
    with pytest.raises(Unreachable, match="does not answer"):
        list(watch)


def test_what_went_while_nobody_watched_is_told_on_the_next_connection(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    delivery.apply(STAGING)
    watch = delivery.watch()
    told = [next(watch), next(watch)]
    assert {one.environment for one in told if one} == {"development", "staging"}
    fake.cut()
    list(watch)
    fake.lose("myapp-development")
    assert next(delivery.watch()) == Gone("myapp", "development")


def test_a_sync_waits_for_its_turn(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    delivery.sync("myapp", ["development"], "c" * 40)
    delivery.sync("myapp", ["development"], "c" * 40)
    assert fake.asked.count("POST /api/v1/applications/myapp-development/sync") > 2


def test_a_turn_that_does_not_come_is_to_be_tried_again(fake: FakeArgoCd) -> None:
    fake.life_seconds = 60
    delivery = reach(fake, turn_seconds=0.2)
    delivery.apply(DEVELOPMENT)
    delivery.sync("myapp", ["development"], "c" * 40)
    with pytest.raises(Unreachable, match="another operation of myapp-development is still running"):
        delivery.sync("myapp", ["development"], "c" * 40)


def test_a_worker_does_not_wait_long_for_a_turn(fake: FakeArgoCd) -> None:
    fake.life_seconds = 60
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    delivery.sync("myapp", ["development"], "c" * 40)
    with pytest.raises(Unreachable, match="still running"):
        delivery.sync("myapp", ["development"], "c" * 40)
    assert fake.asked.count("POST /api/v1/applications/myapp-development/sync") < 10


def test_credentials_that_somebody_took_away_come_back_when_argo_cannot_read(fake: FakeArgoCd) -> None:
    delivery = reach(fake, mended_seconds=0)
    delivery.apply(DEVELOPMENT)
    fake.repositories.clear()
    delivery.applications("myapp")
    delivery.apply(DEVELOPMENT)
    assert fake.repositories == {}, "nothing tells of it yet"
    said = {"type": "ComparisonError", "message": "failed to list refs: authentication required: Unauthorized"}
    fake.put({**fake.applications["myapp-development"], "status": {"sync": {}, "conditions": [said]}})
    delivery.applications("myapp")
    delivery.apply(DEVELOPMENT)
    assert [one["project"] for one in fake.repositories.values()] == ["myapp"]


def test_exactly_what_is_named_is_refreshed(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    for application in (DEVELOPMENT, STAGING):
        delivery.apply(application)
    delivery.refresh("myapp", ["staging"], "c" * 40)
    wait_until(lambda: fake.refreshed, "the refresh")
    delivery.close()
    assert fake.refreshed == ["myapp-staging"]


def test_an_application_that_is_as_it_should_be_costs_two_questions(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    for application in (DEVELOPMENT, STAGING):
        delivery.apply(application)
    fake.asked.clear()
    for application in delivery.applications("myapp"):
        delivery.apply(application)
    assert fake.asked == ["GET /api/v1/applications", "GET /api/v1/projects/myapp"]


def test_a_hint_that_hangs_holds_nobody_up(fake: FakeArgoCd) -> None:
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    held = threading.Thread(target=delivery.refresh, args=("myapp", ["development"], "c" * 40))
    with fake.lock:
        held.start()
        held.join(10)
        assert not held.is_alive()
    delivery.close()


def test_a_deletion_that_argo_overlooked_is_asked_for_again(fake: FakeArgoCd) -> None:
    fake.overlooked = True
    delivery = reach(fake)
    delivery.apply(DEVELOPMENT)
    wait_until(lambda: delivery.delete(DEVELOPMENT), "the deletion")
    assert fake.asked.count("DELETE /api/v1/applications/myapp-development") == 1
