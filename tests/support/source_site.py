"""Source repositories on disk and the webhooks that tell of their pushes, for tests of builds."""

import hashlib
import hmac
import json
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.support.git import git

SECRET = "a secret of sixteen and more"
DOCKERFILE = "FROM scratch\nCOPY busybox /bin/busybox\nCOPY text /text\n"


@dataclass
class SourceSite:
    """One bare repository, and a clone in which its commits are made."""

    folder: Path

    @classmethod
    def make(cls, folder: Path) -> "SourceSite":
        """An empty one, with a busybox in its first commit to come."""
        folder.mkdir(parents=True)
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", "bare.git")
        git(folder, "clone", "--quiet", "bare.git", "clone")
        git(folder / "clone", "config", "user.name", "Bo")
        git(folder / "clone", "config", "user.email", "bo@example.org")
        shutil.copy(shutil.which("busybox") or "", folder / "clone" / "busybox")
        return cls(folder)

    @property
    def url(self) -> str:
        """Its address."""
        return f"file://{self.folder / 'bare.git'}"

    def commit(self, files: Mapping[str, str], branch: str = "main") -> str:
        """Commit these files over what is there, and push; the SHA."""
        clone = self.folder / "clone"
        git(clone, "checkout", "--quiet", "-B", branch)
        for name, text in {"Dockerfile": DOCKERFILE, **files}.items():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_text(text)
        git(clone, "add", "--all")
        git(clone, "commit", "--quiet", "--allow-empty", "--message", "a change")
        git(clone, "push", "--quiet", "--force", "origin", branch)
        return git(clone, "rev-parse", "HEAD").strip()

    def delivery(self, sha: str, branch: str = "main") -> bytes:
        """The body of GitHub's webhook for a push."""
        author = {"name": "Bo", "email": "bo@example.org"}
        return json.dumps(
            {
                "ref": f"refs/heads/{branch}",
                "before": "0" * 40,
                "after": sha,
                "deleted": False,
                "repository": {"clone_url": self.url, "html_url": self.url, "ssh_url": self.url, "full_name": "x/y"},
                "pusher": author,
                "head_commit": {"id": sha, "author": author},
            }
        ).encode()


def deliver(
    url: str, project: str, body: bytes, delivery_id: str | None = None, secret: str = SECRET
) -> httpx.Response:
    """Send a webhook as GitHub does."""
    headers = signed(body, delivery_id, secret)
    return httpx.post(f"{url}/webhooks/github/{project}", content=body, headers=headers, timeout=30)


def signed(body: bytes, delivery_id: str | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of GitHub's webhook for a push."""
    return {
        "content-type": "application/json",
        "x-github-event": "push",
        "x-github-delivery": delivery_id or str(uuid.uuid4()),
        "x-hub-signature-256": f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}",
    }
