"""How others read our local repositories over the API's own Git endpoint: with a token for each project, made once,
that clones this project and does nothing else.
"""

import threading
from contextlib import suppress

from adapters.ports import Secrets
from adapters.tokens import TokenRejected, Tokens
from gitops.changes import Actor, ActorKind
from gitops.problems import Refused

_FORMER_SECRET = "argocd-git-token"  # noqa: S105 - the name of a secret
_USER = "argocd"
_EMAIL = "argocd@localhost"


class ReadingByToken:
    """URL, user and password of a project's repository below `base_url`; the token is kept, and made again when it is
    no longer valid. It stands in the list of tokens, so that it can be revoked.
    """

    def __init__(self, base_url: str, tokens: Tokens, secrets: Secrets) -> None:
        self._base_url = base_url
        self._tokens = tokens
        self._secrets = secrets
        self._lock = threading.Lock()
        self._former_ended = False

    def __call__(self, project: str) -> tuple[str, str, str]:
        """Raises Unreachable('git') when a token is to be made and cannot."""
        with self._lock:
            token = self._valid(project) or self._made(project)
            self._end_former()
        return f"{self._base_url}/gitops/{project}.git", _USER, token

    def _valid(self, project: str) -> str | None:
        kept = self._secrets.get(_secret(project))
        try:
            text = kept.decode() if kept else ""
            actor, _ = self._tokens.verify(text)
        except TokenRejected:
            return None
        return text if actor.clones == project else None

    def _made(self, project: str) -> str:
        name = f"Argo CD, clones {project}"
        _, text = self._tokens.issue(None, name, _EMAIL, ActorKind.AUTOMATION, clones=project)
        self._secrets.put(_secret(project), text.encode())
        return text

    def _end_former(self) -> None:
        """There was once one token for all projects, which could push."""
        if self._former_ended:
            return
        former = self._secrets.get(_FORMER_SECRET)
        if former is not None:
            with suppress(TokenRejected, Refused):
                actor, _ = self._tokens.verify(former.decode())
                self._tokens.revoke(actor, actor.id)
            self._secrets.delete(_FORMER_SECRET)
        self._former_ended = True


def forget(tokens: Tokens, secrets: Secrets, actor: Actor, project: str) -> None:
    """End what was made for the readers of a project that is gone; again is no error. Raises Unreachable('git')."""
    for record in tokens.list():
        if record.clones == project and record.revoked_at is None:
            tokens.revoke(actor, record.id)
    secrets.delete(_secret(project))


def _secret(project: str) -> str:
    return f"argocd-git-token.{project}"
