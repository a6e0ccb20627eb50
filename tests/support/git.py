"""A Git host and users with clones of their own, all with the real git."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.git_process import clean_environment
from adapters.local_git import LocalGitHost
from adapters.mirrors import Mirrors
from adapters.records import NewCommit, PushState
from adapters.signing import Signatures, Signer
from adapters.softserve import SoftServeGitHost
from tests.support.softserve import SoftServe

ANN = {"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org"}
BY_HAND = {**ANN, "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org"}
AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


def git(folder: Path, *arguments: str, env: Mapping[str, str] | None = None, check: bool = True) -> str:
    """Run git in a folder as a user would; its output, without the last line break."""
    finished = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=clean_environment({**BY_HAND, **(env or {})}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if check and finished.returncode != 0:
        raise AssertionError(f"git {' '.join(arguments)}: {finished.returncode}\n{finished.stdout}{finished.stderr}")
    return (finished.stdout if check else finished.stdout + finished.stderr).rstrip("\n")


@dataclass(frozen=True)
class Clone:
    """A user's working copy."""

    folder: Path

    @classmethod
    def of(cls, remote: str | Path, folder: Path, *options: str) -> "Clone":
        """Clone a repository, by path or URL."""
        folder.parent.mkdir(parents=True, exist_ok=True)
        git(folder.parent, "clone", "--quiet", *options, str(remote), str(folder))
        return cls(folder)

    def commit(self, subject: str, files: Mapping[str, str | None]) -> str:
        """Change files (None removes one) and commit them by hand; the SHA."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        git(self.folder, "add", "--all")
        git(self.folder, "commit", "--quiet", "--allow-empty", "-m", subject)
        return git(self.folder, "rev-parse", "HEAD")

    def push(self, *options: str) -> None:
        """Push main, as it is."""
        git(self.folder, "push", "--quiet", *options, "origin", "HEAD:refs/heads/main")

    def pull(self) -> str:
        """Bring the clone to the host's main; the SHA."""
        git(self.folder, "fetch", "--quiet", "origin")
        git(self.folder, "reset", "--quiet", "--hard", "origin/main")
        return git(self.folder, "rev-parse", "HEAD")

    def subjects(self) -> list[str]:
        """First-parent subjects, newest first."""
        return git(self.folder, "log", "--first-parent", "--format=%s").splitlines()


@dataclass(frozen=True)
class Site:
    """A Git host, its data folder, and mirrors of it. `server` None: the local host."""

    folder: Path
    host: LocalGitHost | SoftServeGitHost
    signer: Signer
    allowed_signers: Path
    server: SoftServe | None = None

    @classmethod
    def make(cls, folder: Path, server: SoftServe | None = None) -> "Site":
        """Lay it out in an empty folder."""
        signer = Signer.load_or_create(folder / "keys" / "signing")
        local = LocalGitHost(folder / "repositories", folder / "archive")
        host = server.host(folder) if server else local
        return cls(folder, host, signer, folder / "keys" / "allowed_signers", server)

    def path(self, project: str) -> Path:
        """The bare repository of a project on the host's disk."""
        if self.server:
            return self.server.path(f"gitops/{project}")
        assert isinstance(self.host, LocalGitHost)
        return self.host.path(project)

    def install_hook(self, project: str, name: str, script: str) -> None:
        """Give the host's repository a hook; `script` is the body of a shell script."""
        if self.server:
            self.server.install_hook(f"gitops/{project}", name, script)
        else:
            install_hook(self.path(project), name, script)

    def mirrors(self, *, name: str = "mirrors", timeout_seconds: float = 30) -> Mirrors:
        """Mirrors as another process would open them; those of one name share a folder."""
        return Mirrors(
            self.folder / name,
            self.host,
            self.signer,
            Signatures(self.allowed_signers),
            fetch_timeout_seconds=timeout_seconds,
            push_timeout_seconds=timeout_seconds,
        )

    def clone(self, project: str, name: str = "clone") -> Clone:
        """A user's clone of a project."""
        address = self.server.address(f"gitops/{project}") if self.server else self.path(project)
        return Clone.of(address, self.folder / name)


def install_hook(repository: Path, name: str, script: str) -> None:
    """Give a bare repository a hook; `script` is the body of a shell script."""
    path = repository / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    # Written under another name: a hook that is still open for writing cannot be run (ETXTBSY).
    written = path.with_suffix(".new")
    written.write_text(f"#!/bin/sh\n{script}\n")
    written.chmod(0o755)
    written.replace(path)


def refuse_pushes(repository: Path, text: str) -> None:
    """Make the host refuse every push with a text of its own."""
    install_hook(repository, "pre-receive", f"echo '{text}' >&2\nexit 1")


def delay_pushes(repository: Path, seconds: float) -> None:
    """Make the host take its time with every push."""
    install_hook(repository, "pre-receive", f"sleep {seconds}")


def new_commit(subject: str, writes: Mapping[str, bytes | None], *, at: datetime = AT) -> NewCommit:
    """A commit by Ann."""
    return NewCommit(f"{subject}\n", "Ann", "ann@example.org", at, dict(writes))


def first_commit(mirrors: Mirrors) -> str:
    """One commit of the project myapp, pushed; its SHA."""
    sha = mirrors.commit("myapp", "", new_commit("project(create): myapp", {"a": b"1"}))
    assert mirrors.push("myapp", "", sha).state is PushState.ACCEPTED
    return sha
