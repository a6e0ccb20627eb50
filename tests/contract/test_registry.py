"""Registries: what every one does, whichever way it lets us in. How they answer ill: test_registry_answers."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from adapters.ports import Unreachable
from adapters.registry import OciRegistry
from adapters.registry_http import Login
from adapters.registry_names import RegistryAddress
from adapters.settings import Settings
from adapters.trust import SYSTEM, Trust
from gitops.problems import NotFound, Refused
from tests.support.authority import Authority
from tests.support.fake_registry import Auth, fake_registry
from tests.support.registries import ABSENT, Client, Site, clients, twin
from tests.support.registry import PASSWORD, USERNAME, start_registry
from tests.support.relay import relay


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with clients(tmp_path) as make:
        yield make


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
