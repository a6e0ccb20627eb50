"""Tokens are signed, listed in one repository, and end when they are revoked."""

import base64
import json
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from adapters.logins import make_login, redeem_login
from adapters.records import NewCommit, PushState
from adapters.tokens import TokenRejected, load_or_create_key
from gitops.changes import Actor, ActorKind
from gitops.problems import InvalidInput, InvalidRepository, NotFound, Refused
from tests.support.tokens import World

ADMIN = Actor("tok_admin", "Admin", "admin@example.org")


@pytest.fixture
def world() -> World:
    return World()


def test_an_issued_token_says_who_speaks_without_any_store(world: World) -> None:
    record, secret = world.tokens().issue(ADMIN, "ci", "ci@example.org", ActorKind.AUTOMATION, 60)
    actor, verified = World(clock=world.clock).tokens().verify(secret)
    assert secret.startswith("lct_")
    assert actor == Actor(record.id, "ci", "ci@example.org", ActorKind.AUTOMATION)
    assert verified.expires_at == world.clock.now + timedelta(seconds=60)


def test_issuing_and_revoking_are_commits_by_the_actor_that_hold_no_secret(world: World) -> None:
    tokens = world.tokens()
    record, secret = tokens.issue(ADMIN, "ci", "ci@example.org", ActorKind.AUTOMATION)
    tokens.revoke(ADMIN, record.id)
    assert world.host.subjects == ["token(create): ci", "token(revoke): ci"]
    assert {new.author_name for new, _ in world.host.commits} == {"Admin"}
    assert not any(secret.encode() in (files.read("tokens.yaml") or b"") for _, files in world.host.commits)


def test_a_revoked_token_is_refused_and_revoking_again_changes_nothing(world: World) -> None:
    tokens = world.tokens()
    record, secret = tokens.issue(ADMIN, "ci", "ci@example.org", ActorKind.AUTOMATION)
    first = tokens.revoke(ADMIN, record.id)
    world.clock.now += timedelta(hours=1)
    assert tokens.revoke(ADMIN, record.id) == first
    assert len(world.host.commits) == 2
    with pytest.raises(TokenRejected, match="revoked"):
        tokens.verify(secret)


def test_another_process_learns_of_a_revocation_from_the_repository(world: World) -> None:
    here, elsewhere = world.tokens(), world.tokens()
    record, secret = here.issue(ADMIN, "ci", "ci@example.org", ActorKind.AUTOMATION)
    _, verified = elsewhere.verify(secret)
    here.revoke(ADMIN, record.id)
    assert elsewhere.valid(verified)
    elsewhere.refresh()
    assert not elsewhere.valid(verified)


def test_a_session_ends_with_its_actors_token_and_with_its_time(world: World) -> None:
    tokens = world.tokens()
    record, _ = tokens.issue(None, "Admin", "admin@example.org", ActorKind.PERSON)
    actor = Actor(record.id, record.name, record.email, record.kind)
    session = tokens.session(actor, 3600)
    assert tokens.verify(session)[0] == actor
    world.clock.now += timedelta(hours=1)
    with pytest.raises(TokenRejected, match="expired"):
        tokens.verify(session)
    another = tokens.session(actor, 3600)
    tokens.revoke(actor, record.id)
    with pytest.raises(TokenRejected, match="revoked"):
        tokens.verify(another)


@pytest.mark.parametrize("bend", ["lct_", "lct_a.b", "x", "lct_é.b", "", "lct_" + "a" * 9000, "lct_....", "lct_a"])
def test_what_is_no_token_is_rejected(world: World, bend: str) -> None:
    with pytest.raises(TokenRejected):
        world.tokens().verify(bend)


def test_a_forged_payload_or_another_key_is_rejected(world: World) -> None:
    tokens = world.tokens()
    _, secret = tokens.issue(ADMIN, "ci", "ci@example.org", ActorKind.AUTOMATION)
    payload, signature = secret.removeprefix("lct_").split(".")
    content = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | {"name": "root"}
    forged = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    with pytest.raises(TokenRejected):
        tokens.verify(f"lct_{forged}.{signature}")
    with pytest.raises(TokenRejected):
        world.tokens(b"o" * 32).verify(secret)


@pytest.mark.parametrize(
    ("name", "email", "wrong"),
    [
        ("a\nb", "a@b.c", "name"),
        (" ,;: ", "a@b.c", "name"),
        ("'\\.\"", "a@b.c", "name"),
        ("a<b", "a@b.c", "name"),
        ("ci\n", "a@b.c", "name"),
        ("", "a@b.c", "name"),
        ("a" * 101, "a@b.c", "name"),
        ("ci", "nobody", "email"),
        ("ci", "a@b\n.c", "email"),
        ("ci", "a b@c.d", "email"),
        ("ci", "<a@b.c>", "email"),
    ],
)
def test_names_and_addresses_that_would_bend_a_commit_are_refused(
    world: World, name: str, email: str, wrong: str
) -> None:
    with pytest.raises(Refused) as refusal:
        world.tokens().issue(ADMIN, name, email, ActorKind.AUTOMATION)
    assert isinstance(refusal.value.problem, InvalidInput)
    assert [error.path for error in refusal.value.problem.errors] == [(wrong,)]
    assert world.host.commits == []


def test_a_lifetime_that_is_none_is_refused(world: World) -> None:
    with pytest.raises(Refused):
        world.tokens().issue(ADMIN, "ci", "a@b.c", ActorKind.AUTOMATION, 0)


def test_an_unknown_token_cannot_be_revoked(world: World) -> None:
    with pytest.raises(Refused) as refusal:
        world.tokens().revoke(ADMIN, "tok_unknown")
    assert isinstance(refusal.value.problem, NotFound)


def test_two_processes_issuing_at_once_lose_neither_token(world: World) -> None:
    here, elsewhere = world.tokens(), world.tokens()
    world.host.meanwhile.append(lambda: elsewhere.issue(ADMIN, "two", "a@b.c", ActorKind.AUTOMATION))
    here.issue(ADMIN, "one", "a@b.c", ActorKind.AUTOMATION)
    assert {record.name for record in here.list()} == {"one", "two"}


def test_a_push_whose_answer_was_lost_is_not_made_twice(world: World) -> None:
    world.host.answers = [PushState.AMBIGUOUS]
    tokens = world.tokens()
    tokens.issue(ADMIN, "ci", "a@b.c", ActorKind.AUTOMATION)
    assert world.host.subjects == ["token(create): ci"]
    assert [record.name for record in tokens.list()] == ["ci"]


def test_a_list_broken_by_hand_leaves_the_known_revocations_in_force(world: World) -> None:
    tokens = world.tokens()
    record, secret = tokens.issue(ADMIN, "ci", "a@b.c", ActorKind.AUTOMATION)
    tokens.revoke(ADMIN, record.id)
    broken = NewCommit("by hand", "A", "a@b.c", world.clock.now, {"tokens.yaml": b"tokens: [1"})
    world.host.main = int(world.host.commit("settings", str(world.host.main), broken))
    tokens.refresh()
    with pytest.raises(TokenRejected):
        tokens.verify(secret)
    with pytest.raises(Refused) as refusal:
        tokens.issue(ADMIN, "ci", "a@b.c", ActorKind.AUTOMATION)
    assert isinstance(refusal.value.problem, InvalidRepository)


def test_a_key_is_made_once_for_its_owner_only_and_a_short_one_stops_the_start(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "token"
    key = load_or_create_key(path)
    assert load_or_create_key(path) == key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="at least 32"):
        load_or_create_key(path)


def test_those_who_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        for number in range(50):
            keys = set(pool.map(load_or_create_key, [tmp_path / str(number) / "token"] * 8))
            assert [len(key) for key in keys] == [32]


def test_a_login_link_works_once_and_for_fifteen_minutes(tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    secrets = [make_login(tmp_path, ADMIN, "http://127.0.0.1:8000", now).rpartition("=")[2] for _ in range(2)]
    assert redeem_login(tmp_path, secrets[0], now) == ADMIN
    assert redeem_login(tmp_path, secrets[0], now) is None
    assert redeem_login(tmp_path, secrets[1], now + timedelta(minutes=15)) is None
    assert redeem_login(tmp_path, "../../etc/passwd", now) is None
