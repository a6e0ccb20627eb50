"""The Git host Soft-serve: private repositories `gitops/<project>` and `lucity/settings`, administered over SSH,
fetched and pushed over HTTP.

A push with an access token would create a repository that is missing, for everybody to read; one with a JSON Web Token
for exactly that repository cannot, so Lucity pushes with those only.
"""

import base64
import re
import threading
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from adapters.bundles import checked, keep_bundle, references
from adapters.folder_lock import Flight
from adapters.git_process import run
from adapters.local_git import SETTINGS
from adapters.ports import Unreachable
from adapters.softserve_accounts import READER, WRITER, Accounts
from adapters.softserve_heads import Heads
from adapters.softserve_ssh import Declined, parse_names, parse_web_token
from gitops.problems import NotFound, Refused

_NAME = re.compile(r"[a-z]([a-z0-9-]*[a-z0-9])?")
_GITOPS = "gitops/"
_LEAVING = "leaving/"
_CLONE_SECONDS = 900.0
_WEB_TOKEN_SECONDS = 300.0
"""They last an hour at Soft-serve; a shorter time takes up what an administrator changed meanwhile."""
_LISTED_SECONDS = 0.5
"""A listing costs a tenth of a second; what other processes make is seen after this time."""
_EXISTS = "repository already exists"
_COLLABORATES = "collaborator already exists"
_NOT_FOUND = "repository not found"


class SoftServeGitHost:
    """See ports.GitHost. `archive` is the folder for bundles of what was deleted."""

    def __init__(self, accounts: Accounts, http_url: str, archive: Path) -> None:
        self._accounts = accounts
        self._http_url = http_url.rstrip("/")
        self._archive = archive.absolute()
        self._listing = Flight(self._list)
        self._listed: tuple[float, Sequence[str]] = (0.0, ())
        self._changes = 0
        self._guard = threading.Lock()
        self._web_tokens: dict[str, tuple[float, str]] = {}
        self.trust = accounts.trust
        self._heads = Heads(self._http_url, self._reading, self._admit, accounts.trust)

    def prepare(self) -> None:
        """What the first start makes and every start looks at: users, tokens, lucity/settings, no strangers. Raises
        Unfit when a person has to act first, else Unreachable.
        """
        self._accounts.prepare()
        self.create(SETTINGS)
        if not self._accounts.takes(WRITER, self._accounts.token(WRITER), _repository(SETTINGS)):
            self._accounts.renew(WRITER)

    def projects(self) -> Sequence[str]:
        """See GitHost.projects. Who asks while another question is under way shares the next answer, and who asks right
        after it the same; what this process changes is seen at once.
        """
        names = [name.removeprefix(_GITOPS) for name in self._known() if name.startswith(_GITOPS)]
        return sorted(name for name in names if _NAME.fullmatch(name))

    def heads(self, projects: Sequence[str]) -> Mapping[str, str]:
        """See GitHost.heads. One is asked for at once; many are looked at in turn."""
        found = self._heads.of([_repository(project) for project in projects])
        heads = {project: found.get(_repository(project)) for project in projects}
        return {project: sha for project, sha in heads.items() if sha is not None}

    def create(self, project: str) -> None:
        """See GitHost.create. What was there before becomes private too."""
        repository = _repository(project)
        if self._ask("repo", "create", repository, "--private", fine=(_EXISTS,)) == _EXISTS:
            self._ask("repo", "private", repository, "true")
        self._forget_listing()
        self._grant(repository, WRITER)
        if project != SETTINGS:
            self._grant(repository, READER)

    def archive(self, project: str) -> None:
        """See GitHost.archive. The repository leaves its place first, so that no push slips in behind the bundle; what
        a crash left half done is finished by the next call.
        """
        repository, leaving = _repository(project), f"{_LEAVING}{project}"
        there = self._listing()
        if leaving in there:
            self._bundle(project, leaving)
        if repository in there:
            self._ask("repo", "rename", repository, leaving)
            self._forget_listing()
            self._bundle(project, leaving)

    def remote(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        """See GitHost.remote: for fetching, with the writer's access token."""
        repository = _repository(project)
        if refused:
            self._admit(repository)
        return self._url(repository), self._for_git(self._reading())

    def target(self, project: str, *, refused: bool = False) -> tuple[str, Mapping[str, str]]:
        """See GitHost.target: with a token for this repository only, which creates none."""
        if refused:
            with self._guard:
                self._web_tokens.pop(project, None)
        return self._url(_repository(project)), self._for_git(self._writing(project))

    def request(self, project: str, *, push: bool) -> tuple[str, Mapping[str, str]]:
        """The repository's URL, and headers that carry credentials for reading or for pushing. Raises Refused(NotFound)
        for a missing one.
        """
        repository = _repository(project)
        if not self._heads.exists(repository):
            raise Refused(NotFound(f"There is no project {project}", "project", project))
        return self._url(repository), self._writing(project) if push else self._reading()

    def credentials_for_reading(self, project: str) -> tuple[str, str, str]:
        """URL, user and password with which a delivery reads the project's repository, and writes nothing."""
        repository = _repository(project)
        self._admit(repository, READER)
        return self._url(repository), READER, self._accounts.token(READER)

    def _admit(self, repository: str, name: str = WRITER) -> None:
        """See that a user's token opens a repository: the host may not know the user there, or the token any more."""
        if self._opens(repository, name):
            return
        self._grant(repository, name)
        if not self._opens(repository, name):
            self._accounts.replace(name)

    def _opens(self, repository: str, name: str) -> bool:
        return self._accounts.takes(name, self._accounts.token(name), repository)

    def _known(self) -> Sequence[str]:
        with self._guard:
            (until, names), changes = self._listed, self._changes
        if time.monotonic() < until:
            return names
        names = self._listing()
        with self._guard:
            # What was asked before a change of ours and answered after it may not show it.
            if changes == self._changes:
                self._listed = (time.monotonic() + _LISTED_SECONDS, names)
        return names

    def _forget_listing(self) -> None:
        with self._guard:
            self._changes += 1
            self._listed = (0.0, ())

    def _url(self, repository: str) -> str:
        return f"{self._http_url}/{repository}.git"

    def _reading(self) -> Mapping[str, str]:
        return {"Authorization": _basic(WRITER, self._accounts.token(WRITER))}

    def _writing(self, project: str) -> Mapping[str, str]:
        with self._guard:
            until, token = self._web_tokens.get(project, (0.0, ""))
        if time.monotonic() >= until:
            token = self._web_token(project)
            with self._guard:
                self._web_tokens[project] = (time.monotonic() + _WEB_TOKEN_SECONDS, token)
        return {"Authorization": f"Bearer {token}"}

    def _web_token(self, project: str) -> str:
        repository = _repository(project)
        if self._grant(repository, WRITER) == _NOT_FOUND:
            raise Refused(NotFound(f"the Git host has no repository for project {project}", "project", project))
        try:
            return parse_web_token(self._accounts.run(WRITER, "jwt", repository))
        except Declined as declined:
            raise Unreachable("git", f"Soft-serve gives {WRITER} no token: {declined}") from None

    def _list(self) -> Sequence[str]:
        return parse_names(self._ask("repo", "list", "--all"))

    def _grant(self, repository: str, name: str) -> str:
        """Let the writer push, or the reader read; what Soft-serve says."""
        level = "read-write" if name == WRITER else "read-only"
        return self._ask("repo", "collab", "add", repository, name, level, fine=(_COLLABORATES, _NOT_FOUND))

    def _ask(self, *arguments: str, fine: Collection[str] = ()) -> str:
        """What a command prints, or what it was declined with when that is fine too."""
        try:
            return self._accounts.administer(*arguments)
        except Declined as declined:
            if str(declined) not in fine:
                command = " ".join(arguments)
                raise Unreachable("git", f"Soft-serve declined `{command}`: {declined}") from None
            return str(declined)

    def _bundle(self, project: str, leaving: str) -> None:
        self._admit(leaving)
        environment = self._for_git(self._reading())
        self._archive.mkdir(mode=0o700, parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self._archive, prefix=".copy-") as folder:
            copy = ["clone", "--quiet", "--mirror", "--template=", "--", self._url(leaving), folder]
            checked(run(copy, environment=environment, timeout_seconds=_CLONE_SECONDS))
            keep_bundle(Path(folder), self._archive, project)
            listing = run(
                ["ls-remote", "--", self._url(leaving)], environment=environment, timeout_seconds=_CLONE_SECONDS
            )
            if parse_references(checked(listing).stdout) != references(Path(folder)):
                raise Unreachable("git", f"{leaving} on Soft-serve changed while it was archived, it is kept")
        self._ask("repo", "delete", leaving, fine=(_NOT_FOUND,))

    def _for_git(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        return {**_configuration(headers), **self.trust.for_git}


def parse_references(listing: bytes) -> dict[str, str]:
    """Name → commit, as `git ls-remote` prints them, without HEAD and what tags point to."""
    pairs = (line.decode(errors="surrogateescape").split("\t", 1) for line in listing.splitlines())
    return {name: sha for sha, name in pairs if name.startswith("refs/") and not name.endswith("^{}")}


def _repository(project: str) -> str:
    if not _NAME.fullmatch(project):
        raise ValueError(f"{project!r} is no name of a project")
    return f"lucity/{SETTINGS}" if project == SETTINGS else f"{_GITOPS}{project}"


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _configuration(headers: Mapping[str, str]) -> Mapping[str, str]:
    # Not in the URL nor in the arguments, where other processes and messages would show them.
    values = [
        ("http.followRedirects", "false"),
        *(("http.extraHeader", f"{name}: {headers[name]}") for name in headers),
    ]
    configuration = {"GIT_CONFIG_COUNT": str(len(values))}
    for number, (name, value) in enumerate(values):
        configuration |= {f"GIT_CONFIG_KEY_{number}": name, f"GIT_CONFIG_VALUE_{number}": value}
    return configuration
