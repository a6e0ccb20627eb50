"""Texts in messages, and keys that come to be trusted later: over real Git."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from adapters.history import SqliteHistory
from adapters.records import NewCommit
from adapters.signing import Signer
from gitops.commits import CommitFilter, CommitKind, CommitRecord, SignatureState
from tests.support.git import AT
from tests.support.stories import PROJECT, Story, tags, values

MESSAGES = [
    'promote(staging): "api" from development\n\nReason: 100 % sure_, it\'s time (SHOP-42)\n',
    "Größe ändern: ÄÖÜ ẞ\n",
    "東京 に 配備\n",
    "tab\there AND OR NOT NEAR * ^ {x}: -y\n",
    "x\n",
]
TEXTS = [
    "staging",
    '"api"',
    "100 %",
    "sure_",
    "it's",
    "SHOP-42)",
    "größe",
    "ÄÖÜ",
    "ss",
    "東京",
    "京 に",
    "に 配備",
    "tab\there",
]
TEXTS += [
    "AND OR",
    "* ^ {x}: -y",
    "not",
    "nowhere",
    "x",
    "e",
    'promote(staging): "api" from development\n\nreason',
    "\n\n",
]
TEXTS += ["a" * 1000, "api\0", "\0", "_", "%", "rom stag", '"""', "'"]


def found(history: SqliteHistory, head: str, where: CommitFilter) -> list[str]:
    return [record.git.sha for record in history.commits(PROJECT, head, where, 100, None)[0]]


def containing(records: Iterable[CommitRecord], text: str) -> list[str]:
    return [record.git.sha for record in records if text.casefold() in record.git.message.casefold()]


def test_a_text_is_found_wherever_it_stands_and_whatever_it_holds(story: Story) -> None:
    story.born(development=tags())
    for message in MESSAGES:
        story.by_hand(message, {"notes.md": message}, author="Zoë")
        story.signed(message, {"notes.md": f"{message} signed"})
    history = story.history()
    records, _ = history.commits(PROJECT, story.head, CommitFilter(), 100, None)
    for text in TEXTS:
        expected = containing(records, text)
        assert found(history, story.head, CommitFilter(text=text)) == expected, text
        by_zoe = [one.git.sha for one in records if one.git.author.name == "Zoë" and one.git.sha in expected]
        assert found(history, story.head, CommitFilter(text=text, author="zoë")) == by_zoe, text
        at_docs = CommitFilter(text=text, path="notes.md", kinds=(CommitKind.EXTERNAL, CommitKind.PROMOTE))
        kinds = {CommitKind.EXTERNAL, CommitKind.PROMOTE}
        assert found(history, story.head, at_docs) == [
            one.git.sha for one in records if one.kind in kinds and one.git.sha in expected
        ], text


def test_what_was_rewritten_is_found_no_more(story: Story) -> None:
    first = story.born(development=tags())
    lost = story.by_hand("needle in the hay\n", {"a.md": "1"})
    history = story.history()
    assert found(history, lost, CommitFilter(text="needle")) == [lost]
    kept = story.by_hand("another needle\n", {"a.md": "2"}, parents=[first])
    assert found(history, kept, CommitFilter(text="needle")) == [kept]
    assert found(history, lost, CommitFilter(text="needle")) == [lost]


def states(history: SqliteHistory, head: str) -> dict[str, tuple[SignatureState, CommitKind, str | None]]:
    records, _ = history.commits(PROJECT, head, CommitFilter(), 100, None)
    return {record.git.sha: (record.git.signature.state, record.kind, record.job_id) for record in records}


def test_a_key_that_is_trusted_later_or_no_more_counts_for_what_is_indexed_already(
    story: Story, tmp_path: Path
) -> None:
    allowed = story.site.allowed_signers
    ours = allowed.read_text()
    born = story.born(development=tags(api="1"))
    other = Signer.load_or_create(tmp_path / "other" / "signing")
    both = ours + (tmp_path / "other" / "allowed_signers").read_text()
    sha = by(other, story, "deploy(development): api 2\n\nJob-Id: job_x\n")
    running, late = story.history(), story.history()
    unknown = {sha: (SignatureState.UNKNOWN_KEY, CommitKind.EXTERNAL, None)}
    first = {born: (SignatureState.VALID, CommitKind.PROJECT_CREATE, None)}
    assert states(running, sha) == unknown | first
    assert running.landed(PROJECT, sha, ["job_x"]) == {}

    allowed.write_text(both)
    assert list(running.landed(PROJECT, sha, ["job_x"])) == ["job_x"]
    assert states(late, sha) == {sha: (SignatureState.VALID, CommitKind.DEPLOY, "job_x")} | first
    kinds = CommitFilter(kinds=(CommitKind.DEPLOY,))
    assert found(running, sha, kinds) == found(story.history(), sha, kinds) == [sha]

    allowed.write_text(f"# the same keys in another order\n{''.join(reversed(both.splitlines(keepends=True)))}")
    assert states(running, sha)[sha][0] is SignatureState.VALID
    allowed.write_text(ours)
    assert states(running, sha) == states(late, sha) == unknown | first
    assert running.landed(PROJECT, sha, ["job_x"]) == {}


def test_a_history_that_was_rewritten_and_lost_does_not_hinder_another_trust(story: Story) -> None:
    first = story.born(development=tags())
    history = story.history()
    assert len(states(history, story.by_hand("gone\n", {"a.md": "1"}))) == 2
    kept = story.signed("config(base): kept\n", {"a.md": "2"}, parent=first)
    objects = Path(story.mirrors.objects(PROJECT).path) / "objects"
    (objects / story.told[1][:2] / story.told[1][2:]).unlink()
    story.site.allowed_signers.write_text("")
    assert [state for state, _, _ in states(story.history(), kept).values()] == [SignatureState.UNKNOWN_KEY] * 2


def by(signer: Signer, story: Story, message: str) -> str:
    """A commit on the head by another Lucity, whose key nobody here trusts yet."""
    mirrors = replace(story.site, signer=signer).mirrors()
    new = NewCommit(message, "Ann", "ann@example.org", AT, {values("development"): tags(api="2").encode()})
    return mirrors.commit(PROJECT, story.head, new)
