"""Every setting, typed, from environment variables `LUCITY_*`; the docstring under each is its documentation."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from adapters.registry_names import RegistryAddress

_SOFTSERVE = ("softserve_ssh_url", "softserve_http_url", "softserve_admin_key_file")
_REGISTRY_LOGIN = ("registry_username", "registry_password_file")
_ARGOCD_LOGINS = (("argocd_token",), ("argocd_token_file",), ("argocd_username", "argocd_password"))
Quantity = Annotated[str, StringConstraints(pattern=r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")]
"""https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without exponents."""
Namespace = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]


class Settings(BaseSettings):
    """Read once at the start of each process."""

    model_config = SettingsConfigDict(env_prefix="LUCITY_", extra="ignore", frozen=True, use_attribute_docstrings=True)

    data: Path = Path(".lucity")
    """The data folder: repositories, mirrors, keys, the private Valkey."""
    host: str = "127.0.0.1"
    """Address the API listens on."""
    port: int = Field(default=8000, ge=0, le=65535)
    """Port the API listens on."""
    public_url: str | None = None
    """How users reach the API, when not http://HOST:PORT (behind a proxy); its origin is allowed."""
    redis_url: SecretStr | None = None
    """A Redis or Valkey, as redis://:PASSWORD@HOST:PORT/DB. None: `lucity up` starts a private one."""
    redis_url_file: Path | None = None
    """A file that holds what LUCITY_REDIS_URL would, when that is not set."""
    git_host: Literal["local", "softserve"] = "local"
    """Where GitOps repositories live: in the data folder, or on a Soft-serve."""
    softserve_ssh_url: str | None = None
    """Where Soft-serve is administered, as ssh://HOST:PORT."""
    softserve_http_url: str | None = None
    """Where Soft-serve serves Git, as http://HOST:PORT or https://HOST."""
    softserve_admin_key_file: Path | None = None
    """OpenSSH private key, without a passphrase, of an administrator of Soft-serve (SOFT_SERVE_INITIAL_ADMIN_KEYS)."""
    delivery: Literal["local", "argocd"] = "local"
    """What brings Git to the cluster: local renders and runs nothing."""
    argocd_url: str | None = None
    """Where Argo CD's API is, as https://HOST."""
    argocd_token: SecretStr | None = None
    """API key of an Argo CD account that may create projects, repositories and applications."""
    argocd_token_file: Path | None = None
    """A file that holds what LUCITY_ARGOCD_TOKEN would; read again when Argo CD refuses the token."""
    argocd_username: str | None = None
    """Instead of a token: an Argo CD user."""
    argocd_password: SecretStr | None = None
    """Its password."""
    argocd_namespace: Namespace = "argocd"
    """Namespace in which Argo CD keeps its Applications."""
    argocd_destination: str = "https://kubernetes.default.svc"
    """The cluster that Argo CD deploys to, by its URL there."""
    argocd_git_url: str | None = None
    """The Git host as Argo CD reaches it, when that differs: what stands before /gitops/<project>.git."""
    kubeconfig: str | None = None
    """Access to the cluster: a kubeconfig file, or `in-cluster` for the pod's service account. None: Lucity makes and
    deletes no namespaces, and shows no logs of pods.
    """
    ca_file: Path | None = None
    """PEM certificates of authorities that count besides the system's, for Argo CD, Soft-serve, the registry, forges,
    source repositories and endpoints of webhooks.
    """
    secrets: Literal["files", "kubernetes"] = "files"
    """Where small secrets are kept: files in <data>/secrets, or Kubernetes Secrets, which needs LUCITY_KUBECONFIG."""
    secrets_namespace: Namespace | None = None
    """Namespace of these Secrets. None: that of Lucity's own pod."""
    namespace_quota: dict[str, Quantity] = {"pods": "100", "requests.cpu": "16", "requests.memory": "32Gi"}
    """ResourceQuota of every namespace, as JSON; {}: none. Amounts of CPU or memory need container_requests."""
    container_requests: dict[str, Quantity] = {"cpu": "50m", "memory": "64Mi"}
    """LimitRange: what a container requests that says nothing itself, as JSON; {}: nothing."""
    container_limits: dict[str, Quantity] = {}
    """LimitRange: the limits of a container that has none, as JSON; a container that requests more is then refused."""
    namespace_network: Literal["closed", "open"] = "closed"
    """closed: a default-deny NetworkPolicy; pods reach each other, name resolution, and what the next two name."""
    namespace_ingress_from: tuple[str, ...] = ()
    """Namespaces whose pods may call in, as a JSON list: the ingress controller's, the metrics collector's."""
    namespace_egress_to: tuple[IPvAnyNetwork, ...] = ()
    """Addresses that pods may call, as a JSON list of CIDRs: ["0.0.0.0/0"] is the whole Internet."""
    registry: str | None = None
    """Where images are pushed and tags are looked up, as HOST[:PORT][/PREFIX]. None: nothing is built or looked up."""
    registry_insecure: bool = False
    """Whether the registry is spoken to by plain HTTP."""
    registry_username: str | None = None
    """User of the registry, when it asks for one."""
    registry_password_file: Path | None = None
    """A file that holds the password of that user; read again whenever it is needed."""
    token_key_file: Path | None = None
    """Key that signs tokens, at least 32 bytes. None: <data>/keys/token, made on first start."""
    signing_key_file: Path | None = None
    """OpenSSH Ed25519 private key that signs commits. None: <data>/keys/signing, made on first start."""
    committer_name: str = "Lucity"
    """Committer of every commit that Lucity makes."""
    committer_email: str = "lucity@localhost"
    """Its e-mail, and the principal in allowed_signers."""

    lease_seconds: float = Field(default=10, gt=0)
    """How long a claim or a leadership lives without a heartbeat."""
    sweep_seconds: float = Field(default=2, gt=0)
    """How often workers look for what was left behind."""
    leftover_seconds: float = Field(default=600, gt=0)
    """How long a repository that no project has stays empty on the Git host before it is removed."""
    push_timeout_seconds: float = Field(default=15, gt=0)
    """After this a push is killed; its outcome is then looked up."""
    push_tries: int = Field(default=8, ge=1)
    """How often a batch is built again after the head moved, before it returns to the queue."""
    fetch_timeout_seconds: float = Field(default=15, gt=0)
    """After this a fetch counts as unreachable."""
    outage_deadline_seconds: float = Field(default=3600, gt=0)
    """How long a change waits for a Git host that does not answer, before it fails."""
    batch_limit: int = Field(default=250, ge=1)
    """Changes carried by one push at most."""
    claim_rounds: int = Field(default=10, ge=1)
    """Claims of one project in a row before the worker yields to others."""
    worker_concurrency: int = Field(default=2, ge=1)
    """Pool processes of a worker."""
    poll_seconds: float = Field(default=0.5, gt=0)
    """How often the observer looks at the heads of the Git host and at what converges."""
    render_timeout_seconds: float = Field(default=10, gt=0)
    """A render that takes longer is ended and is a render error."""
    render_memory_mib: int = Field(default=512, ge=64)
    """A render that takes more is ended and is a render error."""
    builder_concurrency: int = Field(default=2, ge=1)
    """Builds that one `lucity builder` carries out beside each other."""
    allow_local_sources: bool = False
    """Whether sources may be at file://, http:// and addresses that are not public; for development."""
    source_mib: int = Field(default=1024, ge=1)
    """A clone of a source repository that takes more disk is ended, and its build fails."""
    source_timeout_seconds: float = Field(default=300, gt=0)
    """A clone of a source repository that takes longer is ended, and its build fails."""
    source_poll_seconds: float = Field(default=60, gt=0)
    """How often followed branches are looked at, for pushes that no webhook told of."""
    build_timeout_seconds: float = Field(default=1800, gt=0)
    """A build that takes longer is ended and fails."""
    build_disk_mib: int = Field(default=20 * 1024, ge=1)
    """A build that writes more is ended and fails; every layer is a copy in full."""
    build_log_mib: int = Field(default=10, ge=1)
    """What a build prints beyond this, or beyond 40,000 lines, is left out of its log."""
    build_processes: int = Field(default=2048, ge=16)
    """Processes and threads that one build may have."""
    build_cache_mib: int = Field(default=20 * 1024, ge=0)
    """Layers kept for the next builds; those of the services built longest ago are removed first."""
    build_cache_days: float = Field(default=14, ge=0)
    """Layers of a service that was not built for so long are removed."""

    queue_jobs: int = Field(default=5000, ge=1)
    """Unfinished jobs a project may have; more answer RateLimited."""
    queue_bytes: int = Field(default=64 * 1024 * 1024, ge=1)
    """Size of a project's unfinished changes; more answer RateLimited."""
    job_days: float = 30
    """Days an ended job is kept."""
    jobs_kept: int = 10_000
    """Ended jobs kept of a project at most (those with an idempotency key at least 7 days)."""
    log_days: float = 7
    """Days a job's log is kept."""
    event_hours: float = 24
    """Hours an event is kept."""
    events_kept: int = 100_000
    """Events kept at most."""

    body_bytes: int = 1024 * 1024
    """Size of a request body at most."""
    document_tokens: int = 2000
    """Tokens of a GraphQL document at most."""
    document_aliases: int = 50
    """Aliases in an operation at most."""
    document_depth: int = 15
    """Depth of an operation at most (introspection apart)."""
    document_cost: int = 20_000
    """Cost of an operation at most: one per field, times `first` below a connection."""
    subscriptions_per_connection: int = 100
    """Subscriptions on one WebSocket at most."""

    log_level: str = "INFO"
    """Least level that is logged."""
    testing: bool = False
    """Whether failpoints work."""
    failpoint: str | None = None
    """`<name>:kill[:times]|raise[:times]|sleep=<seconds>`: where a test breaks this process."""

    @model_validator(mode="before")
    @classmethod
    def _read_redis_url(cls, given: dict[str, Any]) -> dict[str, Any]:
        path = given.get("redis_url_file")
        if path is None or given.get("redis_url") is not None:
            return given
        try:
            return {**given, "redis_url": Path(path).read_text().strip()}
        except OSError as error:
            raise ValueError(f"LUCITY_REDIS_URL_FILE cannot be read: {path}: {error.strerror}") from None

    @model_validator(mode="after")
    def _judge_git_host(self) -> Self:
        given = {name: getattr(self, name) for name in _SOFTSERVE}
        chosen = self.git_host == "softserve"
        wrong = [f"LUCITY_{name.upper()}" for name, value in given.items() if (value is None) == chosen]
        if wrong and chosen:
            raise ValueError(f"LUCITY_GIT_HOST is softserve, so {_listed(wrong)} must be set too")
        if wrong:
            raise ValueError(f"{_listed(wrong)} must not be set unless LUCITY_GIT_HOST is softserve (it is local)")
        for name, schemes in (("softserve_ssh_url", {"ssh"}), ("softserve_http_url", {"http", "https"})):
            if chosen and not _is_address(given[name], schemes):
                raise ValueError(f"LUCITY_{name.upper()} is no address like {' or '.join(sorted(schemes))}://HOST:PORT")
        return self

    @model_validator(mode="after")
    def _judge_delivery(self) -> Self:
        if self.delivery == "local":
            named = (name for name in type(self).model_fields if name.startswith("argocd_"))
            if wrong := [name for name in named if name in self.model_fields_set and getattr(self, name) is not None]:
                names = _listed([f"LUCITY_{name.upper()}" for name in wrong])
                raise ValueError(f"{names} must not be set unless LUCITY_DELIVERY is argocd (it is local)")
            return self
        if self.argocd_url is None:
            raise ValueError("LUCITY_DELIVERY is argocd, so LUCITY_ARGOCD_URL must be set too")
        logins = {login: [name for name in login if getattr(self, name)] for login in _ARGOCD_LOGINS}
        given = [login for login, names in logins.items() if names]
        if len(given) != 1 or len(logins[given[0]]) != len(given[0]):
            raise ValueError(
                "LUCITY_DELIVERY is argocd, so exactly one login must be set: LUCITY_ARGOCD_TOKEN, or"
                " LUCITY_ARGOCD_TOKEN_FILE, or LUCITY_ARGOCD_USERNAME and LUCITY_ARGOCD_PASSWORD"
            )
        for name in ("argocd_url", "argocd_git_url", "argocd_destination"):
            url = getattr(self, name)
            if url is not None and not _is_address(url, {"http", "https"}, path=True):
                raise ValueError(f"LUCITY_{name.upper()} is no address like http://HOST:PORT or https://HOST/PATH")
        return self

    @model_validator(mode="after")
    def _judge_secrets(self) -> Self:
        if self.secrets == "files":
            if self.secrets_namespace is not None:
                raise ValueError("LUCITY_SECRETS_NAMESPACE must not be set unless LUCITY_SECRETS is kubernetes")
        elif self.kubeconfig is None:
            raise ValueError("LUCITY_SECRETS is kubernetes, so LUCITY_KUBECONFIG must be set too")
        elif self.kubeconfig != "in-cluster" and self.secrets_namespace is None:
            raise ValueError("LUCITY_KUBECONFIG is a file, so LUCITY_SECRETS_NAMESPACE must be set for LUCITY_SECRETS")
        return self

    @model_validator(mode="after")
    def _judge_registry(self) -> Self:
        login = {name: getattr(self, name) for name in _REGISTRY_LOGIN}
        given = [f"LUCITY_{name.upper()}" for name, value in login.items() if value is not None]
        if self.registry is None:
            wrong = [*(["LUCITY_REGISTRY_INSECURE"] if self.registry_insecure else []), *given]
            if wrong:
                raise ValueError(f"{_listed(wrong)} must not be set unless LUCITY_REGISTRY is")
            return self
        try:
            RegistryAddress.parse(self.registry)
        except ValueError as error:
            raise ValueError(f"LUCITY_REGISTRY is no registry like HOST:PORT or HOST/PREFIX: {error}") from None
        if len(given) == 1:
            both = _listed([f"LUCITY_{name.upper()}" for name in login])
            raise ValueError(f"{both} belong together, and only {given[0]} is set")
        return self

    @property
    def redis(self) -> str:
        """The Redis URL; a missing one is a mistake of the caller's."""
        if self.redis_url is None:
            message = "LUCITY_REDIS_URL is not set: start `lucity up`, or name the Redis to use"
            raise ValueError(message)
        return self.redis_url.get_secret_value()

    @property
    def origin(self) -> str:
        """The origin under which users reach the API."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def _is_address(url: str, schemes: set[str], *, path: bool = False) -> bool:
    """Whether it is scheme://host[:port] without user, query, fragment and, unless allowed, path; / may end it."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return False
    more = parts.path.strip("/") and not path
    bare = not (parts.username or parts.password or parts.query or parts.fragment or more)
    host = parts.hostname or ""
    return parts.scheme in schemes and bare and bool(host) and not host.startswith("-") and port != 0
