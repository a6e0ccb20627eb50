"""Soft-serve's words as recorded from 0.12.2 and OpenSSH 9.2."""

from pathlib import Path

import pytest

from adapters.ports import Unreachable
from adapters.softserve import parse_references
from adapters.softserve_heads import parse_head
from adapters.softserve_ssh import (
    Answer,
    Ssh,
    Unfit,
    failure,
    parse_access,
    parse_names,
    parse_token,
    parse_user,
    parse_web_token,
)

SHA = "74ebe300631ada68daf97b49fe94c7275d61dc31"
TOKEN = "ss_2d76c61b9d76de6ef7123f717053e190d3eee5a4"
KNOWN = Path("known_hosts")
INFO = "Username: platform\nAdmin: true\nPublic keys:\n  ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMGpFN1p4g\n"
CHANGED = """@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Host key verification failed."""


def advertisement(*lines: str) -> bytes:
    packets = "".join(f"{len(line) + 5:04x}{line}\n" for line in lines)
    return f"001e# service=git-upload-pack\n0000{packets}0000".encode()


def test_a_listing_is_read_line_by_line() -> None:
    assert parse_names("gitops/myapp\nlucity/settings\nelsewhere\n") == ["gitops/myapp", "lucity/settings", "elsewhere"]
    assert parse_names("") == []


def test_users_tokens_and_levels_are_read() -> None:
    assert parse_user(INFO) == ("platform", True)
    assert parse_user("Username: writer\nAdmin: false\nPublic keys:\n") == ("writer", False)
    assert parse_token(f"Access token created\n{TOKEN}\n") == TOKEN
    assert parse_web_token("eyJh.eyJp.LHO-C2_l\n") == "eyJh.eyJp.LHO-C2_l"
    assert parse_access("no-access\n") == "no-access"


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (parse_names, "gitops/myapp\n\x1b[31mwelcome\n"),
        (parse_names, "Usage:\n  ssh -p 23231 host repo [command]\n"),
        (parse_token, ""),
        (parse_token, "Access token created\n"),
        (parse_token, f"{TOKEN}\nand more"),
        (parse_web_token, "Error: no"),
        (parse_access, "unknown\n"),
        (parse_user, "Welcome\nUsername: platform\nAdmin: true\nPublic keys:\n"),
        (parse_user, "Username: platform\n"),
    ],
)
def test_whatever_else_it_says_is_not_guessed_at(parse: object, text: str) -> None:
    assert callable(parse)
    with pytest.raises(Unreachable, match="Soft-serve answered with something that is not"):
        parse(text)


@pytest.mark.parametrize(
    ("said", "unfit"),
    [
        (CHANGED, True),
        (
            "No ED25519 host key is known for [h]:23231 and you have asked for it.\nHost key verification failed.",
            True,
        ),
        ("lucity@h: Permission denied (publickey,keyboard-interactive).", True),
        ("@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @", True),
        ("ssh: connect to host h port 23231: Connection refused", False),
        ("ssh: Could not resolve hostname h: Name or service not known", False),
        ("Connection closed by 127.0.0.1 port 23231", False),
        ("", False),
    ],
)
def test_only_what_a_person_must_mend_is_unfit(said: str, unfit: bool) -> None:  # noqa: FBT001 - a table
    found = failure(Answer(255, "", said), "h port 23231", KNOWN)
    assert isinstance(found, Unfit) is unfit
    assert found.component == "git"


def test_another_host_key_is_told_with_what_to_do() -> None:
    said = str(failure(Answer(255, "", CHANGED), "h port 23231", KNOWN))
    assert "another host key" in said
    assert "delete known_hosts and the secret softserve-known-hosts" in said


@pytest.mark.parametrize("argument", ["", "a b", "x;y", "$(id)", "a\nb", "'", "\u2028"])
def test_what_could_become_another_command_is_refused(argument: str) -> None:
    ssh = Ssh.to("ssh://127.0.0.1:1", KNOWN)
    with pytest.raises(ValueError, match="does not go into a command"):
        ssh.run(Path("key"), "repo", "create", argument)


def test_an_address_without_a_port_is_ssh_s_own() -> None:
    assert (Ssh.to("ssh://git.example.org", KNOWN).host, Ssh.to("ssh://git.example.org", KNOWN).port) == (
        "git.example.org",
        22,
    )


@pytest.mark.parametrize(
    ("lines", "head"),
    [
        ((f"{SHA} HEAD\0multi_ack symref=HEAD:refs/heads/main", f"{SHA} refs/heads/main", f"{SHA} refs/tags/v1"), SHA),
        ((f"{SHA} refs/heads/main\0multi_ack agent=git/2.39.5",), SHA),
        ((f"{'0' * 40} capabilities^{{}}\0multi_ack",), None),
        ((f"{SHA} HEAD\0x", f"{SHA} refs/heads/mainline", f"{SHA} refs/remotes/refs/heads/main"), None),
    ],
)
def test_main_is_found_in_what_a_repository_advertises(lines: tuple[str, ...], head: str | None) -> None:
    assert parse_head(advertisement(*lines)) == head


@pytest.mark.parametrize("answer", [b"", b"<html>", b"001e# service=git-receive-pack\n0000"])
def test_what_is_no_advertisement_is_no_empty_repository(answer: bytes) -> None:
    with pytest.raises(Unreachable, match="does not speak Git's smart HTTP"):
        parse_head(answer)


def test_references_are_read_without_head_and_peeled_tags() -> None:
    listing = f"{SHA}\tHEAD\n{SHA}\trefs/heads/main\n{SHA}\trefs/tags/v1\n{SHA}\trefs/tags/v1^{{}}\n".encode()
    assert parse_references(listing) == {"refs/heads/main": SHA, "refs/tags/v1": SHA}
