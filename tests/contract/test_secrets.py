import stat
from pathlib import Path

import pytest

from adapters.ports import Secrets
from adapters.secrets import FileSecrets


@pytest.fixture
def secrets(tmp_path: Path) -> Secrets:
    return FileSecrets(tmp_path / "secrets")


def test_a_secret_is_kept_replaced_and_forgotten(secrets: Secrets) -> None:
    assert secrets.get("webhook") is None
    secrets.put("webhook", b"\x00first\n")
    assert secrets.get("webhook") == b"\x00first\n"
    secrets.put("webhook", b"")
    assert secrets.get("webhook") == b""
    secrets.delete("webhook")
    secrets.delete("webhook")
    assert secrets.get("webhook") is None


def test_nobody_else_can_read_secrets_and_nothing_else_is_left(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir(mode=0o755)
    FileSecrets(tmp_path / "secrets").put("webhook", b"x")
    assert stat.S_IMODE((tmp_path / "secrets").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "secrets" / "webhook").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["webhook"]


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "/etc/passwd", ".hidden", "A", "a\n", "a\0", "a" * 201])
def test_names_that_could_be_paths_are_refused(secrets: Secrets, name: str) -> None:
    with pytest.raises(ValueError, match="no name of a secret"):
        secrets.get(name)
    with pytest.raises(ValueError, match="no name of a secret"):
        secrets.put(name, b"x")
    with pytest.raises(ValueError, match="no name of a secret"):
        secrets.delete(name)
