"""What the hub knows around a certificate request, in the words of the approval policy.

Pure: objects in, facts out.
"""

import base64
import binascii
from collections.abc import Iterable
from datetime import datetime

from towline_api import names
from towline_api.addons import KubeClientRegistration, ManagedClusterAddon, Registration
from towline_api.metadata import creation_time_of, is_being_deleted
from towline_api.resources import KubeObject
from towline_certs.approval import AddonFacts, ClusterFacts, ExpectedRegistration
from towline_certs.certificates import parse_chain
from towline_certs.identities import Subject, addon_cluster_group
from towline_certs.signing_requests import SigningRequest
from towline_certs.validity import validity_of
from towline_hub.live_identity import has_live_identity
from towline_hub.standing import accepts_client, is_denied, name_problem


def cluster_facts(
    cluster: KubeObject, *, other_requests: Iterable[KubeObject], now: datetime
) -> ClusterFacts:
    """Return the facts about the ManagedCluster that a request names.

    Args:
        cluster: The ManagedCluster.
        other_requests: The other certificate requests labelled with its name.
        now: The present.
    """
    return ClusterFacts(
        accepted=accepts_client(cluster) and name_problem(cluster) is None,
        denied=is_denied(cluster),
        deleting=is_being_deleted(cluster),
        has_live_identity=has_live_identity(cluster, now=now)
        or _is_on_its_way(cluster, other_requests=other_requests, now=now),
    )


def addon_facts(addon: ManagedClusterAddon) -> AddonFacts:
    """Return the facts about the ManagedClusterAddOn that a request names."""
    return AddonFacts(
        deleting=addon.is_being_deleted,
        registrations=tuple(
            _expected(item, cluster=addon.cluster, addon=addon.name) for item in addon.registrations
        ),
    )


def _expected(registration: Registration, *, cluster: str, addon: str) -> ExpectedRegistration:
    spec = registration.subject
    # What a registration leaves out, agents fill in like this.
    group = addon_cluster_group(cluster, addon)
    user = spec.user or f"{group}:agent:{addon}"
    if isinstance(registration, KubeClientRegistration):
        return ExpectedRegistration(
            names.KUBE_CLIENT_SIGNER, Subject(user, frozenset(spec.groups or (group,)))
        )
    return ExpectedRegistration(
        registration.signer_name,
        Subject(user, frozenset(spec.groups), frozenset(spec.organization_units)),
    )


def _is_on_its_way(
    cluster: KubeObject, *, other_requests: Iterable[KubeObject], now: datetime
) -> bool:
    """Return whether a request for the cluster was approved whose certificate may be in use.

    Between approval and the agent's first report the cluster has not joined yet; its name is
    taken all the same. Requests from before the ManagedCluster was made belong to a former one.
    """
    since = creation_time_of(cluster)
    for obj in other_requests:
        request = SigningRequest.from_csr(obj)
        if (
            request.addon is None
            and request.signer_name == names.KUBE_CLIENT_SIGNER
            and "Approved" in request.decisions
            and not request.decisions & {"Denied", "Failed"}
            and (request.created is None or request.created >= since)
            and not _has_expired_certificate(obj, now=now)
        ):
            return True
    return False


def _has_expired_certificate(obj: KubeObject, *, now: datetime) -> bool:
    encoded = (obj.get("status") or {}).get("certificate")
    if not encoded:
        return False
    try:
        return validity_of(parse_chain(base64.b64decode(encoded))).not_after < now
    except (ValueError, binascii.Error):
        return False  # what cannot be read proves no expiry
