"""Commits as rows of the index and back: one JSON text each, so that a page needs one look-up per commit."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from gitops.commits import (
    CommitKind,
    CommitRecord,
    GitCommit,
    Image,
    ImageChange,
    Person,
    Signature,
    SignatureState,
)

_Fields = list[str | None]


def dump(record: CommitRecord) -> str:
    """The record's text; its number is the row's."""
    git = record.git
    return json.dumps(
        [
            [git.sha, list(git.parents), git.message],
            [git.author.name, git.author.email, int(git.authored_at.timestamp())],
            [git.committer.name, git.committer.email, int(git.committed_at.timestamp())],
            [git.signature.state, git.signature.key],
            [record.kind, record.job_id],
            list(record.environments),
            list(record.services),
            [
                [change.environment, change.service, _fields(change.before), _fields(change.after)]
                for change in record.images
            ],
        ],
        separators=(",", ":"),
    )


def load(number: int, content: str) -> CommitRecord:
    """The record that `dump` wrote."""
    (sha, parents, message), author, committer, signature, (kind, job), environments, services, images = json.loads(
        content
    )
    git = GitCommit(
        sha=sha,
        parents=tuple(parents),
        message=message,
        author=Person(author[0], author[1]),
        committer=Person(committer[0], committer[1]),
        authored_at=datetime.fromtimestamp(author[2], UTC),
        committed_at=datetime.fromtimestamp(committer[2], UTC),
        signature=Signature(SignatureState(signature[0]), signature[1]),
    )
    changes = tuple(
        ImageChange(name, service, _image(before), _image(after)) for name, service, before, after in images
    )
    return CommitRecord(number, git, CommitKind(kind), tuple(environments), tuple(services), changes, job)


def _fields(image: Image | None) -> _Fields | None:
    return None if image is None else [image.repository, image.tag, image.digest]


def _image(fields: Sequence[str] | None) -> Image | None:
    return None if fields is None else Image(*fields)
