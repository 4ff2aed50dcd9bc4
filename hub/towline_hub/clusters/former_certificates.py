"""Until when a certificate of a cluster that was removed may still be valid.

Kubernetes cannot revoke a client certificate. What a removed agent's certificate may do ends with
its RBAC; but the group it names is that of any later cluster of the same name. So at removal the
cluster's namespace, which stays, is marked with the instant until when such a certificate may live.
While the mark holds, two things differ for a cluster of that name that registers anew:

* its name counts as taken: a shared bootstrap token brings it in only by an operator's word;
* its rights are bound to the user names of those agents whose requests were approved since it
  registered, not to the group. The former agent's certificate names another user (unless the new
  agent took over the old one's id), and opens nothing.

An operator who wants the former agent back takes the mark away. Deleting the namespace forgets it.
What this cannot tell apart are add-on agents, which are named after their add-on: those of the new
cluster get rights that a former certificate of the same add-on shares until it ends.

Pure: objects in, values out.
"""

import base64
import binascii
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from towline_api import names
from towline_api.condition_types import JOINED
from towline_api.conditions import find_condition, is_true
from towline_api.errors import WireError
from towline_api.metadata import annotations_of, creation_time_of
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_certs.certificates import parse_chain
from towline_certs.errors import IdentityError, RequestError
from towline_certs.identities import ClusterIdentity
from towline_certs.requests import parse_request
from towline_certs.signing_requests import SigningRequest
from towline_certs.validity import validity_of
from towline_hub.approval.live_identity import reported_expiry

_SIGNED_WITHIN = timedelta(hours=1)
"""An approved request waits for its signer no longer: Kubernetes collects it then."""
_NEVER = datetime.max.replace(tzinfo=UTC)


def former_expiry(namespace: KubeObject | None, *, now: datetime) -> datetime | None:
    """Return until when a former certificate may live; None if none does.

    A mark that cannot be read proves no end.

    Args:
        namespace: The cluster's namespace, if there is one.
        now: The present.
    """
    text = annotations_of(namespace or {}).get(names.FORMER_CERTIFICATE_ANNOTATION)
    if text is None:
        return None
    try:
        expiry = parse_time(text)
    except WireError:
        return _NEVER
    return expiry if expiry >= now else None


def is_marked(namespace: KubeObject) -> bool:
    """Return whether a namespace says anything about former certificates, even outdated."""
    return names.FORMER_CERTIFICATE_ANNOTATION in annotations_of(namespace)


def last_certificate_end(
    cluster: KubeObject,
    *,
    addons: Iterable[KubeObject],
    requests: Iterable[KubeObject],
    deleted: datetime,
    max_lifetime: timedelta,
) -> datetime | None:
    """Return when the last client certificate of a cluster's agents ends that may exist.

    Args:
        cluster: The ManagedCluster, with what its agent reported.
        addons: Its ManagedClusterAddOns, with what was reported about theirs.
        requests: The certificate requests labelled with its name.
        deleted: When its deletion began: what is not known is reckoned from there, so that each
            look comes to the same result.
        max_lifetime: The longest lifetime a certificate may have.

    Returns:
        The instant; None if no certificate of its agents is known of.
    """
    ends = [end for obj in (cluster, *addons) if (end := reported_expiry(obj)) is not None]
    if is_true(cluster, JOINED) and reported_expiry(cluster) is None:
        ends.append(deleted + max_lifetime)
    for obj in requests:
        request = SigningRequest.from_csr(obj)
        if _was_approved(request):
            lifetime = request.lifetime or max_lifetime
            ends.append(_certificate_end(obj) or deleted + _SIGNED_WITHIN + lifetime)
    return max(ends, default=None)


def approved_agents(
    cluster: KubeObject, *, requests: Iterable[KubeObject], known: Sequence[str]
) -> tuple[str, ...]:
    """Return the user names of the agents that were let in since a cluster registered.

    Args:
        cluster: The ManagedCluster.
        requests: The certificate requests labelled with its name.
        known: User names its binding has already: requests are collected after an hour.
    """
    since = creation_time_of(cluster)
    name = str(cluster["metadata"]["name"])
    users = {user for user in known if _is_agent_of(name, user)}
    for obj in requests:
        request = SigningRequest.from_csr(obj)
        if request.addon is None and _was_approved(request) and _approval_time(obj) >= since:
            users.update(_requested_users(request, cluster=name))
    return tuple(sorted(users))


def _requested_users(request: SigningRequest, *, cluster: str) -> Iterator[str]:
    try:
        subject = parse_request(request.request_pem or b"").subject
        if subject is None:
            return
        identity = ClusterIdentity.parse_subject(subject)
    except (IdentityError, RequestError):
        return
    if identity.cluster == cluster:
        yield identity.user


def _is_agent_of(cluster: str, user: str) -> bool:
    try:
        return ClusterIdentity.parse_user(user).cluster == cluster
    except IdentityError:
        return False


def _was_approved(request: SigningRequest) -> bool:
    return (
        request.signer_name == names.KUBE_CLIENT_SIGNER
        and "Approved" in request.decisions
        and not request.decisions & {"Denied", "Failed"}
    )


def _approval_time(obj: KubeObject) -> datetime:
    """Return when a request was approved; agents may post it before they register."""
    approval = find_condition(obj, "Approved")
    if approval is not None and approval.last_transition_time is not None:
        return approval.last_transition_time
    return creation_time_of(obj)


def _certificate_end(obj: KubeObject) -> datetime | None:
    encoded = (obj.get("status") or {}).get("certificate")
    if not encoded:
        return None
    try:
        return validity_of(parse_chain(base64.b64decode(encoded))).not_after
    except (ValueError, binascii.Error):
        return None
