"""Certificates of an authority that only LUCITY_CA_FILE knows, on every way out."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from adapters.argocd_http import ArgoCdApi, FixedToken
from adapters.buildah_process import RegistryAccess
from adapters.git_process import run
from adapters.local_git import LocalGitHost
from adapters.ports import Unreachable
from adapters.records import PushState
from adapters.settings import Settings
from adapters.smart_http import Service
from adapters.sources import GitSources
from adapters.trust import SYSTEM, Trust
from adapters.upstream import Upstream
from adapters.webhook_calls import call
from cli.configuration import read_settings
from cli.failures import StartFailed
from gitops.problems import JobFailure, Refused
from tests.support import softserve
from tests.support.argocd_state import TOKEN
from tests.support.authority import Authority
from tests.support.building import BUSYBOX, Log, builder, never, order
from tests.support.fake_argocd import fake_argocd
from tests.support.git import Site, new_commit
from tests.support.git_server import application
from tests.support.registry import PASSWORD, USERNAME, start_registry
from tests.support.relay import relay
from tests.support.repositories import SourceRepository, check_out, refusal
from tests.support.serving import served
from tests.support.source_server import serve
from tests.support.webhook_receiver import receiver


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trust(authority: Authority, tmp_path: Path) -> Trust:
    return Trust.of(Settings(ca_file=authority.pem, data=tmp_path / "data"))


@pytest.fixture
def repository(authority: Authority, tmp_path: Path) -> Iterator[str]:
    """Address of an empty repository, served by smart HTTP behind TLS."""
    host = LocalGitHost(tmp_path / "git", tmp_path / "archive")
    host.create("myapp")
    with served(application(host.path("myapp").parent)) as port, relay(port, authority.tls) as way:
        yield f"https://127.0.0.1:{way.port}/myapp.git"


def test_argo_cd_is_trusted_by_the_added_authority_only(authority: Authority, trust: Trust) -> None:
    with fake_argocd() as fake, relay(httpx.URL(fake.url).port or 0, authority.tls) as way:
        url = f"https://127.0.0.1:{way.port}"
        api = ArgoCdApi(url, FixedToken(TOKEN), trust=trust)
        assert api.get("/api/v1/applications")["items"] is None
        api.close()
        stranger = ArgoCdApi(url, FixedToken(TOKEN))
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            stranger.get("/api/v1/applications")
        stranger.close()


def test_git_trusts_what_was_added_and_what_the_system_trusts(trust: Trust, repository: str, tmp_path: Path) -> None:
    clone = ["clone", "--quiet", repository]
    trusting = run([*clone, str(tmp_path / "mine")], environment=trust.for_git, timeout_seconds=30)
    assert trusting.succeeded, trusting.stderr
    doubting = run([*clone, str(tmp_path / "theirs")], environment=SYSTEM.for_git, timeout_seconds=30)
    assert "certificate" in doubting.stderr
    bundle = ssl.create_default_context(cafile=trust.for_git["GIT_SSL_CAINFO"])
    known = {str(one["subject"]) for one in bundle.get_ca_certs()}
    assert known > {str(one["subject"]) for one in SYSTEM.context.get_ca_certs()}


def test_source_repositories_may_stand_behind_the_added_authority(
    authority: Authority, trust: Trust, tmp_path: Path
) -> None:
    source = SourceRepository.make(tmp_path / "forge" / "api.git")
    source.commit("main", {"a": "1"})
    with serve(tmp_path / "forge") as forge, relay(forge.port, authority.tls) as way:
        url = f"https://127.0.0.1:{way.port}/api.git"
        doubting = GitSources(tmp_path / "data" / "sources", 60, 64, local=True)
        assert check_out(replace(doubting, trust=trust), url) == {"a": "1"}
        problem = refusal(lambda: doubting.head(url, "main", None))
    assert isinstance(problem, JobFailure)
    assert "certificate" in problem.message


def test_an_endpoint_of_webhooks_may_stand_behind_the_added_authority(authority: Authority, trust: Trust) -> None:
    with receiver() as taker, relay(taker.port, authority.tls) as way:
        url = f"https://127.0.0.1:{way.port}/hook"
        assert call(url, {}, b"{}", local=True, trust=trust).status == 200
        assert "certificate" in (call(url, {}, b"{}", local=True).error or "")
    assert len(taker.calls) == 1


def test_what_is_passed_through_is_asked_of_whom_we_trust(trust: Trust, repository: str) -> None:
    async def advertised(by: Trust) -> bytes:
        upstream = Upstream(repository, {}, by.context)
        return b"".join([chunk async for chunk in upstream.advertise(Service.UPLOAD_PACK, None)])

    assert asyncio.run(advertised(trust)).startswith(b"001e# service=git-upload-pack\n")
    with pytest.raises(Unreachable, match=r"(?i)certificate"):
        asyncio.run(advertised(SYSTEM))


def test_a_soft_serve_behind_tls_does_all_that_it_does_without(
    authority: Authority, trust: Trust, tmp_path: Path
) -> None:
    with softserve.running(tmp_path / "host") as server, relay(server.ports[1], authority.tls) as way:
        behind = replace(server, ports=(server.ports[0], way.port, *server.ports[2:]), scheme="https")
        host = behind.host(tmp_path / "lucity", trust=trust)
        host.prepare()
        site = replace(Site.make(tmp_path / "lucity"), host=host)
        host.create("myapp")
        mirrors = site.mirrors()
        sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"a": b"1"}))
        assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
        assert host.heads(["myapp"]) == {"myapp": sha}
        assert site.mirrors(name="others").fetch("myapp") == sha
        assert host.credentials_for_reading("myapp")[0] == f"https://127.0.0.1:{way.port}/gitops/myapp.git"
        host.archive("myapp")
        assert list(host.projects()) == []
        with pytest.raises(Unreachable, match=r"(?i)certificate"):
            behind.host(tmp_path / "lucity").heads(["myapp"])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "LUCITY_CA_FILE cannot be read: .*/ca.pem: No such file or directory"),
        (b"", "LUCITY_CA_FILE holds no certificates in PEM: .*/ca.pem"),
        (b"hello\n", "LUCITY_CA_FILE holds no certificates in PEM"),
        (b"\xff\xfe", "LUCITY_CA_FILE holds no certificates in PEM"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "LUCITY_CA_FILE holds no certificates"),
    ],
    ids=["missing", "empty", "text", "bytes", "broken"],
)
def test_a_file_that_holds_no_authority_stops_the_start(tmp_path: Path, content: bytes | None, said: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_bytes(content)
    with pytest.raises(StartFailed, match=said):
        read_settings({"ca_file": tmp_path / "ca.pem", "data": tmp_path / "data"})
    assert not (tmp_path / "data").exists()


def test_a_file_that_holds_one_does_not(authority: Authority, tmp_path: Path) -> None:
    assert read_settings({"ca_file": authority.pem, "data": tmp_path / "data"}).ca_file == authority.pem


def test_buildah_pushes_to_and_pulls_from_a_registry_of_the_added_authority(
    authority: Authority, trust: Trust, tmp_path: Path
) -> None:
    with start_registry(tmp_path / "registry", login=True, tls=authority.server_pem) as server:
        login = b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()
        doubting = RegistryAccess(server.address, insecure=False, login=login)
        trusting = builder(tmp_path / "builds", registry=replace(doubting, authorities=trust.added))
        base = trusting.build(order(tmp_path / "base", BUSYBOX), Log(), never)
        reference = f"{server.address}/shop/base:1"
        stranger = builder(tmp_path / "builds", registry=doubting)
        with pytest.raises(Refused, match="LUCITY_CA_FILE"):
            stranger.push(base, reference, Log(), never)
        assert trusting.push(base, reference, Log(), never).startswith("sha256:")
        log = Log()
        trusting.build(order(tmp_path / "one", f"FROM {reference}\nRUN env; echo on base\n"), log, never)
    assert "on base" in log.text.splitlines()
    assert "SSL_CERT_FILE" not in log.text
