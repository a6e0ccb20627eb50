"""The first step of processes that share a folder (docker-compose.yml): secrets are made there, never shipped."""

from pathlib import Path

import click

from cli import valkey
from cli.configuration import read_settings
from cli.first_secrets import make_first_secrets
from cli.tokens import open_tokens
from cli.valkey import write_private

REDIS_PORT = 6379


def prepare_folder(data: Path, redis_host: str) -> None:
    """Make Redis's password and configuration, Lucity's keys, and what Soft-serve and Argo CD need at their start."""
    settings = read_settings({"data": data, "redis_url_file": None})
    folder = settings.data / "valkey"
    password = valkey.keep_password(folder)
    valkey.configure(folder, "* -::*", REDIS_PORT, password)
    write_private(settings.data / "redis-url", f"redis://:{password}@{redis_host}:{REDIS_PORT}/0\n")
    make_first_secrets(settings)
    open_tokens(settings)
    click.echo("The secrets are there. When everything is healthy, `lucity login` prints a link that logs in, once.")
