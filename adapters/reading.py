"""How others read our local repositories over the API's own Git endpoint: with a token made for them, once."""

import threading

from adapters.ports import Secrets
from adapters.tokens import TokenRejected, Tokens
from gitops.changes import ActorKind

_SECRET = "argocd-git-token"  # noqa: S105 - the name of a secret
_USER = "argocd"
_EMAIL = "argocd@localhost"


class ReadingByToken:
    """URL, user and password of a project's repository below `base_url`; the token is kept, and made again when it is
    no longer valid.
    """

    def __init__(self, base_url: str, tokens: Tokens, secrets: Secrets) -> None:
        self._base_url = base_url
        self._tokens = tokens
        self._secrets = secrets
        self._lock = threading.Lock()

    def __call__(self, project: str) -> tuple[str, str, str]:
        """Raises Unreachable('git') when a token is to be made and cannot."""
        with self._lock:
            return f"{self._base_url}/gitops/{project}.git", _USER, self._valid() or self._made()

    def _valid(self) -> str | None:
        kept = self._secrets.get(_SECRET)
        try:
            text = kept.decode() if kept else ""
            self._tokens.verify(text)
        except TokenRejected:
            return None
        return text

    def _made(self) -> str:
        _, text = self._tokens.issue(None, "Argo CD", _EMAIL, ActorKind.AUTOMATION)
        self._secrets.put(_SECRET, text.encode())
        return text
