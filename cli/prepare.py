"""The first steps of processes that share a folder (docker-compose.yml): secrets are made there, never shipped."""

from pathlib import Path

import click

from cli import valkey
from cli.configuration import read_settings
from cli.first_secrets import make_first_secrets
from cli.githost import meet
from cli.tokens import admin_login
from cli.valkey import write_private

REDIS_PORT = 6379


def prepare_folder(data: Path, redis_host: str) -> None:
    """Make keys, the administrator's token, Redis's password and configuration, and say how to log in."""
    settings = read_settings({"data": data, "redis_url_file": None})
    folder = settings.data / "valkey"
    password = valkey.keep_password(folder)
    valkey.configure(folder, "* -::*", REDIS_PORT, password)
    write_private(settings.data / "redis-url", f"redis://:{password}@{redis_host}:{REDIS_PORT}/0\n")
    meet(settings, wait=True)
    click.echo(f"GraphiQL, as soon as everything is healthy: {admin_login(settings, settings.origin)}")


def prepare_others(data: Path) -> None:
    """Make only what Soft-serve and Argo CD need before they start."""
    make_first_secrets(read_settings({"data": data, "redis_url_file": None}))
