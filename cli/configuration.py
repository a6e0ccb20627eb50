"""Settings as a process needs them at its start, and every mistake in them as a sentence."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_settings import SettingsError

from adapters.failpoints import Failpoints
from adapters.git_wiring import build_secrets
from adapters.settings import Settings
from adapters.trust import Trust
from cli.failures import StartFailed

SHORTEST_PASSWORD = 16
SHORTEST_KEY_BYTES = 32


def read_settings(given: Mapping[str, object] | None = None) -> Settings:
    """Read settings from the environment, with `given` (from the command line) before it. Raises StartFailed."""
    try:
        settings = Settings(**(given or {}))  # type: ignore[arg-type]  # pydantic judges them
        settings = settings.model_copy(update={"data": settings.data.expanduser().resolve()})
        Failpoints.parse(settings.failpoint, settings.data, testing=settings.testing)
        _judge_kubeconfig(settings)
        Trust.of(settings)
        build_secrets(settings)
    except ValidationError as error:
        raise StartFailed("\n".join(_sentence(item["loc"], item["msg"]) for item in error.errors())) from None
    except SettingsError as error:
        name = str(error).partition('"')[2].partition('"')[0].upper()
        raise StartFailed(f"the setting LUCITY_{name} is wrong: it is no JSON; see `lucity settings`") from None
    except ValueError as error:
        raise StartFailed(str(error)) from None
    return settings


def _judge_kubeconfig(settings: Settings) -> None:
    if settings.kubeconfig is not None:
        from adapters.kubernetes_api import KubernetesApi  # noqa: PLC0415 - its client takes 30 MB

        KubernetesApi.by(settings.kubeconfig)


def _sentence(place: tuple[int | str, ...], message: str) -> str:
    if not place:
        return message.removeprefix("Value error, ")
    return f"the setting LUCITY_{str(place[0]).upper()} is wrong: {message[:1].lower()}{message[1:]}"


def require_secrets(settings: Settings) -> None:
    """Outside the embedded mode nobody makes secrets up: each has to be there and long enough. Raises StartFailed."""
    faults = [
        *_redis_faults(settings),
        *_key_faults("LUCITY_TOKEN_KEY_FILE", settings.token_key_file),
        *_key_faults("LUCITY_SIGNING_KEY_FILE", settings.signing_key_file),
    ]
    if faults:
        raise StartFailed("\n".join([*faults, "To run Lucity alone on this machine: lucity up"]))
    require_others(settings)


def require_others(settings: Settings) -> None:
    """What settings name of systems that are not embedded has to be usable before anything starts. Raises
    StartFailed.
    """
    faults = [
        *(_redis_faults(settings) if settings.redis_url is not None else []),
        *_file_faults("LUCITY_SOFTSERVE_ADMIN_KEY_FILE", settings.softserve_admin_key_file),
        *_file_faults("LUCITY_ARGOCD_TOKEN_FILE", settings.argocd_token_file),
    ]
    if faults:
        raise StartFailed("\n".join(faults))


def _file_faults(name: str, path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        return [] if path.read_bytes().strip() else [f"{name} is empty: {path}"]
    except OSError as error:
        return [f"{name} cannot be read: {path}: {error.strerror}"]


def _redis_faults(settings: Settings) -> list[str]:
    if settings.redis_url is None:
        return ["LUCITY_REDIS_URL is not set: name the Redis to use, as redis://:PASSWORD@HOST:PORT/0"]
    url = urlsplit(settings.redis_url.get_secret_value())
    if url.scheme not in {"redis", "rediss", "unix"}:
        return ["LUCITY_REDIS_URL is no address of a Redis: it starts with redis://, rediss:// or unix://"]
    if len(url.password or "") < SHORTEST_PASSWORD:
        return [f"LUCITY_REDIS_URL carries no password of at least {SHORTEST_PASSWORD} characters (requirepass)"]
    return []


def _key_faults(name: str, path: Path | None) -> list[str]:
    if path is None:
        return [f"{name} is not set: all processes have to share one key"]
    try:
        size = len(path.read_bytes())
    except OSError as error:
        return [f"{name} cannot be read: {path}: {error.strerror}"]
    if size < SHORTEST_KEY_BYTES:
        return [f"{name} is too short: {path} holds {size} bytes, at least {SHORTEST_KEY_BYTES} are needed"]
    return []
