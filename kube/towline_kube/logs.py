"""Log output of a daemon: lines for people, or JSON for collectors, and no secrets in either."""

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from typing import TextIO

from towline_kube.log_context import ContextFilter
from towline_kube.redaction import redact

_STANDARD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {
    "message",
    "asctime",
    "taskName",  # since Python 3.12
}


class LogFormat(StrEnum):
    """For whom log lines are written."""

    CONSOLE = "console"
    JSON = "json"


class LogLevel(StrEnum):
    """The least important lines to write."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RedactingFilter(logging.Filter):
    """Takes keys and tokens out of records, in case one got in with somebody else's text.

    Nothing of towline's logs secrets; an exception of a library, or an answer of a server, might.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Redact the record's message, its facts and its traceback; let it pass."""
        try:
            record.msg, record.args = redact(record.getMessage()), ()
        except (TypeError, ValueError):
            # Placeholders and arguments that do not fit: `logging` itself reports it.
            record.msg, record.args = redact(str(record.msg)), ()
        for key, value in record.__dict__.items():
            if key not in _STANDARD_ATTRIBUTES and not isinstance(value, bool | int | float | None):
                text = str(value)
                if (clean := redact(text)) != text:
                    setattr(record, key, clean)
        if record.exc_info and not record.exc_text:
            # Formatters take the text from here instead of making it again.
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        return True


class ConsoleFormatter(logging.Formatter):
    """`12:00:00.123 INFO    towline_agent.clusters.lease lease renewed cluster=c1 lease=…`."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, with the traceback below it if there is one."""
        at = datetime.fromtimestamp(record.created, UTC)
        facts = " ".join(f"{key}={_shown(value)}" for key, value in _facts(record).items())
        line = (
            f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z {record.levelname:7} "
            f"{record.name} {_one_line(record.getMessage())}"
        )
        return "\n".join(part for part in (f"{line} {facts}".rstrip(), _traceback(record)) if part)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, message, then the facts under their own keys."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the object as one line."""
        at = datetime.fromtimestamp(record.created, UTC)
        entry: dict[str, object] = {
            **_facts(record),
            "time": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if traceback := _traceback(record):
            entry["traceback"] = traceback
        return json.dumps(entry, default=str, ensure_ascii=False)


def configure_logging(
    log_format: LogFormat = LogFormat.CONSOLE,
    level: LogLevel = LogLevel.INFO,
    *,
    stream: TextIO | None = None,
) -> None:
    """Send all log records of this process to one stream. For daemons; libraries never call it.

    Args:
        log_format: How lines look.
        level: Least important lines of towline's own loggers; of libraries, warnings and up, since
            their details hold headers and addresses of every request.
        stream: Standard error by default.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if log_format is LogFormat.JSON else ConsoleFormatter())
    # Redaction last, so that it sees what the context adds.
    handler.addFilter(ContextFilter())
    handler.addFilter(RedactingFilter())
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    threshold = logging.getLevelNamesMapping()[level.name]
    root.setLevel(max(threshold, logging.WARNING))
    for room in ("agent", "api", "certs", "hub", "kube", "sandbox"):
        logging.getLogger(f"towline_{room}").setLevel(threshold)
    logging.captureWarnings(capture=True)


def _facts(record: logging.LogRecord) -> dict[str, object]:
    return {key: value for key, value in record.__dict__.items() if key not in _STANDARD_ATTRIBUTES}


def _traceback(record: logging.LogRecord) -> str:
    if record.exc_info and not record.exc_text:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
    return record.exc_text or ""


def _shown(value: object) -> str:
    """Return a fact so that where it ends can be seen."""
    text = str(value)
    plain = text.isprintable() and text and not any(mark in text for mark in ' "=')
    return text if plain else json.dumps(text, ensure_ascii=False)


def _one_line(text: str) -> str:
    return text if text.isprintable() else json.dumps(text, ensure_ascii=False)[1:-1]
