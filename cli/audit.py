"""`lucity audit`: who did what, when, why and under which override, told by a clone alone; and whether all is well."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.clones import Clone, NoClone
from adapters.ports import MissingCommit
from cli.failures import StartFailed
from gitops import messages
from gitops.audits import Evidence, faults
from gitops.commits import CommitRecord, ImageChange, SignatureState
from gitops.names import short
from gitops.times import rfc3339


@dataclass(frozen=True)
class Finding:
    """A commit and what is wrong with it."""

    commit: CommitRecord
    faults: tuple[str, ...]


def audit(folder: Path, allowed_signers: Path | None) -> list[Finding]:
    """Judge every commit of a clone, oldest first. Raises StartFailed when there is nothing to judge."""
    try:
        clone = Clone(folder, allowed_signers)
        if not clone.allowed_signers.is_file():
            raise StartFailed(
                f"there is no {clone.allowed_signers}: name the keys that count with --allowed-signers FILE;"
                " Lucity serves them at /allowed_signers"
            )
        return list(_judged(clone.history()))
    except NoClone:
        raise StartFailed(f"{folder} is no clone with a commit: git clone the project first") from None
    except MissingCommit as error:
        raise StartFailed(f"{folder} lacks commit {error}: complete it with git fetch --unshallow") from None


def _judged(history: Iterator[Evidence]) -> Iterator[Finding]:
    earlier: set[str] = set()
    jobs: set[str] = set()
    for found in history:
        yield Finding(found.commit, faults(found, earlier, jobs))
        earlier.add(found.commit.git.sha)
        jobs |= {found.commit.job_id} if found.commit.job_id else set()


def render(findings: Sequence[Finding]) -> str:
    """Put an audit into lines, newest commit first, then what it comes to."""
    lines = [line for finding in reversed(findings) for line in _lines(finding)]
    states = Counter(finding.commit.git.signature.state for finding in findings)
    wrong = sum(bool(finding.faults) for finding in findings)
    verified = states[SignatureState.VALID]
    others = f"{len(findings) - verified} by hand or by others"
    verdict = "all is well" if not wrong else f"{wrong} not as they should be"
    return "\n".join([*lines, f"{len(findings)} commits, {verified} verified, {others}: {verdict}", ""])


def _lines(finding: Finding) -> Iterator[str]:
    git = finding.commit.git
    mark = {"VALID": "✓", "NONE": " ", "UNKNOWN_KEY": "?", "INVALID": "✗"}[git.signature.state]
    who = f"{git.author.name} <{git.author.email}>"
    yield _printable(f"{short(git.sha)} {mark} {rfc3339(git.committed_at)} {who}  {git.subject}")
    message = messages.parse(git.message)
    if git.trusted:
        for key in (messages.REASON, messages.OVERRIDE, messages.FROM_COMMIT, messages.REVERTS, messages.ROLLS_BACK_TO):
            yield from (f"          {key}: {_printable(value)}" for value in message.all(key))
    yield from (f"          {_moved(change)}" for change in finding.commit.images)
    yield from (f"        ! {_printable(fault)}" for fault in finding.faults)


def report(findings: Sequence[Finding]) -> str:
    """Put an audit into JSON, newest commit first."""
    content = {
        "ok": not any(finding.faults for finding in findings),
        "head": findings[-1].commit.git.sha,
        "commits": [_item(finding) for finding in reversed(findings)],
    }
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


def _item(finding: Finding) -> dict[str, Any]:
    commit, git = finding.commit, finding.commit.git
    message = messages.parse(git.message)
    trailers = message if git.trusted else messages.parse("")
    return {
        "sha": git.sha,
        "kind": commit.kind,
        "subject": git.subject,
        "author": {"name": git.author.name, "email": git.author.email},
        "committer": {"name": git.committer.name, "email": git.committer.email},
        "authoredAt": rfc3339(git.authored_at),
        "committedAt": rfc3339(git.committed_at),
        "signature": {"state": git.signature.state, "key": git.signature.key},
        "environments": list(commit.environments),
        "services": list(commit.services),
        "images": [
            {
                "environment": change.environment,
                "service": change.service,
                "before": change.before.reference if change.before else None,
                "after": change.after.reference if change.after else None,
            }
            for change in commit.images
        ],
        "job": commit.job_id,
        "actor": trailers.first(messages.ACTOR_ID),
        "reason": trailers.first(messages.REASON),
        "overrides": list(trailers.all(messages.OVERRIDE)),
        "faults": list(finding.faults),
    }


def _moved(change: ImageChange) -> str:
    before, after = (image.reference if image else "nothing" for image in (change.before, change.after))
    return _printable(f"{change.environment}/{change.service}: {before} → {after}")


def _printable(text: str) -> str:
    """Text that a stranger wrote, without what a terminal would obey."""
    return "".join(character if character.isprintable() else "�" for character in text)
