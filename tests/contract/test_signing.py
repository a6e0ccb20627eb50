"""Signatures made and checked in process, against the real ssh-keygen and git."""

import os
import shutil
import stat
import subprocess
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from adapters.signing import Signatures, Signer
from gitops.commits import SignatureState
from tests.support.git import Site, git, new_commit

PAYLOAD = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nempty\n"


def ssh_keygen() -> str:
    found = shutil.which("ssh-keygen")
    if found is None and os.environ.get("CI"):
        pytest.fail("ssh-keygen is missing: install openssh-client")
    if found is None:
        pytest.skip("ssh-keygen is not installed (openssh-client)")
    return found


def make(folder: Path) -> tuple[Signer, Signatures]:
    return Signer.load_or_create(folder / "signing"), Signatures(folder / "allowed_signers")


def sign_with_ssh_keygen(folder: Path, key: Path, namespace: str = "git") -> str:
    payload = folder / "payload"
    payload.write_bytes(PAYLOAD)
    command = [ssh_keygen(), "-q", "-Y", "sign", "-f", str(key), "-n", namespace, str(payload)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)
    signature = payload.with_suffix(".sig")
    text = signature.read_text()
    signature.unlink()
    return text


def test_ssh_keygen_accepts_our_signature_and_names_the_same_key(tmp_path: Path) -> None:
    signer, _ = make(tmp_path)
    (tmp_path / "sig").write_text(signer.sign(PAYLOAD))
    command = [ssh_keygen(), "-Y", "verify", "-f", str(tmp_path / "allowed_signers"), "-I", "lucity@localhost"]
    command += ["-n", "git", "-s", str(tmp_path / "sig")]
    verified = subprocess.run(command, input=PAYLOAD, capture_output=True, check=True)
    assert signer.fingerprint in verified.stdout.decode()
    refused = subprocess.run(command, input=PAYLOAD + b"x", capture_output=True, check=False)
    assert refused.returncode != 0


def test_a_signature_by_ssh_keygen_with_our_key_is_valid(tmp_path: Path) -> None:
    signer, signatures = make(tmp_path)
    found = signatures.verify(PAYLOAD, sign_with_ssh_keygen(tmp_path, tmp_path / "signing"))
    assert (found.state, found.key) == (SignatureState.VALID, signer.fingerprint)


def test_git_shows_a_good_signature_on_our_commits(tmp_path: Path) -> None:
    ssh_keygen()
    site = Site.make(tmp_path)
    site.host.create("myapp")
    mirrors = site.mirrors()
    sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"README.md": b"hello"}))
    mirrors.push("myapp", "", sha)
    clone = site.clone("myapp")
    git(clone.folder, "config", "gpg.ssh.allowedSignersFile", str(site.allowed_signers))
    assert git(clone.folder, "log", "-1", "--format=%G? %GF %GS") == f"G {site.signer.fingerprint} lucity@localhost"
    assert 'Good "git" signature for lucity@localhost' in git(clone.folder, "log", "--show-signature", check=False)


def test_what_was_signed_and_then_changed_is_invalid(tmp_path: Path) -> None:
    signer, signatures = make(tmp_path)
    armored = signer.sign(PAYLOAD)
    assert signatures.verify(PAYLOAD, armored).state is SignatureState.VALID
    assert signatures.verify(PAYLOAD + b" ", armored).state is SignatureState.INVALID


def test_a_signature_for_another_purpose_is_invalid(tmp_path: Path) -> None:
    _, signatures = make(tmp_path)
    armored = sign_with_ssh_keygen(tmp_path, tmp_path / "signing", namespace="file")
    assert signatures.verify(PAYLOAD, armored).state is SignatureState.INVALID


def test_keys_of_others_are_unknown_whatever_their_kind(tmp_path: Path) -> None:
    _, signatures = make(tmp_path / "ours")
    theirs, _ = make(tmp_path / "theirs")
    found = signatures.verify(PAYLOAD, theirs.sign(PAYLOAD))
    assert (found.state, found.key) == (SignatureState.UNKNOWN_KEY, theirs.fingerprint)
    curve = tmp_path / "ecdsa"
    content = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    curve.write_bytes(content)
    curve.chmod(0o600)
    armored = sign_with_ssh_keygen(tmp_path, curve)
    assert signatures.verify(PAYLOAD, armored).state is SignatureState.UNKNOWN_KEY
    pgp = "-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----"
    assert signatures.verify(PAYLOAD, pgp).state is SignatureState.UNKNOWN_KEY


@pytest.mark.parametrize(
    "mangle",
    [
        lambda text: text.replace("U1NIU0", "U1NIU1"),
        lambda text: text[: len(text) // 2],
        lambda text: text[: len(text) // 2] + text[-27:],
        lambda text: text.replace("-----END", "AAAA\n-----END"),
        lambda text: text.replace("\n", "\n!", 1),
        lambda _: "no signature",
        lambda _: "-----BEGIN SSH SIGNATURE-----\n-----END SSH SIGNATURE-----",
        lambda _: "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAf////8=\n-----END SSH SIGNATURE-----",
    ],
)
def test_what_cannot_be_read_is_invalid(tmp_path: Path, mangle: "type[str]") -> None:
    signer, signatures = make(tmp_path)
    text = signer.sign(PAYLOAD)
    mangled = mangle(text)
    assert mangled != text
    assert signatures.verify(PAYLOAD, mangled).state is SignatureState.INVALID


def test_every_damaged_byte_of_a_signature_is_noticed(tmp_path: Path) -> None:
    signer, signatures = make(tmp_path)
    lines = signer.sign(PAYLOAD).splitlines()
    text = "".join(lines[1:-1])
    for place in range(0, len(text) - 4, 3):
        other = "A" if text[place] != "A" else "B"
        damaged = "\n".join((lines[0], text[:place] + other + text[place + 1 :], lines[-1]))
        assert signatures.verify(PAYLOAD, damaged).state is not SignatureState.VALID, place


def test_no_signature_is_none(tmp_path: Path) -> None:
    assert Signatures(tmp_path / "allowed_signers").verify(PAYLOAD, "").state is SignatureState.NONE


def test_the_key_stays_over_restarts_and_is_ours_alone(tmp_path: Path) -> None:
    first, _ = make(tmp_path / "keys")
    second, _ = make(tmp_path / "keys")
    assert first.fingerprint == second.fingerprint
    assert stat.S_IMODE((tmp_path / "keys" / "signing").stat().st_mode) == 0o600
    assert (tmp_path / "keys" / "signing.pub").read_text() == f"{first.public_key} lucity@localhost\n"
    assert len((tmp_path / "keys" / "allowed_signers").read_text().splitlines()) == 1


def test_commits_of_a_replaced_key_stay_valid(tmp_path: Path) -> None:
    old, signatures = make(tmp_path)
    armored = old.sign(PAYLOAD)
    for name in ("signing", "signing.pub"):
        (tmp_path / name).unlink()
    new, _ = make(tmp_path)
    assert new.fingerprint != old.fingerprint
    assert signatures.verify(PAYLOAD, armored).state is SignatureState.VALID
    assert signatures.verify(PAYLOAD, new.sign(PAYLOAD)).state is SignatureState.VALID


def test_a_key_allowed_for_something_else_does_not_count(tmp_path: Path) -> None:
    signer, signatures = make(tmp_path)
    line = f'lucity@localhost namespaces="file" {signer.public_key}\n# comment\n\nnonsense\n'
    (tmp_path / "allowed_signers").write_text(line)
    assert signatures.verify(PAYLOAD, signer.sign(PAYLOAD)).state is SignatureState.UNKNOWN_KEY


def test_processes_that_start_at_once_agree_on_one_key(tmp_path: Path) -> None:
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        found = set(pool.map(fingerprint_of, [tmp_path / "keys" / "signing"] * 8))
    assert len(found) == 1
    assert len((tmp_path / "keys" / "allowed_signers").read_text().splitlines()) == 1
    assert [path.name for path in (tmp_path / "keys").glob(".signing*")] == []


def test_a_key_of_another_kind_is_refused_with_advice(tmp_path: Path) -> None:
    content = generate_private_key(SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    (tmp_path / "signing").write_bytes(content)
    with pytest.raises(ValueError, match="ssh-keygen -t ed25519"):
        make(tmp_path)


def fingerprint_of(path: Path) -> str:
    return Signer.load_or_create(path).fingerprint
