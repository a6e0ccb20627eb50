"""Whose certificates count: those of the system's authorities, and of LUCITY_CA_FILE."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import httpx

from adapters.durable import replace
from adapters.settings import Settings


@dataclass(frozen=True)
class Trust:
    """`added` is PEM text that counts besides the system's; `bundle` the file in which git finds both."""

    added: str = ""
    bundle: Path = Path()

    @classmethod
    def of(cls, settings: Settings) -> "Trust":
        """As settings say. Raises ValueError for a file that holds no certificates."""
        path = settings.ca_file
        if path is None:
            return SYSTEM
        try:
            text = path.read_text()
            ssl.create_default_context(cadata=text or "nothing")
        except (ssl.SSLError, ValueError):
            raise ValueError(f"LUCITY_CA_FILE holds no certificates in PEM: {path}") from None
        except OSError as error:
            raise ValueError(f"LUCITY_CA_FILE cannot be read: {path}: {error.strerror}") from None
        return cls(text, settings.data.absolute() / "trusted.pem")

    @cached_property
    def context(self) -> ssl.SSLContext:
        """For clients in this process; made once, because that takes long enough to be felt by an event loop."""
        context = httpx.create_ssl_context()
        if self.added:
            context.load_verify_locations(cadata=self.added)
        return context

    @cached_property
    def for_git(self) -> Mapping[str, str]:
        """Variables for git, which takes one file and that instead of the system's; it is written here."""
        if not self.added:
            return {}
        known = [ssl.DER_cert_to_PEM_cert(one) for one in self.context.get_ca_certs(binary_form=True)]
        self.bundle.parent.mkdir(parents=True, exist_ok=True)
        replace(self.bundle, "".join([*known, self.added]).encode(), 0o644)
        return {"GIT_SSL_CAINFO": str(self.bundle)}


SYSTEM: Final = Trust()
"""The system's alone."""
