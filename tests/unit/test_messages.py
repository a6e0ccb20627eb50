"""What the control plane writes into commits, it can read back."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gitops.commits import CommitKind, Image
from gitops.messages import (
    IMAGE,
    JOB_ID,
    REASON,
    fold,
    image_trailer,
    parse,
    parse_image,
    render,
    source_committed_at,
)
from gitops.subjects import Action, Subject, parse_subject, render_subject
from gitops.values import render_key

PROMISED = """\
deploy(development): api a1b2c3d
deploy(development): api a1b2c3d, web 9f8e7d6
deploy(development): 7 services
promote(staging): api a1b2c3d from development
promote(staging): 7 services from development
env(create): pr-142 from development
env(create): production
env(delete): pr-142
config(production): update replicas to 3
config(production): update replicas of api to 3
project(create): myapp
project(delete): myapp
project(update): set branches.main
project(update): set branches."release/1.0", previews.limit, unset pipeline
project(update): unset previews
project(update): set 12 keys
config(base): add service api
config(base): update service api
config(base): remove service api
config(staging): set LOG_LEVEL, REGION for api
config(staging): unset LOG_LEVEL
config(staging): set A, unset B, C for api
config(base): set A
config(staging): set 12 keys for api
config(staging): unset 12 keys
config(production): set services.api.resources.limits.cpu
config(production): set services.api.annotations."example.com/a, b"
config(development): restart api
config(development): restart 7 services
config(pr-142): expire 2026-12-01T00:00:00Z
rollback(production): api 9f8e7d6
rollback(production): 7 services to 1a2b3c4
rollback(production): environment to 1a2b3c4
revert(production): 1a2b3c4 deploy(production): api a1b2c3d
hold(production): api
hold(production): all services
release(production): api
chart(base): upgrade lucity-app 0.1.0 to 0.2.0""".splitlines()

names = st.from_regex(r"[a-z](-?[a-z0-9]){0,7}", fullmatch=True).filter(lambda name: name != "base")
tags = st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,15}", fullmatch=True)
shas = st.from_regex(r"[0-9a-f]{7}", fullmatch=True)
numbers = st.integers(4, 999)
tagged = st.dictionaries(names, tags, min_size=1, max_size=3).map(lambda found: tuple(sorted(found.items())))
named = st.lists(names, min_size=1, max_size=3, unique=True).map(
    lambda found: tuple((name, "") for name in sorted(found))
)
one = named.map(lambda found: found[:1])
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=6)
keys = st.lists(st.lists(texts, min_size=1, max_size=2).map(lambda key: render_key(tuple(key))), max_size=2).map(tuple)
maybe_base = st.one_of(st.none(), names)


def either(
    action: Action, images: st.SearchStrategy[tuple[tuple[str, str], ...]], **more: st.SearchStrategy[str]
) -> st.SearchStrategy[Subject]:
    """Subjects that name their services, and those that count them."""
    return st.one_of(
        st.builds(Subject, st.just(action), names, images=images, **more),
        st.builds(Subject, st.just(action), names, count=numbers, **more),
    )


subjects = st.one_of(
    either(Action.DEPLOY, tagged),
    either(Action.PROMOTE, tagged, origin=names),
    either(Action.RESTART, named),
    either(Action.HOLD, named),
    either(Action.RELEASE, named),
    st.builds(Subject, st.sampled_from([Action.HOLD, Action.RELEASE, Action.ENV_CREATE, Action.ENV_DELETE]), names),
    st.builds(Subject, st.just(Action.ENV_CREATE), names, origin=names),
    st.builds(Subject, st.sampled_from([Action.PROJECT_CREATE, Action.PROJECT_DELETE]), value=names),
    st.builds(Subject, st.sampled_from([Action.ADD_SERVICE, Action.UPDATE_SERVICE, Action.REMOVE_SERVICE]), images=one),
    st.builds(Subject, st.just(Action.SCALE), names, st.one_of(one, st.just(())), value=st.integers(0, 1000).map(str)),
    st.builds(Subject, st.just(Action.SET), maybe_base, st.one_of(one, st.just(())), set=keys, unset=keys).filter(
        lambda subject: bool(subject.set or subject.unset)
    ),
    st.builds(Subject, st.just(Action.SET), maybe_base, one, count=numbers, value=st.sampled_from(["set", "unset"])),
    st.builds(Subject, st.just(Action.PROJECT_UPDATE), set=keys, unset=keys).filter(
        lambda subject: bool(subject.set or subject.unset)
    ),
    st.builds(Subject, st.just(Action.PROJECT_UPDATE), count=numbers, value=st.sampled_from(["set", "unset"])),
    st.builds(Subject, st.just(Action.EXPIRE), names, value=st.just("2026-12-01T00:00:00Z")),
    st.builds(Subject, st.just(Action.ROLLBACK), names, images=tagged),
    st.builds(Subject, st.just(Action.ROLLBACK), names, count=numbers, origin=shas),
    st.builds(Subject, st.just(Action.ROLLBACK_ENVIRONMENT), names, origin=shas),
    st.builds(Subject, st.just(Action.REVERT), maybe_base, origin=shas, value=st.sampled_from(PROMISED)),
    st.builds(Subject, st.just(Action.CHART), origin=st.just("0.1.0"), value=st.just("0.2.0-rc.1")),
)  # fmt: skip


@given(subjects)
def test_a_subject_reads_back_as_it_was_meant(subject: Subject) -> None:
    text = render_subject(subject)
    assert len(text) <= 120
    assert "\n" not in text
    read = parse_subject(text)
    assert read is not None
    assert (read.kind, read.environment, read.origin) == (subject.kind, subject.environment, subject.origin)
    if len(_long(subject)) <= 120:
        assert read == subject


def _long(subject: Subject) -> str:
    parts = [
        *(f"{name} {tag}" for name, tag in subject.images),
        *subject.set,
        *subject.unset,
        subject.value,
        subject.origin,
    ]
    return ", ".join([*parts, "config(): set unset for update replicas of promote to from", subject.environment or ""])


@pytest.mark.parametrize("text", PROMISED)
def test_the_promised_forms_are_read_and_written_as_they_stand(text: str) -> None:
    subject = parse_subject(text)
    assert subject is not None
    assert render_subject(subject) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "deploy",
        "Deploy(a): b c",
        "deploy(a): b",
        "deploy(a):  b c",
        'Revert "deploy(a): b c"',
        "deploy(A): b c",
        "x" * 200,
    ],
)
def test_other_subjects_are_nobodys(text: str) -> None:
    assert parse_subject(text) is None
    assert parse(text).kind is CommitKind.EXTERNAL


def test_more_than_three_services_are_counted() -> None:
    four = Subject(Action.DEPLOY, "staging", tuple((name, "1") for name in "abcd"))
    assert render_subject(four) == "deploy(staging): 4 services"


def test_a_long_tag_is_cut_and_long_names_are_counted() -> None:
    tag = Subject(Action.PROMOTE, "staging", (("api", "t" * 128),), origin="development")
    assert render_subject(tag) == f"promote(staging): api {'t' * 80}… from development"
    pair = Subject(Action.DEPLOY, "staging", (("api", "t" * 128), ("web", "1")))
    assert render_subject(pair) == "deploy(staging): 2 services"
    keys_ = Subject(Action.SET, "staging", (("api", ""),), set=tuple(f"VARIABLE_{n}" for n in range(20)), unset=("A",))
    assert render_subject(keys_) == "config(staging): set 21 keys for api"
    revert = Subject(Action.REVERT, "production", origin="1a2b3c4", value="x" * 120)
    assert render_subject(revert) == f"revert(production): 1a2b3c4 {'x' * 91}…"


lines = st.text(max_size=40)
trailers = st.lists(st.tuples(st.sampled_from(["Job-Id", "Reason", "Service", "Image"]), lines), max_size=5)


@given(subjects, st.lists(tagged.map(lambda found: " ".join(found[0])), max_size=5), trailers)
def test_a_message_reads_back_as_it_was_written(
    subject: Subject, body: list[str], given_: list[tuple[str, str]]
) -> None:
    text = render_subject(subject)
    message = parse(render(text, body, given_))
    assert (message.subject, message.form) == (text, parse_subject(text))
    assert list(message.body) == body
    assert list(message.trailers) == [(key, fold(value)) for key, value in given_ if fold(value)]


@pytest.mark.parametrize(
    "reason",
    ["x\nJob-Id: job_forged", "x\n\nJob-Id: job_forged",
     "x\r\nJob-Id: job_forged", "\u2028Job-Id: job_forged", "x\x0bJob-Id: y", "---\n\n",
     "\x85\x1c\nJob-Id: z", "\n# ------------------------ >8 ------------------------\n"],
)  # fmt: skip
def test_a_reason_cannot_forge_a_trailer(reason: str) -> None:
    text = render("deploy(a): b c", (), [(JOB_ID, "job_true"), (REASON, reason), ("Service", "b")])
    message = parse(text)
    assert message.all(JOB_ID) == ("job_true",)
    assert message.all("Service") == ("b",)
    assert len(text.rstrip("\n").split("\n")) == 2 + len(message.trailers)


def test_half_characters_never_reach_git() -> None:
    assert parse(render("deploy(a): b c", (), [(REASON, "x\ud800y\x00z")])).first(REASON) == "x?y z"


@pytest.mark.parametrize(
    "text", ["", "\n", "\n\n", "a\n\nb", "a\r\n\r\nKey: v\r\n", "Key: v", "a\n\nKey: v\nno trailer", "\x00"]
)
def test_any_message_can_be_parsed(text: str) -> None:
    assert parse(text).kind is CommitKind.EXTERNAL


def test_a_message_of_git_revert_keeps_its_words_in_the_body() -> None:
    message = parse('Revert "deploy(a): b c"\n\nThis reverts commit 1234.\n')
    assert (message.body, message.trailers) == (("This reverts commit 1234.",), ())


@pytest.mark.parametrize(
    "image",
    [
        Image("registry:5000/shop/api", "1234567", "sha256:" + "0" * 64),
        Image("registry:5000/shop/api", "", "sha256:" + "0" * 64),
        Image("api", "no"),
    ],
)
def test_an_image_trailer_reads_back(image: Image) -> None:
    key, value = image_trailer("api", image)
    assert (key, parse_image(value)) == (IMAGE, ("api", image))
    assert parse_image("nonsense") is None


def test_the_moment_of_a_source_is_read_for_its_service_only_and_where_it_is_one() -> None:
    moments = {"api": "2026-11-23T12:00:00+02:00", "web": "yesterday", "db": "2026-11-23T10:00:00Z"}
    message = parse(render("deploy(dev): x", (), [("Source-Committed-At", f"{k}={v}") for k, v in moments.items()]))
    found = [source_committed_at(message, name) for name in ("api", "db", "web", "none")]
    assert found == [datetime(2026, 11, 23, 10, tzinfo=UTC)] * 2 + [None] * 2
