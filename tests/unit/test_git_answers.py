"""Answers as recorded from git 2.39 against bare repositories and Soft-serve 0.12.2."""

import pytest

from adapters.git_answers import FetchState, classify_fetch, classify_push
from adapters.git_process import Finished
from adapters.records import PushState
from gitops.problems import NotFound, PermissionDenied

URL = "http://127.0.0.1:23232/gitops/myapp"


def rejected(reason: str, stderr: str = "") -> Finished:
    line = f"!\trefs/heads/main:refs/heads/main\t{reason}"
    return Finished(1, f"To {URL}\n{line}\nDone\n".encode(), f"{stderr}error: failed to push some refs to '{URL}'\n")


@pytest.mark.parametrize(
    ("finished", "state"),
    [
        (Finished(0, b"To x\n \trefs/heads/main:refs/heads/main\ta..b\nDone\n", ""), PushState.ACCEPTED),
        (rejected("[rejected] (fetch first)"), PushState.MOVED),
        (rejected("[rejected] (stale info)"), PushState.MOVED),
        (rejected("[rejected] (non-fast-forward)"), PushState.MOVED),
        (
            rejected(
                "[remote rejected] (failed to update ref)",
                "remote: error: cannot lock ref 'refs/heads/main': is at 1 but expected 2\n",
            ),
            PushState.MOVED,
        ),
        (rejected("[remote rejected] (cannot lock ref)"), PushState.MOVED),
        (rejected("[remote rejected] (words of the future)"), PushState.MOVED),
        (rejected("[remote rejected] (pre-receive hook declined)", "remote: no\n"), PushState.REFUSED),
        (rejected("[remote rejected] (hook declined)", "remote: no\n"), PushState.REFUSED),
        (rejected("[remote rejected] (pre-receive hook declined)", "remote: 403 Forbidden\n"), PushState.REFUSED),
        (Finished(128, b"", f"remote: 401 Unauthorized\nfatal: Authentication failed for '{URL}/'"), PushState.DENIED),
        (
            Finished(
                128, b"", f"remote: 403 Forbidden\nfatal: unable to access '{URL}/': The requested URL … error: 403"
            ),
            PushState.DENIED,
        ),
        (
            Finished(128, b"", f"fatal: could not read Username for '{URL}': terminal prompts disabled"),
            PushState.DENIED,
        ),
        (Finished(128, b"", f"remote: 404 Not Found\nfatal: repository '{URL}/' not found"), PushState.DENIED),
        (Finished(128, b"", "fatal: '/data/x.git' does not appear to be a git repository"), PushState.DENIED),
        (Finished(128, b"", "git@host: Permission denied (publickey).\nfatal: Could not read"), PushState.DENIED),
        (Finished(128, b"", "fatal: the remote end hung up unexpectedly"), PushState.AMBIGUOUS),
        (Finished(1, b"", "error: RPC failed; HTTP 502 curl 22 The requested URL … 502"), PushState.AMBIGUOUS),
        (Finished(128, b"", "fatal: unable to access: Failed to connect: Connection refused"), PushState.AMBIGUOUS),
        (Finished(-9, b"", ""), PushState.AMBIGUOUS),
        (Finished(-15, b"", "remote: 403 Forbidden", timed_out=True), PushState.AMBIGUOUS),
    ],
)
def test_a_push_is_read_by_its_answer(finished: Finished, state: PushState) -> None:
    assert classify_push(finished, "myapp").state is state


def test_a_denied_push_says_what_was_denied() -> None:
    missing = classify_push(Finished(128, b"", f"fatal: repository '{URL}/' not found"), "myapp")
    assert isinstance(missing.problem, NotFound)
    denied = classify_push(Finished(128, b"", f"fatal: Authentication failed for '{URL}/'"), "myapp")
    assert isinstance(denied.problem, PermissionDenied)


def test_a_refusal_carries_the_hooks_words_only() -> None:
    said = "remote: values.yaml is too large        \nremote: \nremote: ask the platform team\n"
    result = classify_push(rejected("[remote rejected] (pre-receive hook declined)", said), "myapp")
    assert result.message == "values.yaml is too large\nask the platform team"


def test_a_refusal_without_words_says_what_git_says() -> None:
    result = classify_push(rejected("[remote rejected] (pre-receive hook declined)"), "myapp")
    assert result.message == "pre-receive hook declined"


def test_credentials_in_an_address_are_not_repeated() -> None:
    said = "fatal: unable to access 'https://lucity:ss_secret@host/gitops/myapp/': Could not resolve host"
    assert "ss_secret" not in classify_push(Finished(128, b"", said), "myapp").message


@pytest.mark.parametrize(
    ("finished", "state"),
    [
        (Finished(0, b"", ""), FetchState.FETCHED),
        (Finished(128, b"", "fatal: couldn't find remote ref refs/heads/main"), FetchState.EMPTY),
        (Finished(128, b"", f"remote: 404 Not Found\nfatal: repository '{URL}/' not found"), FetchState.MISSING),
        (Finished(128, b"", "fatal: '/data/x.git' does not appear to be a git repository"), FetchState.MISSING),
        (Finished(128, b"", "fatal: not a git repository: '/data/mirrors/myapp.git'"), FetchState.FAILED),
        (Finished(128, b"", f"remote: 403 Forbidden\nfatal: unable to access '{URL}/'"), FetchState.FAILED),
        (Finished(128, b"", "fatal: unable to access: Connection refused"), FetchState.FAILED),
        (Finished(-15, b"", "fatal: repository 'x' not found", timed_out=True), FetchState.FAILED),
    ],
)
def test_a_fetch_is_read_by_its_answer(finished: Finished, state: FetchState) -> None:
    assert classify_fetch(finished) is state
