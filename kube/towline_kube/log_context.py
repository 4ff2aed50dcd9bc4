"""Facts that belong to every log line written while something is being done."""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

_NO_FACTS: Mapping[str, object] = {}
_facts: ContextVar[Mapping[str, object]] = ContextVar("towline_log_facts", default=_NO_FACTS)


@contextmanager
def log_context(**facts: object) -> Iterator[None]:
    """Add facts to what is logged in this block, by whomever, tasks started in it included.

    They reach the records through `ContextFilter`. An inner block adds to the outer one and wins
    where both name the same fact.

    Args:
        facts: Keyed as in `extra`; names of attributes that a log record has anyway are refused.

    Raises:
        ValueError: A fact has the name of an attribute of log records, such as `name`.
    """
    if taken := facts.keys() & _RECORD_ATTRIBUTES:
        raise ValueError(
            f"log records have an attribute {min(taken)!r} already; choose another key"
        )
    token = _facts.set({**_facts.get(), **facts})
    try:
        yield
    finally:
        _facts.reset(token)


class ContextFilter(logging.Filter):
    """Puts the facts of `log_context` on each record; lets every record pass.

    Add it to handlers, not to loggers: a logger's filters do not see what its children log. What a
    call gives in its own `extra` wins.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the facts to a record."""
        for key, value in _facts.get().items():
            if key not in record.__dict__:
                setattr(record, key, value)
        return True


_RECORD_ATTRIBUTES = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime"}
