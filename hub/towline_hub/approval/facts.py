"""What the hub knows around a certificate request, in the words of the approval policy.

Pure: objects in, facts out.
"""

import base64
import binascii
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from towline_api import names
from towline_api.addons import (
    KubeClientDriver,
    KubeClientRegistration,
    ManagedClusterAddon,
    Registration,
)
from towline_api.condition_types import HUB_ACCEPTED
from towline_api.conditions import ConditionStatus, find_condition
from towline_api.metadata import creation_time_of, is_being_deleted
from towline_api.resources import KubeObject
from towline_api.timestamps import parse_time
from towline_certs.approval import AddonFacts, ClusterFacts, ExpectedRegistration
from towline_certs.certificates import parse_chain
from towline_certs.identities import Subject, addon_cluster_group
from towline_certs.signing_requests import SigningRequest
from towline_certs.validity import validity_of
from towline_hub.addons.declarations import AddonDeclaration, CustomSigner
from towline_hub.approval.live_identity import has_live_identity, reported_expiry
from towline_hub.clusters.standing import accepts_client, is_denied, name_problem

_CLIENT_ONLY = frozenset({"client auth"})
_BOTH = _CLIENT_ONLY | {"server auth"}


def cluster_facts(
    cluster: KubeObject,
    *,
    other_requests: Iterable[KubeObject],
    former_until: datetime | None = None,
    now: datetime,
) -> ClusterFacts:
    """Return the facts about the ManagedCluster that a request names.

    Args:
        cluster: The ManagedCluster.
        other_requests: The other certificate requests labelled with its name, or at least the
            approved ones among them.
        former_until: Until when a certificate of a former cluster of this name may live, if one
            does.
        now: The present.
    """
    is_live = has_live_identity(cluster, now=now)
    on_its_way = _is_on_its_way(cluster, other_requests=other_requests, now=now)
    former = former_until if former_until is not None and former_until >= now else None
    ends = [reported_expiry(cluster)] if is_live else []
    if on_its_way:
        ends.append(None)  # known once its agent reports it
    if former is not None:
        ends.append(former)
    return ClusterFacts(
        accepted=accepts_client(cluster) and name_problem(cluster) is None,
        denied=is_denied(cluster),
        deleting=is_being_deleted(cluster),
        has_live_identity=bool(ends),
        live_until=_latest(ends),
        removed_at=_removal_time(cluster),
    )


def addon_facts(
    addon: ManagedClusterAddon,
    *,
    created: datetime | None = None,
    declaration: AddonDeclaration | None = None,
    own_signers: Collection[str] = (),
) -> AddonFacts:
    """Return the facts about the ManagedClusterAddOn that a request names.

    Args:
        addon: The add-on.
        created: When the object was made, by the API server's clock.
        declaration: What it is declared to be; None if it is not.
        own_signers: Custom signers that this hub plays itself.
    """
    declared = {
        signer.signer_name: signer
        for signer in (() if declaration is None else declaration.custom_signers)
    }
    return AddonFacts(
        deleting=addon.is_being_deleted,
        created=created,
        registrations=tuple(
            _expected(item, cluster=addon.cluster, addon=addon.name, declared=declared)
            for item in addon.registrations
            if _counts(
                item, cluster=addon.cluster, declaration=declaration, own_signers=own_signers
            )
        ),
    )


def _counts(
    registration: Registration,
    *,
    cluster: str,
    declaration: AddonDeclaration | None,
    own_signers: Collection[str],
) -> bool:
    """Return whether a registration that stands in the status is one to go by.

    A cluster's agent may write to that status, for its own parts of it. What this hub signs itself
    therefore has to be declared; where others sign, they are to know what they sign for.
    """
    if isinstance(registration, KubeClientRegistration):
        # An agent that asks for tokens has no use for a certificate.
        return registration.driver is not KubeClientDriver.TOKEN
    if declaration is None:
        return registration.signer_name not in own_signers
    return registration in declaration.custom_registrations(cluster)


def _expected(
    registration: Registration,
    *,
    cluster: str,
    addon: str,
    declared: Mapping[str, CustomSigner],
) -> ExpectedRegistration:
    spec = registration.subject
    # What a registration leaves out, agents fill in like this.
    group = addon_cluster_group(cluster, addon)
    user = spec.user or f"{group}:agent:{addon}"
    if isinstance(registration, KubeClientRegistration):
        return ExpectedRegistration(
            names.KUBE_CLIENT_SIGNER, Subject(user, frozenset(spec.groups or (group,)))
        )
    # What no registration has room for stands in the declaration alone.
    signer = declared.get(registration.signer_name)
    return ExpectedRegistration(
        registration.signer_name,
        Subject(user, frozenset(spec.groups), frozenset(spec.organization_units)),
        extended_usages=_BOTH if signer is not None and signer.server else _CLIENT_ONLY,
        dns_names=frozenset() if signer is None else frozenset(signer.dns_names_on(cluster)),
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
            and _is_of_this_cluster(request, since=since)
            and not _has_expired_certificate(obj, now=now)
        ):
            return True
    return False


def _is_of_this_cluster(request: SigningRequest, *, since: datetime) -> bool:
    # An agent may post its request a moment before it registers, but none is approved before.
    times = [when for when in (request.created, request.decided_at) if when is not None]
    return not times or max(times) >= since


def _removal_time(cluster: KubeObject) -> datetime | None:
    """Return when the cluster lost its rights, while it has none for that reason.

    A deletion is told by the API server's clock, as the creation of a request is. A denial is told
    by the clock of the hub that noticed: it may be off by what the two differ.
    """
    if is_being_deleted(cluster):
        return parse_time(cluster["metadata"]["deletionTimestamp"])
    if not is_denied(cluster):
        return None
    condition = find_condition(cluster, HUB_ACCEPTED)
    if condition is None or condition.status is ConditionStatus.TRUE:
        return None  # the hub is about to say so
    return condition.last_transition_time


def _latest(ends: Sequence[datetime | None]) -> datetime | None:
    """Return when the last of them is over; None if that is not known of all."""
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _has_expired_certificate(obj: KubeObject, *, now: datetime) -> bool:
    encoded = (obj.get("status") or {}).get("certificate")
    if not encoded:
        return False
    try:
        return validity_of(parse_chain(base64.b64decode(encoded))).not_after < now
    except (ValueError, binascii.Error):
        return False  # what cannot be read proves no expiry
