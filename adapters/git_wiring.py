"""Builds what works on a data folder alone, without Redis: the Git host, our mirrors of it, secrets and tokens."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from redis import Redis

from adapters.local_git import LocalGitHost
from adapters.mirrors import Mirrors
from adapters.ports import (
    Secrets,
)
from adapters.secrets import FileSecrets
from adapters.settings import Settings
from adapters.settings_files import SettingsFiles
from adapters.signing import Signatures, Signer
from adapters.smart_http import BareRepository, ServedRepository, Service
from adapters.softserve import SoftServeGitHost
from adapters.softserve_accounts import Accounts
from adapters.softserve_ssh import Ssh
from adapters.token_uses import TokenUses
from adapters.tokens import Tokens, load_or_create_key
from adapters.trust import Trust
from adapters.upstream import Upstream
from gitops.commits import Person


@dataclass(frozen=True)
class Git:
    """The part that works on a data folder alone, without Redis."""

    host: LocalGitHost | SoftServeGitHost
    mirrors: Mirrors

    def serve(self, project: str, service: Service) -> ServedRepository:
        """A project's repository for a user's git. Raises Refused(NotFound) and Unreachable."""
        match self.host:
            case SoftServeGitHost():
                url, headers = self.host.request(project, push=service is Service.RECEIVE_PACK)
                return Upstream(url, headers, self.host.trust.context)
            case LocalGitHost():
                return BareRepository.of(self.host.path(project), project)

    @property
    def files(self) -> SettingsFiles:
        """Files of lucity/settings."""
        return SettingsFiles(self.mirrors, self.host, lambda: datetime.now(UTC))

    def tokens(self, settings: Settings, redis: Redis | None = None) -> Tokens:
        """Tokens by the key of this folder."""
        key = load_or_create_key(settings.token_key_file or settings.data / "keys" / "token")
        uses = None if redis is None else TokenUses(redis)
        return Tokens(key, self.mirrors, self.host, lambda: datetime.now(UTC), uses)


def build_git(settings: Settings) -> Git:
    """The Git host and our mirrors of it, with the key that signs commits."""
    host = _githost(settings)
    signers = allowed_signers(settings)
    signer = Signer.load_or_create(
        settings.signing_key_file or settings.data / "keys" / "signing", settings.committer_email, signers
    )
    mirrors = Mirrors(
        settings.data / "mirrors",
        host,
        signer,
        Signatures(signers),
        committer=Person(settings.committer_name, settings.committer_email),
        fetch_timeout_seconds=settings.fetch_timeout_seconds,
        push_timeout_seconds=settings.push_timeout_seconds,
    )
    return Git(host, mirrors)


def _githost(settings: Settings) -> LocalGitHost | SoftServeGitHost:
    archive = settings.data / "archive"
    ssh_url, http_url, key = settings.softserve_ssh_url, settings.softserve_http_url, settings.softserve_admin_key_file
    if ssh_url is None or http_url is None or key is None:
        return LocalGitHost(settings.data / "git", archive)
    folder = settings.data / "softserve"
    ssh = Ssh.to(ssh_url, folder / "known_hosts")
    accounts = Accounts(ssh, http_url, key, folder, build_secrets(settings), Trust.of(settings))
    return SoftServeGitHost(accounts, http_url, archive)


def build_secrets(settings: Settings) -> Secrets:
    """Where small secrets are kept. Raises ValueError when settings name no namespace and there is no pod's own."""
    if settings.secrets == "files" or settings.kubeconfig is None:
        return FileSecrets(settings.data / "secrets")
    from adapters.kubernetes_api import KubernetesApi  # noqa: PLC0415 - its client takes 30 MB
    from adapters.kubernetes_secrets import KubernetesSecrets, own_namespace  # noqa: PLC0415

    return KubernetesSecrets(KubernetesApi.by(settings.kubeconfig), settings.secrets_namespace or own_namespace())


def allowed_signers(settings: Settings) -> Path:
    """The file of the keys whose signatures count, as `git log --show-signature` reads it."""
    return settings.data / "keys" / "allowed_signers"
