"""Whether a cluster's name already belongs to a living agent.

Pure. A bootstrap token may ask for a name nobody uses; asking for one in use would be taking the
cluster over. Joined alone is not enough to know: an agent that was down for longer than its
certificate lived has to come in through bootstrap again.
"""

from datetime import datetime

from towline_api.certificate_report import find_certificate_end
from towline_api.condition_types import CERTIFICATE_ROTATED, JOINED
from towline_api.conditions import find_condition, is_true
from towline_api.errors import WireError
from towline_api.resources import KubeObject


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
    """Return when the newest client certificate ends that an agent reported, if it says so.

    An agent that failed to renew it says so as well.
    """
    try:
        condition = find_condition(obj, CERTIFICATE_ROTATED)
    except WireError:
        return None
    return None if condition is None else find_certificate_end(condition.message)
