"""Watch events: what the lines of a watch say, and how to find the lines in the bytes."""

from dataclasses import dataclass
from enum import StrEnum

from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_kube.answers import from_status
from towline_kube.errors import Attempt, ServerError
from towline_kube.wire_json import decode

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes. An order of magnitude above what etcd stores per object; beyond it lies only memory."""


class WatchEventType(StrEnum):
    """What happened to the object of a watch event."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"
    """Nothing happened; the object holds only the resource version the watch has come to."""


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One thing that happened.

    Args:
        type: What happened.
        object: The object after it; for DELETED, its last state.
    """

    type: WatchEventType
    object: KubeObject


class LineSplitter:
    """Finds lines in chunks of bytes, whatever the sizes of both.

    The cost is linear in the bytes: a line of megabytes in chunks of kilobytes is searched once and
    joined once.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._length = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """Return the lines that `chunk` completes, without their ends and without empty ones.

        Raises:
            WireError: A line goes on for more than `LONGEST_LINE` bytes.
        """
        *ended, rest = chunk.split(b"\n")
        lines: list[bytes] = []
        for end in ended:
            lines.append(b"".join((*self._parts, end)))
            self._parts.clear()
            self._length = 0
        if rest:
            self._parts.append(rest)
            self._length += len(rest)
        if self._length > LONGEST_LINE:
            self._parts.clear()
            raise WireError(f"a watch event is longer than {LONGEST_LINE} bytes", field="watch")
        return [line for line in lines if line.strip()]


def parse_event(line: bytes, *, attempt: Attempt) -> WatchEvent:
    """Return the event of one line.

    Raises:
        ApiError: The event says that the watch failed; `Gone` means that its resource version is
            too old.
        ServerError: The line is not an event: something between us and the server cut it.
    """
    try:
        event = decode(line)
        kind, obj = event["type"], event["object"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise _not_an_event(attempt) from None
    if not isinstance(obj, dict):
        raise _not_an_event(attempt)
    if kind == "ERROR":
        code = obj.get("code")
        # Nothing below 400 is an error.
        status = code if isinstance(code, int) and 400 <= code < 600 else 500
        raise from_status(attempt, status=status, body=obj)
    try:
        return WatchEvent(WatchEventType(kind), obj)
    except ValueError:
        raise _not_an_event(attempt) from None


def _not_an_event(attempt: Attempt) -> ServerError:
    return ServerError(
        f"{attempt}: got a line that is no watch event; watching again",
        verb=attempt.verb,
        object=attempt.object,
    )
