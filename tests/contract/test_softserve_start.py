"""How Lucity prepares a real Soft-serve at its start: once among many, anew after a set-up anew, and no stranger."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from adapters.secrets import FileSecrets
from adapters.softserve_ssh import Unfit
from tests.support.softserve import SoftServe


class TestFirstUse:
    """Users, tokens and the host's key, made and recorded on the first start."""

    def test_processes_that_start_at_once_agree(self, own: SoftServe, tmp_path: Path) -> None:
        hosts = [own.host(tmp_path / "data", tmp_path / "data" / "secrets") for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda host: host.prepare(), hosts))
            list(pool.map(lambda host: host.create("myapp"), hosts))
        assert [list(host.projects()) for host in hosts] == [["myapp"]] * 4
        assert {"platform", "writer", "argocd"} <= set(own.administer("user", "list").splitlines())
        assert "Admin: true" in own.administer("user", "info", "platform")
        assert "Admin: false" in own.administer("user", "info", "writer")

    def test_secrets_are_readable_by_their_owner_only(self, own: SoftServe, tmp_path: Path) -> None:
        own.host(tmp_path / "data", tmp_path / "data" / "secrets").prepare()
        kept = [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
        private = [path for path in kept if path.name not in {"lock", "known_hosts"}]
        assert len(private) >= 6
        assert {path.stat().st_mode & 0o077 for path in private} == {0}

    def test_a_token_that_the_host_does_not_take_is_replaced_at_the_next_start(
        self, own: SoftServe, tmp_path: Path
    ) -> None:
        secrets = FileSecrets(tmp_path / "secrets")
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        host.prepare()
        host.create("myapp")
        secrets.put("softserve-writer-token", b"ss_wrong")
        host.prepare()
        assert (secrets.get("softserve-writer-token") or b"").startswith(b"ss_")
        assert secrets.get("softserve-writer-token") != b"ss_wrong"
        assert host.heads(["myapp"]) == {}

    def test_a_host_that_was_set_up_anew_is_prepared_anew(self, own: SoftServe, tmp_path: Path) -> None:
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        host.prepare()
        own.kill()
        for name in ("repos", "soft-serve.db", "soft-serve.db-shm", "soft-serve.db-wal"):
            path = own.data / name
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
        own.start()
        host.prepare()
        host.create("myapp")
        assert host.credentials_for_reading("myapp")[1] == "argocd"
        assert list(host.projects()) == ["myapp"]

    def test_a_host_with_another_key_is_not_talked_to(self, own: SoftServe, tmp_path: Path) -> None:
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        host.prepare()
        own.kill()
        shutil.rmtree(own.data / "ssh")
        own.start()
        for ask in (host.prepare, host.projects, lambda: own.host(tmp_path / "other", tmp_path / "secrets").projects()):
            with pytest.raises(Unfit, match="another host key"):
                ask()

    def test_a_key_of_nobody_stops_the_start(self, own: SoftServe, tmp_path: Path) -> None:
        host = own.host(tmp_path / "data", tmp_path / "secrets")
        stranger = SoftServe(tmp_path / "stranger")
        (tmp_path / "stranger").mkdir()
        stranger.make_admin_key()
        for suffix in ("", ".pub"):
            shutil.copy(stranger.admin_key.with_suffix(suffix), own.admin_key.with_suffix(suffix))
        with pytest.raises(Unfit, match="LUCITY_SOFTSERVE_ADMIN_KEY_FILE belongs to nobody"):
            host.prepare()
