"""What an audit finds in one commit."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gitops.audits import Evidence, configured, faults
from gitops.commits import CommitRecord, GitCommit, Person, Signature, SignatureState
from gitops.history import Delta, State, is_values, read_values, state_of, step, told_by
from gitops.layout import BASE_VALUES, environment_values
from gitops.repository import environment_names
from gitops.tree import Files, Tree

GOLDEN = Path(__file__).parent / "golden"
CASES = sorted(path.name for path in (GOLDEN / "after").iterdir())
EARLIER = {"c" * 40}
ORIGIN = "Job-Id: job_1\nActor-Id: ann\n"
AT = datetime(2026, 11, 23, tzinfo=UTC)
DEV, STAGING = environment_values("development"), environment_values("staging")
SHOP = Files(
    {
        BASE_VALUES: b"lucity-app: {services: {api: {image: {repository: r/api}}, web: {}}}\n",
        DEV: b'lucity-app: {services: {api: {image: {tag: "1"}}}}\n',
        STAGING: b"lucity-app: {services: {}}\n",
    }
)
DEPLOYED = {DEV: b'lucity-app: {services: {api: {image: {tag: "2"}}}}\n'}
SMUGGLED = {DEV: b'lucity-app: {variables: {X: "1"}, services: {api: {image: {tag: "2"}}}}\n'}
DEPLOY = f"deploy(development): api 2\n\n{ORIGIN}Service: api\nImage: api=r/api:2\n"


def folder(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def state_at(tree: Tree) -> State:
    names = environment_names(tree)
    own = {name: read_values(tree.read(environment_values(name)), "") or {} for name in names}
    return state_of(read_values(tree.read(BASE_VALUES), "") or {}, own)


def found(
    before: Tree,
    writes: Mapping[str, bytes | None],
    message: str,
    signature: SignatureState = SignatureState.VALID,
    earlier: Collection[str] = EARLIER,
) -> tuple[str, ...]:
    """The faults of a commit that writes this and says that."""
    after = Files({path: before.read(path) or b"" for path in before.files("")}).with_writes(writes)
    changed = {path: data for path, data in writes.items() if is_values(path)}
    old = state_at(before)
    state, effect = step(old, Delta(tuple(writes), frozenset(environment_names(after)), changed))
    who = Person("Ann", "ann@example.org")
    git = GitCommit(
        "d" * 40,
        (),
        message,
        who,
        who,
        AT,
        AT,
        Signature(signature, None if signature is SignatureState.NONE else "SHA256:key"),
    )
    record = CommitRecord(2, git, told_by(git)[0], effect.environments, effect.services, effect.images, told_by(git)[1])
    images = {name: environment.images for name, environment in state.environments.items()}
    return faults(Evidence(record, tuple(writes), effect, images, configured(old, state)), earlier, {"job_0"})


@pytest.mark.parametrize("case", CASES)
def test_whatever_lucity_commits_is_what_it_says(case: str) -> None:
    writes: dict[str, bytes | None] = {**folder(GOLDEN / "after" / case)}
    message = (writes.pop("message.txt") or b"").decode().rstrip("\n")
    removed = writes.pop("removed.txt", None) or b""
    writes |= dict.fromkeys(removed.decode().split(), None)
    message += ("\n" if ": " in message.split("\n\n")[-1] and "\n\n" in message else "\n\n") + ORIGIN
    before = Files({}) if case == "create-project" else Files(folder(GOLDEN / "before"))
    assert found(before, writes, message, earlier=re.findall("[0-9a-f]{40}", message)) == ()


@pytest.mark.parametrize(
    ("writes", "message", "fault"),
    [
        (DEPLOYED, "update things\n", "none of Lucity's"),
        (DEPLOYED, DEPLOY.replace("Job-Id: job_1\n", ""), "0 trailers Job-Id"),
        (DEPLOYED, DEPLOY.replace("job_1", "job_0"), "job job_0 has made an earlier commit"),
        (DEPLOYED, DEPLOY.replace("api:2", "api:3"), "says that api runs r/api:3 and what runs is r/api:2"),
        (DEPLOYED, DEPLOY.replace("api 2\n", "api 9\n"), "its subject says api 9 and its trailer r/api:2"),
        (DEPLOYED, DEPLOY.replace("Service: api\n", ""), "its subject names api and its trailers nothing"),
        (SMUGGLED, DEPLOY, "changes more of development than images"),
        (DEPLOYED, DEPLOY.replace("development", "staging"), f"changes {DEV}, which its subject does not tell"),
        (DEPLOYED, DEPLOY.replace("Image: api=r/api:2\n", ""), "puts r/api:2 into development"),
        (
            DEPLOYED,
            f"config(development): restart web\n\n{ORIGIN}Service: web\n",
            "changes api, which it does not name",
        ),
        (DEPLOYED, f"config(development): set X for api\n\n{ORIGIN}Service: api\n", "changes images"),
        (DEPLOYED, f"hold(development): api\n\n{ORIGIN}Service: api\n", "changes images"),
        ({**DEPLOYED, "docs/a.md": b"x"}, DEPLOY, "changes docs/a.md"),
        ({STAGING: None}, f"env(delete): development\n\n{ORIGIN}", "deletes development and deletes staging"),
        ({STAGING: None}, f"config(staging): unset X\n\n{ORIGIN}", "deletes staging, which its subject does not tell"),
        (
            DEPLOYED,
            DEPLOY.replace("deploy", "rollback") + f"Rolls-Back-To: {'e' * 40}\n",
            f"Rolls-Back-To names {'e' * 40}",
        ),
        (DEPLOYED, f"config(base): add service web\n\n{ORIGIN}Service: web\n", "changes api, which it does not name"),
    ],
)
def test_what_does_not_agree_is_named(writes: dict[str, bytes | None], message: str, fault: str) -> None:
    assert any(fault in one for one in found(SHOP, writes, message)), found(SHOP, writes, message)


def test_commits_by_hand_may_say_what_they_like_unless_they_pass_for_lucitys() -> None:
    none, unknown = SignatureState.NONE, SignatureState.UNKNOWN_KEY
    assert found(SHOP, DEPLOYED, "Bring api to 2\n", none) == ()
    assert found(SHOP, DEPLOYED, "Bring api to 2\n", unknown) == ()
    assert found(SHOP, DEPLOYED, 'Revert "deploy(development): api 1"\n', none) == ()
    assert "carries no signature" in found(SHOP, DEPLOYED, DEPLOY, none)[0]
    assert "not allowed (SHA256:key)" in found(SHOP, DEPLOYED, DEPLOY, unknown)[0]
    assert "not hold" in found(SHOP, DEPLOYED, "Bring api to 2\n", SignatureState.INVALID)[0]
