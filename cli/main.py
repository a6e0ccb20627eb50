"""The command `lucity`. What a command needs is imported inside it, so that `lucity --help` answers at once."""

import sys
from pathlib import Path

import click

from cli.failures import StartFailed

_data = click.option(
    "--data",
    envvar="LUCITY_DATA",
    default="./.lucity",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder for everything Lucity keeps.",
)


class Refusing(click.Group):
    """A group whose commands end with one clear message when Lucity does not start."""

    def invoke(self, ctx: click.Context) -> object:
        """See click.Group.invoke."""
        try:
            return super().invoke(ctx)
        except StartFailed as error:
            for line in str(error).splitlines():
                click.echo(f"lucity: {line}", err=True)
            ctx.exit(1)


@click.group(cls=Refusing)
@click.version_option(package_name="lucity")
def main() -> None:
    """Lucity: every deployment is a Git commit."""


@main.command()
@click.option("--host", envvar="LUCITY_HOST", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    envvar="LUCITY_PORT",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port to listen on; 0 takes a free one.",
)
@_data
@click.option("--browser/--no-browser", default=True, show_default=True, help="Open GraphiQL when everything is ready.")
def up(host: str, port: int, data: Path, browser: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Start all of Lucity on this machine: Valkey, API, worker, observer."""
    from cli.up import run  # noqa: PLC0415

    sys.exit(run(host, port, data, open_browser=browser))


@main.command()
def api() -> None:
    """Run one API process; settings come from LUCITY_* variables."""
    from cli.processes import run_api  # noqa: PLC0415

    run_api()


@main.command()
def worker() -> None:
    """Run one worker; settings come from LUCITY_* variables."""
    from cli.processes import run_worker  # noqa: PLC0415

    run_worker()


@main.command()
def builder() -> None:
    """Run one builder of images, where Buildah is; settings come from LUCITY_* variables."""
    from cli.processes import run_builder  # noqa: PLC0415

    run_builder()


@main.command()
def observer() -> None:
    """Run one observer; settings come from LUCITY_* variables."""
    from cli.processes import run_observer  # noqa: PLC0415

    run_observer()


@main.group()
def token() -> None:
    """Make tokens on a data folder, without a server."""


@token.command()
@click.option("--name", required=True, help="Whom the token stands for; commits carry it.")
@click.option("--email", required=True, help="Their e-mail; commits carry it.")
@click.option(
    "--kind", default="automation", show_default=True, type=click.Choice(["person", "automation"], case_sensitive=False)
)
@_data
def create(name: str, email: str, kind: str, data: Path) -> None:
    """Issue a token and print it, once."""
    from cli.tokens import create_token  # noqa: PLC0415

    click.echo(create_token(data, name, email, kind.upper()))


@main.command()
@_data
def login(data: Path) -> None:
    """Print a link that logs the administrator in, once."""
    from cli.configuration import read_settings  # noqa: PLC0415
    from cli.folder import running_url  # noqa: PLC0415
    from cli.tokens import admin_login  # noqa: PLC0415

    settings = read_settings({"data": data})
    click.echo(admin_login(settings, running_url(settings.data) or settings.origin))


@main.command()
@_data
@click.option(
    "--redis-host", default="redis", show_default=True, help="How processes will reach the Redis of this folder."
)
def prepare(data: Path, redis_host: str) -> None:
    """Make the secrets that processes on a shared folder, and the servers beside them, need; those there are stay."""
    from cli.prepare import prepare_folder  # noqa: PLC0415

    prepare_folder(data, redis_host)


@main.command()
@click.argument("project")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Default: PROJECT.tar.gz")
@click.option("--repo-url", help="Where you will push the repository; without it the Applications leave a gap to fill.")
@click.option("--url", help="The server. Default: the `lucity up` of the data folder.")
@click.option("--token", envvar="LUCITY_TOKEN", show_envvar=True, help="Default: the data folder's admin token.")
@_data
def eject(
    project: str, output: Path | None, repo_url: str | None, url: str | None, token: str | None, data: Path
) -> None:
    """Download a project as it runs without Lucity: its repository, Argo CD Applications, and how to go on."""
    from cli import eject as ejection  # noqa: PLC0415

    target = output or Path(f"{project}.tar.gz")
    ejection.fetch(ejection.address(url, data), ejection.secret(token, data), project, repo_url, target)
    click.echo(target)


@main.command()
@click.argument("clone", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option(
    "--allowed-signers",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Keys that count. Default: what gpg.ssh.allowedSignersFile of the clone names, else the file beside it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def audit(clone: Path, allowed_signers: Path | None, as_json: bool) -> None:  # noqa: FBT001 - click passes options by name
    """Tell who did what, when and why, from a clone alone; ends with 1 unless all is well."""
    from cli import audit as audits  # noqa: PLC0415

    findings = audits.audit(clone, allowed_signers)
    click.echo(audits.report(findings) if as_json else audits.render(findings), nl=False)
    sys.exit(any(finding.faults for finding in findings))


@main.command()
def schema() -> None:
    """Print the GraphQL schema."""
    from cli.schema import export  # noqa: PLC0415

    click.echo(export(), nl=False)


@main.command("settings")
def list_settings() -> None:
    """Print every setting with its default and its meaning, as a table in Markdown."""
    from cli.settings_table import render  # noqa: PLC0415

    click.echo(render(), nl=False)


if __name__ == "__main__":
    main()
