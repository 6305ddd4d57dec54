"""Logs: one sentence plus keys, readable on a terminal and JSON elsewhere, on standard error.

    log = logger(__name__)
    log.info("A source works again.", source=name, mentions=3)

Known secrets are masked wherever they turn up. What people wrote never shows above debug: a value under one of
`WRITTEN` becomes its length. Control and direction characters are shown as escapes: no post can steer a terminal.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TextIO, cast
from urllib.parse import unquote

from listener.escapes import visible

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor

WRITTEN = frozenset({"text", "body", "draft", "post", "raw", "title", "content", "content_warning", "display_name"})
MASK = "•••"
MOST_LISTED = 3  # of one key, on a line for people
SHORTEST_SECRET = 4  # masking anything shorter would only garble the log

_hidden: set[str] = set()
_SECRET = re.compile(r"(?:ESCUCHA_\w*|HF_)(?:TOKEN|SECRET|PASSWORD|KEY)|OTEL_EXPORTER_OTLP_\w*HEADERS|PGPASSWORD")

_told: list[_Wanted] = []  # by the last `start`


def hide(secrets: Iterable[str]) -> None:
    """Masks these values from now on, in every log line and traceback."""
    _hidden.update(secret for secret in secrets if len(secret) >= SHORTEST_SECRET)


def hide_environment() -> None:
    """Masks the secrets of the environment that stand in no settings: tokens of ours, of hubs, of collectors."""
    for name, value in os.environ.items():
        if _SECRET.fullmatch(name):
            # Of headers (`Authorization=Bearer%20x,other=y`) each value, as it is written and as it is meant.
            words = [word for part in value.split(",") for word in (part, part.partition("=")[2].strip())]
            meant = [word for each in words for word in unquote(each).split()]
            hide([value, *(word for word in (*words, *meant) if len(word) >= len("Bearer x"))])


def masked(text: str) -> str:
    """The text without any known secret."""
    hidden = tuple(_hidden)  # in one step: another thread may add to it
    if any(secret in text for secret in hidden):
        for secret in sorted(hidden, key=len, reverse=True):
            text = text.replace(secret, MASK)
    return text


def start(
    *, form: Literal["auto", "lines", "json"] = "auto", level: Literal["debug", "info", "warning"] = "info"
) -> None:
    """Sends our logs, and the libraries' warnings, to standard error in that form. May be called again.

    structlog takes a tenth of a second to load, and most commands that somebody types log nothing: it is loaded, and
    told of this, when a module that logs first asks for its `logger`.
    """
    hide_environment()
    lines = form == "lines" or (form == "auto" and sys.stderr.isatty())
    wanted = _Wanted(lines=lines, colours=sys.stderr.isatty(), level=logging.getLevelNamesMapping()[level.upper()])
    root = logging.getLogger()
    root.handlers = [other for other in root.handlers if not isinstance(other, _StandardError)] + [_StandardError()]
    root.setLevel(logging.WARNING)  # below that, libraries speak of requests with everything in them
    _told[:] = [wanted]
    if "structlog" in sys.modules:
        _configure(wanted)


def logger(name: str) -> FilteringBoundLogger:
    """The log of that module, which writes as `start` was told, also where that was said before."""
    import structlog

    if _told and not structlog.is_configured():
        _configure(_told[0])
    return cast("FilteringBoundLogger", structlog.get_logger(name))


@dataclass(frozen=True, kw_only=True)
class _Wanted:
    """How a line looks, and from which number of `logging` on there is one."""

    lines: bool
    colours: bool
    level: int


def _configure(wanted: _Wanted) -> None:
    import structlog

    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _withhold,
        _clean,
    ]
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=wanted.colours, pad_event_to=0, sort_keys=False)
        if wanted.lines
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, *([_shorten] if wanted.lines else []), renderer],
        wrapper_class=structlog.make_filtering_bound_logger(wanted.level),
        logger_factory=lambda *_: structlog.WriteLogger(cast(TextIO, _Sink())),
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_foreign, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
    )
    for handler in logging.getLogger().handlers:
        if isinstance(handler, _StandardError):
            handler.setFormatter(formatter)


class _Sink:
    """Whatever standard error is at that moment, as far as it takes anything.

    Where it takes nothing (a full disk, a reader who went) the line is lost: that must keep nobody from their work.
    """

    def write(self, text: str) -> None:
        with suppress(OSError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stderr.flush()


class _StandardError(logging.Handler):
    """The libraries' part of it."""

    def emit(self, record: logging.LogRecord) -> None:
        logger(__name__)  # brings our formatter where there is none yet
        _Sink().write(self.format(record) + "\n")  # in one piece: threads write side by side


def _foreign(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """Names the library a line came from."""
    record = event.get("_record")
    if record is not None:
        event["library"] = record.name
    return event


def _withhold(_logger: Any, method: str, event: EventDict) -> EventDict:
    """What people wrote becomes its length, above debug."""
    if method != "debug":
        for key in WRITTEN & event.keys():
            event[key] = f"({len(str(event[key]))} characters)"
    return event


def _shorten(_logger: Any, _method: str, event: EventDict) -> EventDict:
    """For people, a long list becomes how many it holds; programs get it whole."""
    for key, value in event.items():
        if isinstance(value, list) and len(value) > MOST_LISTED:
            event[key] = f"({len(value)})"
    return event


def _clean(_logger: Any, _method: str, event: EventDict) -> EventDict:
    for key, value in event.items():
        if not key.startswith("_"):
            event[key] = _cleaned(value, lines=key == "exception")
    return event


def _cleaned(value: Any, *, lines: bool = False) -> Any:
    if isinstance(value, str):
        return visible(masked(value), lines=lines)
    if isinstance(value, dict):
        return {_cleaned(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cleaned(inner) for inner in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return visible(masked(str(value)))
