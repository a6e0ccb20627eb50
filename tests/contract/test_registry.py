"""Registries: what every one does, whichever way it lets us in; and what becomes of one that does not answer well."""

import hashlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import pytest

from adapters.ports import Registry, Unreachable
from adapters.registry import OciRegistry
from adapters.registry_http import Login
from adapters.registry_names import RegistryAddress
from adapters.settings import Settings
from adapters.trust import SYSTEM, Trust
from gitops.problems import JobFailure, NotFound, Refused
from tests.fakes import FakeRegistry
from tests.support.authority import Authority
from tests.support.fake_registry import Auth, Failure, FakeOciRegistry, fake_registry
from tests.support.registry import PASSWORD, USERNAME, start_registry
from tests.support.relay import relay

ABSENT = f"sha256:{'0' * 64}"
PAGE = Failure(200, b"<html>Please log in</html>", "text/html")


@dataclass(frozen=True)
class Site:
    """A registry, and a hand to put images into it by path, tag and content; it answers digests."""

    address: str
    registry: Registry
    push: Callable[[str, str, bytes], str]

    def put(self, tag: str, content: bytes = b"one") -> str:
        """Put an image into `repository`."""
        return self.push("team/api", tag, content)

    @property
    def repository(self) -> str:
        """Where those images are."""
        return f"{self.address}/team/api"


class Client(Protocol):
    """Makes clients of ours, which end with the test."""

    def __call__(self, address: str, *, login: bool = False, seconds: float = 10.0) -> OciRegistry: ...


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    file = tmp_path / "password"
    file.write_text(f"{PASSWORD}\n")
    made: list[OciRegistry] = []

    def make(address: str, *, login: bool = False, seconds: float = 10.0) -> OciRegistry:
        given = Login(USERNAME, file) if login else None
        made.append(OciRegistry(RegistryAddress.parse(address), given, insecure=True, seconds=seconds))
        return made[-1]

    yield make
    for registry in made:
        registry.close()


def twin() -> Site:
    registry = FakeRegistry()
    address = registry.address
    return Site(address, registry, lambda path, tag, content: registry.put(f"{address}/{path}", tag, content))


@pytest.fixture(params=["twin", "open", "basic", "bearer", "anonymous", "real", "real with a login"])
def site(request: pytest.FixtureRequest, tmp_path: Path, client: Client) -> Iterator[Site]:
    kind: str = request.param
    with ExitStack() as stack:
        if kind == "twin":
            yield twin()
        elif kind.startswith("real"):
            login = kind == "real with a login"
            server = stack.enter_context(start_registry(tmp_path / "registry", login=login))
            yield Site(server.address, client(server.address, login=login), server.push)
        else:
            fake = stack.enter_context(fake_registry(Auth[kind.upper()]))
            login = kind in {"basic", "bearer"}
            yield Site(fake.address, client(fake.address, login=login), fake.push)


class TestEveryRegistry:
    """The port's contract."""

    def test_it_tells_the_digest_that_a_tag_stands_for(self, site: Site) -> None:
        first, second = site.put("v1", b"one"), site.put("v2", b"two")
        assert site.registry.digest(site.repository, "v1") == first
        assert site.registry.digest(site.repository, "v2") == second != first

    def test_what_is_not_there_has_no_digest(self, site: Site) -> None:
        site.put("v1")
        assert site.registry.digest(site.repository, "v2") is None
        assert site.registry.digest(f"{site.address}/team/web", "v1") is None

    def test_tags_are_sorted_with_their_numbers_by_size(self, site: Site) -> None:
        for tag in ("v1.10", "v1.9", "abc1234", "v1.9-rc"):
            site.put(tag)
        assert list(site.registry.tags(site.repository)) == ["abc1234", "v1.9", "v1.9-rc", "v1.10"]
        assert list(site.registry.tags(f"{site.address}/team/web")) == []

    def test_an_image_gets_one_more_tag(self, site: Site) -> None:
        digest = site.put("src-0123")
        site.registry.tag(site.repository, digest, "abc1234")
        assert site.registry.digest(site.repository, "abc1234") == digest
        assert list(site.registry.tags(site.repository)) == ["abc1234", "src-0123"]

    def test_a_tag_moves_to_another_image_and_back(self, site: Site) -> None:
        first, second = site.put("v1", b"one"), site.put("latest", b"two")
        for digest in (first, second, second):
            site.registry.tag(site.repository, digest, "latest")
            assert site.registry.digest(site.repository, "latest") == digest

    def test_an_image_that_is_not_there_gets_no_tag(self, site: Site) -> None:
        site.put("v1")
        with pytest.raises(Refused) as refused:
            site.registry.tag(site.repository, ABSENT, "v2")
        assert isinstance(refused.value.problem, NotFound)
        assert refused.value.problem.what == "image"
        assert site.registry.digest(site.repository, "v2") is None

    def test_it_holds_its_own_images_only(self, site: Site) -> None:
        assert site.registry.holds(site.repository)
        assert not site.registry.holds("elsewhere.test/team/api")
        assert not site.registry.holds("nginx")

    def test_it_says_that_all_is_well(self, site: Site) -> None:
        site.registry.check()


class TestEncrypted:
    """Whom to trust, and that nothing secret leaves without encryption."""

    def ask(self, auth: Auth, folder: Path, *, trusted: bool) -> tuple[str | None, str]:
        """The digest of a tag that a registry behind TLS tells, and the one that it is."""
        authority = Authority(folder / "authority")
        trust = Trust.of(Settings(ca_file=authority.pem, data=folder / "data")) if trusted else SYSTEM
        (folder / "password").write_text(PASSWORD)
        with fake_registry(auth) as fake, relay(int(fake.address.rpartition(":")[2]), authority.tls) as way:
            address = RegistryAddress.parse(f"127.0.0.1:{way.port}")
            pushed = fake.push("api", "v1", b"one")
            with closing(OciRegistry(address, Login(USERNAME, folder / "password"), trust)) as registry:
                try:
                    return registry.digest(f"127.0.0.1:{way.port}/api", "v1"), pushed
                finally:
                    assert "GET /token" not in fake.asked

    def test_an_authority_of_ones_own_counts_when_it_is_named(self, tmp_path: Path) -> None:
        told, pushed = self.ask(Auth.BASIC, tmp_path, trusted=True)
        assert told == pushed

    def test_a_stranger_is_not_talked_to(self, tmp_path: Path) -> None:
        with pytest.raises(Unreachable, match="certificate"):
            self.ask(Auth.OPEN, tmp_path, trusted=False)

    def test_a_password_is_not_sent_to_a_token_service_in_the_open(self, tmp_path: Path) -> None:
        with pytest.raises(Unreachable, match="names no token service"):
            self.ask(Auth.BEARER, tmp_path, trusted=True)


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

    @pytest.mark.parametrize("realm", ["", "ftp://127.0.0.1/token", "/token", "http://a:b/"])
    def test_a_password_is_shown_to_no_strange_address(self, client: Client, realm: str) -> None:
        with fake_registry() as fake:
            fake.broken = Failure(401, headers=(("www-authenticate", f'Bearer realm="{realm}"'),))
            with pytest.raises(Unreachable, match="names no token service"):
                client(fake.address, login=True).digest(f"{fake.address}/api", "v1")
