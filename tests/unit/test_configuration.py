"""Settings as a process starts with them: each mistake is a sentence that names the variable and no secret."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from adapters.settings import Settings
from cli.configuration import require_others, require_secrets
from cli.failures import StartFailed

PASSWORD = "0123456789abcdef"


def settings(folder: Path, redis_url: str | None, key: bytes) -> Settings:
    path = folder / "key"
    path.write_bytes(key)
    url = None if redis_url is None else SecretStr(redis_url)
    return Settings(data=folder, redis_url=url, token_key_file=path, signing_key_file=path)


@pytest.mark.parametrize("key", [b"k" * 32, b"\n" + b"k" * 30 + b" "])
def test_long_secrets_are_accepted_whatever_bytes_they_hold(tmp_path: Path, key: bytes) -> None:
    require_secrets(settings(tmp_path, f"redis://:{PASSWORD}@redis.example.com:6379/0", key))


@pytest.mark.parametrize(
    ("url", "part"),
    [
        (None, "LUCITY_REDIS_URL is not set"),
        ("redis://redis.example.com:6379/0", "at least 16 characters"),
        ("redis://:guessable@redis.example.com:6379/0", "at least 16 characters"),
        (f"http://:{PASSWORD}@redis.example.com", "redis://"),
    ],
)
def test_a_redis_without_a_good_password_is_refused(tmp_path: Path, url: str | None, part: str) -> None:
    with pytest.raises(StartFailed, match=part) as refused:
        require_secrets(settings(tmp_path, url, b"k" * 32))
    assert "guessable" not in str(refused.value)


def test_a_short_key_is_refused_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="LUCITY_TOKEN_KEY_FILE is too short") as refused:
        require_secrets(settings(tmp_path, f"redis://:{PASSWORD}@redis.example.com:6379/0", b"k" * 31))
    assert str(tmp_path / "key") in str(refused.value)


def test_all_that_is_missing_is_named_at_once(tmp_path: Path) -> None:
    with pytest.raises(StartFailed) as refused:
        require_secrets(Settings(data=tmp_path))
    named = [line.split()[0] for line in str(refused.value).splitlines()[:-1]]
    assert named == ["LUCITY_REDIS_URL", "LUCITY_TOKEN_KEY_FILE", "LUCITY_SIGNING_KEY_FILE"]


@pytest.mark.parametrize("name", ["softserve_admin_key_file", "argocd_token_file"])
@pytest.mark.parametrize(("content", "said"), [(None, "cannot be read"), (b"\n", "is empty")])
def test_a_file_of_another_system_that_says_nothing_stops_the_start(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    given = settings(tmp_path, f"redis://:{PASSWORD}@redis.example.com:6379/0", b"k" * 32)
    for judge in (require_secrets, require_others):
        with pytest.raises(StartFailed, match=f"LUCITY_{name.upper()} {said}: {path}"):
            judge(given.model_copy(update={name: path}))


def test_a_setting_that_is_no_json_is_named(tmp_path: Path) -> None:
    program = Path(sys.executable).parent / "lucity"
    command = [str(program), "up", "--no-browser", "--data", str(tmp_path)]
    given = {**os.environ, "LUCITY_NAMESPACE_QUOTA": "nope"}
    ended = subprocess.run(command, env=given, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "the setting LUCITY_NAMESPACE_QUOTA is wrong: it is no JSON" in ended.stderr


def test_a_start_with_a_redis_of_its_own_needs_no_other() -> None:
    require_others(Settings())


def test_a_redis_that_is_named_has_to_be_good_for_a_start_that_would_bring_its_own(tmp_path: Path) -> None:
    with pytest.raises(StartFailed, match="at least 16 characters"):
        require_others(settings(tmp_path, "redis://redis.example.com", b"k" * 32))
