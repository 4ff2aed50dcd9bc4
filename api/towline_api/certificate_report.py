"""What an agent says about its client certificate under the condition `ClusterCertificateRotated`.

The hub reads from it when the certificate ends: once it is over, the cluster's name is free, also
if it ended because the agent could not renew it. Writing and reading stand here together so that
they stay one format.
"""

import re
from datetime import UTC, datetime

from towline_api.errors import WireError
from towline_api.timestamps import format_time, parse_time

_ROTATED = re.compile(r"client certificate rotated starting from (?P<start>.+?) to (?P<end>.+)")
_NEWEST_ENDS = "; the newest client certificate ends at "
# A failure may be told in several lines, and may quote anything: only what stands last counts.
_FAILED = re.compile(rf".*{re.escape(_NEWEST_ENDS)}(?P<end>\S+)", re.DOTALL)
# How Go prints an instant, with the monotonic reading it may append.
_GO_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}) (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?) "
    r"(?P<offset>[+-]\d{4}) [A-Z0-9+-]+(?: m=[+-][0-9.]+)?"
)


def rotated_message(*, start: datetime, end: datetime) -> str:
    """Return the message beside `REASON_CERTIFICATE_UPDATED`.

    Args:
        start: When the certificate's validity begins.
        end: When it ends.
    """
    return f"client certificate rotated starting from {format_time(start)} to {format_time(end)}"


def rotation_failed_message(failure: str, *, end: datetime | None) -> str:
    """Return the message beside `REASON_CERTIFICATE_UPDATE_FAILED`.

    Args:
        failure: What went wrong.
        end: When the newest certificate ends; None if there never was one.
    """
    return failure if end is None else f"{failure}{_NEWEST_ENDS}{format_time(end)}"


def find_certificate_end(message: str) -> datetime | None:
    """Return when the newest certificate ends, as told in either message; None if it is not told.

    OCM's agents write the first message too, with instants as Go prints them.
    """
    match = _FAILED.fullmatch(message) or _ROTATED.fullmatch(message)
    return _find_instant(match["end"].strip()) if match else None


def _find_instant(text: str) -> datetime | None:
    go = _GO_TIME.fullmatch(text)
    try:
        if go is None:
            return parse_time(text)
        # Python reads at most six digits of a fraction.
        time = go["time"][:15]
        return datetime.fromisoformat(f"{go['date']}T{time}{go['offset']}").astimezone(UTC)
    except (ValueError, OverflowError, WireError):
        return None
