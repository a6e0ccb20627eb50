"""Structured logs on stderr: JSON, or text on a terminal; with request and job ids, without secrets."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

from adapters.settings import Settings

HIDDEN = "***"
_SECRET_NAMES = re.compile(r"authorization|cookie|password|secret|token|private_key", re.IGNORECASE)
_HARMLESS_NAMES = frozenset({"token_id", "token_name"})
_SECRET_TEXTS = re.compile(
    r"lct_[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+|(?<=://)[^/\s@]*:[^/\s@]+(?=@)|(?<=login\?token=)[\w-]+"
)


def configure_logging(settings: Settings) -> None:
    """Set logging up for this process, that of libraries too; again is no error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        hide_secrets,
    ]
    terminal = sys.stderr.isatty()
    last = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    level = logging.getLevelNamesMapping().get(settings.log_level.upper(), logging.INFO)
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=[remove, last]))
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)


def hide_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Replace what is secret by its name, and what looks like a token or a password in an address anywhere."""
    for name, value in event.items():
        if _SECRET_NAMES.search(name) and name not in _HARMLESS_NAMES:
            event[name] = HIDDEN
        else:
            event[name] = _hidden(value)
    return event


def _hidden(value: Any) -> Any:
    match value:
        case str():
            return _SECRET_TEXTS.sub(HIDDEN, value)
        case bytes():
            return _hidden(value.decode(errors="replace"))
        case Mapping():
            return dict(hide_secrets(None, "", dict(value)))
        case list() | tuple() | set():
            return [_hidden(one) for one in value]
        case None | bool() | int() | float():
            return value
        case _:
            return _hidden(str(value))
