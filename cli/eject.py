"""`lucity eject`: a project to take away, downloaded from the API like by any client."""

from pathlib import Path
from urllib.parse import quote

import httpx

from cli.failures import StartFailed
from cli.folder import running_url

_SECONDS = 900.0


def fetch(url: str, token: str, project: str, repository_url: str | None, output: Path) -> None:
    """Download a project's package into a file, whole or not at all. Raises StartFailed."""
    asked = {"repoUrl": repository_url} if repository_url else {}
    partial = output.with_name(f".{output.name}.part")
    try:
        with (
            httpx.Client(timeout=_SECONDS, headers={"Authorization": f"Bearer {token}"}) as client,
            client.stream("GET", f"{url.rstrip('/')}/eject/{quote(project, safe='')}", params=asked) as answer,
        ):
            if not answer.is_success:
                raise StartFailed(f"{project} cannot be ejected: {answer.read().decode(errors='replace').strip()}")
            with partial.open("wb") as file:
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        partial.replace(output)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise StartFailed(f"Lucity at {url} cannot be asked: {error}") from None
    except OSError as error:
        raise StartFailed(f"{output} cannot be written: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)


def address(url: str | None, data: Path) -> str:
    """Where to ask: what was given, else the `lucity up` of the data folder. Raises StartFailed."""
    found = url or running_url(data)
    if found is None:
        raise StartFailed(f"no `lucity up` runs on {data}: name the server with --url, or the folder with --data")
    return found


def secret(token: str | None, data: Path) -> str:
    """What to ask with: what was given, else the administrator's token of the data folder. Raises StartFailed."""
    if token:
        return token
    try:
        return (data / "admin-token").read_text().strip()
    except OSError:
        raise StartFailed(f"there is no {data / 'admin-token'}: give a token in the variable LUCITY_TOKEN") from None
