"""What becomes of a registry that does not answer well, or wants to know who asks."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.ports import Registry, Unreachable
from gitops.problems import JobFailure, Refused
from tests.support.fake_registry import Auth, Failure, FakeOciRegistry, fake_registry
from tests.support.registries import Client, clients
from tests.support.registry import PASSWORD

PAGE = Failure(200, b"<html>Please log in</html>", "text/html")


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with clients(tmp_path) as make:
        yield make


@pytest.fixture
def fake() -> Iterator[FakeOciRegistry]:
    with fake_registry() as running:
        running.push("api", "v1", b"one")
        yield running


class TestAnswersOfEveryKind:
    """What registries and what stands before them have been seen to do."""

    def ask(self, fake: FakeOciRegistry, client: Client) -> str | None:
        return client(fake.address, seconds=2).digest(f"{fake.address}/api", "v1")

    def complaint(self, fake: FakeOciRegistry, client: Client) -> str:
        with pytest.raises(Unreachable) as raised:
            self.ask(fake, client)
        assert raised.value.component == "registry"
        assert fake.address in str(raised.value)
        return str(raised.value)

    def test_a_digest_that_no_header_names_is_that_of_the_content(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.header = False
        manifest = b'{"schemaVersion": 2, "manifests": []}'
        fake.store("api", "v1", manifest)
        assert self.ask(fake, client) == f"sha256:{hashlib.sha256(manifest).hexdigest()}"

    def test_one_that_does_not_know_head_is_asked_for_the_whole(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.without_head = True
        assert self.ask(fake, client) == fake.tags["api"]["v1"]

    def test_a_connection_that_nobody_takes_is_an_outage(self, client: Client) -> None:
        with fake_registry() as gone:
            pass
        assert "does not answer" in self.complaint(gone, client)

    @pytest.mark.parametrize("status", [500, 502, 503])
    def test_errors_of_a_server_are_an_outage(self, fake: FakeOciRegistry, client: Client, status: int) -> None:
        fake.broken = Failure(status, b'{"errors": [{"code": "UNKNOWN", "message": "out of disk"}]}')
        # The answer to HEAD has no body, so only its status is known.
        assert str(status) in self.complaint(fake, client)

    @pytest.mark.parametrize("status", [200, 404])
    def test_a_page_of_some_proxy_is_no_answer(self, fake: FakeOciRegistry, client: Client, status: int) -> None:
        fake.broken = Failure(status, PAGE.body, PAGE.content_type)
        assert "does not answer like a registry" in self.complaint(fake, client)

    def test_a_page_is_no_list_of_tags(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.broken = PAGE
        with pytest.raises(Unreachable, match="does not answer like a registry: 200 a page"):
            client(fake.address).tags(f"{fake.address}/api")

    def test_a_redirect_is_not_followed(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.broken = Failure(301, headers=(("location", "http://169.254.169.254/"),))
        assert "set LUCITY_REGISTRY to its real address" in self.complaint(fake, client)

    def test_a_busy_one_is_asked_again_when_it_says(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.failures = [Failure(429, headers=(("retry-after", "1"),)), Failure(429)]
        assert self.ask(fake, client) == fake.tags["api"]["v1"]

    def test_one_that_is_busy_for_too_long_is_an_outage(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.broken = Failure(429, headers=(("retry-after", "3600"),))
        assert "asks to wait 3600 s" in self.complaint(fake, client)
        assert len(fake.asked) == 1

    def test_silence_comes_to_an_end(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.silent = True
        assert "does not answer" in self.complaint(fake, client)

    def test_an_endless_answer_is_not_kept(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.broken = Failure(200, b" " * 9 * 2**20)
        assert "more than 8 MiB" in self.complaint(fake, client)

    def test_pages_of_tags_are_put_together(self, fake: FakeOciRegistry, client: Client) -> None:
        fake.largest_page = 3
        for number in range(10):
            fake.push("api", f"v{number}", b"one")
        found = client(fake.address).tags(f"{fake.address}/api")
        assert list(found) == [f"v{number}" for number in range(10)]

    def test_no_other_registry_is_asked(self, fake: FakeOciRegistry, client: Client) -> None:
        """A repository's name comes from a file that anybody in the project writes."""
        registry = client(f"{fake.address}/team")
        for repository in ("elsewhere.test/team/api", f"{fake.address}/api", f"{fake.address}/team/../api?x"):
            assert not registry.holds(repository)
            with pytest.raises(ValueError, match="LUCITY_REGISTRY"):
                registry.digest(repository, "v1")
        assert fake.asked == []


class TestGettingIn:
    """Refusals name what to set; a password goes nowhere else."""

    def refusal(self, registry: Registry, address: str) -> str:
        with pytest.raises(Refused) as refused:
            registry.digest(f"{address}/api", "v1")
        assert isinstance(refused.value.problem, JobFailure)
        return refused.value.problem.message

    @pytest.mark.parametrize("auth", [Auth.BASIC, Auth.BEARER])
    def test_without_a_login_it_says_what_to_set(self, client: Client, auth: Auth) -> None:
        with fake_registry(auth) as fake:
            registry = client(fake.address)
            said = self.refusal(registry, fake.address)
            registry.check()
        assert "set LUCITY_REGISTRY_USERNAME and LUCITY_REGISTRY_PASSWORD_FILE" in said

    @pytest.mark.parametrize("auth", [Auth.BASIC, Auth.BEARER])
    def test_a_wrong_password_is_said_and_not_shown(self, client: Client, tmp_path: Path, auth: Auth) -> None:
        with fake_registry(auth) as fake:
            registry = client(fake.address, login=True)
            (tmp_path / "password").write_text("very-wrong")
            said = self.refusal(registry, fake.address)
            with pytest.raises(Refused):
                registry.check()
        assert "the login of LUCITY_REGISTRY_USERNAME" in said
        assert "very-wrong" not in said

    @pytest.mark.parametrize("auth", [Auth.BASIC, Auth.BEARER])
    def test_a_new_password_counts_without_a_restart(self, client: Client, tmp_path: Path, auth: Auth) -> None:
        with fake_registry(auth) as fake:
            digest = fake.push("api", "v1", b"one")
            registry = client(fake.address, login=True)
            (tmp_path / "password").write_text("old")
            self.refusal(registry, fake.address)
            (tmp_path / "password").write_text(PASSWORD)
            assert registry.digest(f"{fake.address}/api", "v1") == digest

    def test_a_password_file_that_is_gone_is_named(self, client: Client, tmp_path: Path) -> None:
        with fake_registry(Auth.BASIC) as fake:
            registry = client(fake.address, login=True)
            (tmp_path / "password").unlink()
            with pytest.raises(Unreachable, match="LUCITY_REGISTRY_PASSWORD_FILE cannot be read"):
                registry.digest(f"{fake.address}/api", "v1")

    def test_a_token_is_used_again_and_renewed_when_it_no_longer_counts(self, client: Client) -> None:
        with fake_registry(Auth.BEARER) as fake:
            digest = fake.push("api", "v1", b"one")
            registry = client(fake.address, login=True)
            answers = [registry.digest(f"{fake.address}/api", "v1") for _ in range(3)]
            assert fake.asked.count("GET /token") == 1
            fake.tokens = {"from before": ""}
            answers.append(registry.digest(f"{fake.address}/api", "v1"))
            assert fake.asked.count("GET /token") == 2
        assert answers == [digest] * 4

    def test_a_token_service_that_fails_is_an_outage(self, client: Client) -> None:
        with fake_registry() as fake:
            challenge = ("www-authenticate", f'Bearer realm="http://{fake.address}/token",service="fake"')
            fake.failures = [Failure(401, headers=(challenge,)), PAGE]
            with pytest.raises(Unreachable, match="gives no token"):
                client(fake.address, login=True).digest(f"{fake.address}/api", "v1")

    @pytest.mark.parametrize("token", ["made up t\u00f6ken", "made up\ntoken", ""])
    def test_a_token_that_fits_no_header_is_told_without_being_shown(self, client: Client, token: str) -> None:
        with fake_registry() as fake:
            challenge = ("www-authenticate", f'Bearer realm="http://{fake.address}/token",service="fake"')
            given = Failure(200, json.dumps({"token": token}, ensure_ascii=False).encode())
            fake.failures = [Failure(401, headers=(challenge,)), given]
            with pytest.raises(Unreachable, match="gives no token") as outage:
                client(fake.address, login=True).digest(f"{fake.address}/api", "v1")
        assert "made up" not in str(outage.value)

    @pytest.mark.parametrize("realm", ["", "ftp://127.0.0.1/token", "/token", "http://a:b/"])
    def test_a_password_is_shown_to_no_strange_address(self, client: Client, realm: str) -> None:
        with fake_registry() as fake:
            fake.broken = Failure(401, headers=(("www-authenticate", f'Bearer realm="{realm}"'),))
            with pytest.raises(Unreachable, match="names no token service"):
                client(fake.address, login=True).digest(f"{fake.address}/api", "v1")
