"""Whether a cluster's name already belongs to a living agent.

Pure. A bootstrap token may ask for a name nobody uses; asking for one in use would be taking the
cluster over. Joined alone is not enough to know: an agent that was down for longer than its
certificate lived has to come in through bootstrap again.
"""

import re
from datetime import UTC, datetime

from towline_api.condition_types import CERTIFICATE_ROTATED, JOINED
from towline_api.conditions import find_condition, is_true
from towline_api.errors import WireError
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time

_ROTATED = re.compile(r"client certificate rotated starting from (?P<start>.+?) to (?P<end>.+)")
# How Go prints an instant, with the monotonic reading it may append.
_GO_TIME = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}) (?P<time>\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?) "
    r"(?P<offset>[+-]\d{4}) [A-Z0-9+-]+(?: m=[+-][0-9.]+)?"
)


def has_live_identity(cluster: KubeObject, *, now: datetime) -> bool:
    """Return whether an agent of this ManagedCluster may still hold a valid certificate.

    True once the cluster joined, until the end of the newest certificate its agent reported has
    passed. An unreadable report keeps it True: it proves no expiry.
    """
    if not is_true(cluster, JOINED):
        return False
    expiry = reported_expiry(cluster)
    return expiry is None or now <= expiry


def reported_expiry(obj: KubeObject) -> datetime | None:
    """Return when the client certificate ends that an agent last reported, if it says so."""
    try:
        condition = find_condition(obj, CERTIFICATE_ROTATED)
    except WireError:
        return None
    match = _ROTATED.fullmatch(condition.message) if condition is not None else None
    return _parse_instant(match["end"].strip()) if match else None


def _parse_instant(text: str) -> datetime | None:
    go = _GO_TIME.fullmatch(text)
    try:
        if go is None:
            return parse_time(text)
        # Python reads at most six digits of a fraction.
        time = go["time"][:15]
        whole = datetime.fromisoformat(f"{go['date']}T{time}{go['offset']}")
    except (ValueError, WireError):
        return None
    return whole.astimezone(UTC)
