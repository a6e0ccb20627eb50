"""The fate of commits, judged over everything that the real Argo CD said, and over whatever a network makes of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.argocd_parse import Change, StreamBroken, parse_frame
from adapters.event_stream import EventStream
from adapters.records import Gone
from gitops.commits import Image
from gitops.rollouts import HealthStatus, RolloutPhase, SyncStatus
from tests.support.recordings import LIMIT_BYTES, OBSERVED_AT, frames, raw
from tests.support.replays import SETTLING_SECONDS, Cluster, Deed, Frame, Replay

DEV, STAGING = ("development",), ("staging",)


def api(tag: str) -> Image:
    return Image("registry.local/api", tag)


CREATED = Deed("7793f90a280c01c8851fbf34f0734c030f2444f8", DEV + STAGING, api("b000001"))
GOOD = Deed("da81641d9b414ee59d00c30d3a584e937e52ed97", DEV, api("c000001"))
BROKEN = Deed("c3f740cd1dd644e26a138a7a9ebb707fdbd3c731", DEV, Image("registry.local/broken/api", "d000001"))
UNRENDERED = Deed("e" * 40, DEV, api("x"))
HEALING = Deed("4116d80b2c39ad79c48a91aa813414f850d2236e", DEV, api("e000001"))
LATER = Deed("f7e8f8c6f646d8afade6f36ef6c20eca039e0ad5", DEV, api("f000001"))
LAST = "07ecff8902a1dca941b8039b6b38ecfc9fb1da83"


@dataclass(frozen=True)
class Case:
    """One recording: what was there, what landed, and what must come of it in `environment`."""

    recording: str
    known: tuple[Deed, ...]
    landed: Deed
    at: datetime
    environment: str
    phase: RolloutPhase
    message: str | None = None


def at(minute: int, second: int) -> datetime:
    return datetime(2026, 11, 23, 2, minute, second, tzinfo=UTC)


CASES = [
    Case("deploy-good", (CREATED,), GOOD, at(40, 45), "development", RolloutPhase.DEPLOYED),
    Case("deploy-good", (CREATED,), replace(GOOD, image=None), at(40, 45), "development", RolloutPhase.DEPLOYED),
    Case(
        "deploy-broken-image",
        (CREATED, GOOD),
        BROKEN,
        at(40, 59),
        "development",
        RolloutPhase.DEGRADED,
        'Deployment api: Deployment "api" exceeded its progress deadline',
    ),
    Case(
        "render-error",
        (CREATED, GOOD, BROKEN),
        UNRENDERED,
        at(41, 46),
        "development",
        RolloutPhase.RENDER_FAILED,
        "helm template",
    ),
    Case(
        "deploy-after-failure",
        (CREATED, GOOD, BROKEN, UNRENDERED),
        HEALING,
        at(41, 57),
        "development",
        RolloutPhase.DEPLOYED,
    ),
    Case(
        "other-environment-commit",
        (CREATED, GOOD, BROKEN, UNRENDERED, HEALING, LATER),
        Deed(LAST, STAGING),
        at(42, 23),
        "staging",
        RolloutPhase.DEPLOYED,
    ),
    Case(
        "application-created",
        (CREATED, GOOD, BROKEN, UNRENDERED, HEALING, LATER),
        Deed(LAST, ("pr-142",), api("f000002")),
        at(42, 44),
        "pr-142",
        RolloutPhase.DEPLOYED,
    ),
]
"""What landed, and when, is told by the recordings; what they do not tell (the broken values) stands for itself."""


def everything(recording: str) -> list[Frame]:
    """All frames of a recording but the one that its end cut."""
    events = EventStream(LIMIT_BYTES).feed(raw(f"{recording}.sse"))
    return [frame for event in events if (frame := parse_frame(event, OBSERVED_AT))]


def proves(case: Case, frame: Frame) -> bool:
    """Whether a state of the cluster shows by itself that the commit runs."""
    found = frame[1].observation
    running = found.operation is not None and found.operation.finished_at is None
    images = {f"registry.local/api:{case.landed.image.tag}"} if case.landed.image else set()
    return (
        found.environment == case.environment
        and (found.sync, found.revision) == (SyncStatus.SYNCED, case.landed.sha)
        and all(one.health is HealthStatus.HEALTHY for one in found.resources)
        and images <= set(found.images)
        and not running
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recording)
def test_each_recording_ends_with_its_verdict(case: Case) -> None:
    replay = Replay(case.known, case.landed, case.at)
    for frame in everything(case.recording):
        replay.frame(frame)
    replay.wait(SETTLING_SECONDS)
    found = replay.of(case.environment)
    assert (found.phase, found.final) == (case.phase, True)
    assert case.message is None or case.message in (found.message or "")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recording)
def test_only_what_the_push_touched_is_refreshed(case: Case) -> None:
    replay = Replay(case.known, case.landed, case.at)
    for frame in everything(case.recording)[:2]:
        replay.frame(frame)
    replay.now += timedelta(seconds=10)
    assert replay.tracker.stale("myapp") == list(case.landed.environments)


def test_a_refresh_that_brought_nothing_is_asked_for_again_at_growing_pauses() -> None:
    replay = Replay((), CREATED, at(40, 45))
    asked = []
    for second in range(130):
        if replay.tracker.stale("myapp"):
            asked.append(second)
        replay.now += timedelta(seconds=1)
    assert asked == [2, 6, 14, 30, 62, 122]


def test_an_environment_that_only_moved_on_has_no_rollout_and_no_operation() -> None:
    replay = Replay((CREATED,), GOOD, at(40, 45))
    for frame in everything("deploy-good"):
        replay.frame(frame)
    replay.wait(SETTLING_SECONDS)
    assert {environment for environment, _, _ in replay.said} == {"development"}
    moved = [one.revision for one in replay.mattered if one.environment == "staging"]
    assert moved == [CREATED.sha, GOOD.sha]


def test_ticks_of_argos_clock_are_no_events() -> None:
    replay = Replay((CREATED,), GOOD, at(40, 45))
    frames_told = everything("deploy-good")
    for frame in frames_told:
        replay.frame(frame)
    mattered = len(replay.mattered)
    for frame in frames_told[-1:] * 3:
        replay.frame(frame)
    assert len(replay.mattered) == mattered < len(frames_told)


def test_a_good_deploy_is_seen_at_every_step() -> None:
    replay = Replay((CREATED,), GOOD, at(40, 45))
    for frame in everything("deploy-good"):
        replay.frame(frame)
    replay.wait(SETTLING_SECONDS)
    phases = list(dict.fromkeys(rollout.phase for _, _, rollout in replay.said))
    assert phases == [RolloutPhase.PENDING, RolloutPhase.SYNCING, RolloutPhase.ROLLING_OUT, RolloutPhase.DEPLOYED]


def test_a_deleted_application_is_gone_and_what_ran_stays_true() -> None:
    replay = Replay((), CREATED, at(43, 0))
    told = everything("application-deleted")
    for frame in told[:4]:
        replay.frame(frame)
    replay.wait(SETTLING_SECONDS)
    for frame in told[4:]:
        replay.frame(frame)
    replay.wait(SETTLING_SECONDS)
    assert replay.gone == [Gone("myapp", "staging")]
    assert ("myapp", "staging") not in replay.tracker.observations


NETWORKS = st.lists(
    st.tuples(
        st.sampled_from(["pass", "pass", "drop", "twice", "late", "list"]),
        st.floats(0, 8, allow_nan=False),
    ),
    min_size=40,
    max_size=40,
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recording)
@settings(max_examples=30)
@given(network=NETWORKS)
def test_lost_doubled_late_frames_never_lie_and_never_hide_the_verdict(
    case: Case, network: Sequence[tuple[str, float]]
) -> None:
    replay = Replay(case.known, case.landed, case.at)
    cluster, late, proven = Cluster(), list[Frame](), False
    for frame, (fate, pause) in zip(everything(case.recording), network, strict=False):
        cluster.hold(frame)
        proven = proven or proves(case, frame)
        if fate == "late":
            late.append(frame)
        elif fate == "list":
            replay.listing(cluster)
        elif fate != "drop":
            for _ in range(2 if fate == "twice" else 1):
                replay.frame(frame)
            while late:
                replay.frame(late.pop())
        replay.wait(pause)
        assert proven or not deployed(replay, case)
    replay.listing(cluster)
    replay.wait(SETTLING_SECONDS)
    assert replay.of(case.environment).phase is case.phase


def deployed(replay: Replay, case: Case) -> bool:
    return any(
        rollout.phase is RolloutPhase.DEPLOYED
        for environment, sha, rollout in replay.said
        if (environment, sha) == (case.environment, case.landed.sha)
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.recording)
@settings(max_examples=30)
@given(data=st.data())
def test_connections_that_break_at_any_byte_never_lie_and_never_hide_the_verdict(
    case: Case, data: st.DataObject
) -> None:
    replay = Replay(case.known, case.landed, case.at)
    stream, cluster, position, proven = raw(f"{case.recording}.sse"), Cluster(), 0, False
    while position < len(stream):
        end = data.draw(st.integers(position + 1, len(stream)))
        replay.listing(cluster, connected=True)
        events = EventStream(LIMIT_BYTES)
        for event in events.feed(stream[position:end]):
            frame = parse_frame(event, OBSERVED_AT)
            if frame is not None:
                cluster.hold(frame)
                proven = proven or proves(case, frame)
                replay.frame(frame)
            assert proven or not deployed(replay, case)
        boundary = stream.rfind(b"\n\n", 0, end)
        rest = stream.find(b"\n\n", end - 1)
        missed = stream[max(boundary, 0) : rest + 2 if rest >= 0 else len(stream)]
        for frame in frames(missed):
            cluster.hold(frame)
            proven = proven or proves(case, frame)
        position = rest + 2 if rest >= 0 else len(stream)
        replay.wait(data.draw(st.floats(0, 5, allow_nan=False)))
    replay.listing(cluster, connected=True)
    replay.wait(SETTLING_SECONDS)
    assert replay.of(case.environment).phase is case.phase


def test_a_cut_frame_is_noticed_and_not_guessed_at() -> None:
    whole = raw("deploy-good.sse").split(b"\n\n")[0]
    events = EventStream(LIMIT_BYTES).feed(whole[: len(whole) // 2] + b"\n\n")
    with pytest.raises(StreamBroken):
        parse_frame(events[0], OBSERVED_AT)


def test_a_frame_that_was_overtaken_changes_nothing() -> None:
    replay = Replay((CREATED,), GOOD, at(40, 45))
    told = everything("deploy-good")
    for frame in told:
        replay.frame(frame)
    before = dict(replay.tracker.observations)
    for frame in reversed(told[:-3]):
        replay.frame(frame)
    assert {place: one.revision for place, one in replay.tracker.observations.items()} == {
        place: one.revision for place, one in before.items()
    }
    assert all(change is Change.PUT for change, _ in told)
