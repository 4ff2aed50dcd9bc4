"""What was gathered about a cluster or an add-on, for its chain to be judged by."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from towline_api.addons import ManagedClusterAddon
from towline_api.resources import KubeObject
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.explain.links import Link
from towline_hub.explain.requests import RequestFacts
from towline_hub.looking import Unseen
from towline_hub.signers.outlook import SignerOutlook


@dataclass(frozen=True, slots=True)
class Grant:
    """One object that gives an accepted cluster its rights.

    Args:
        desired: What it should be.
        live: What it is; None if it is not there.
    """

    desired: KubeObject
    live: KubeObject | Unseen | None


@dataclass(frozen=True, slots=True)
class ClusterFactsSeen:
    """What was gathered about a cluster.

    Args:
        name: The cluster's name.
        server: The hub's address.
        now: The present.
        cluster: Its ManagedCluster; None if there is none.
        namespace: Its namespace.
        grants: What its agent's rights are made of.
        requests: Its own certificate requests; those of add-ons are not among them.
        lease: Its lease.
    """

    name: str
    server: str
    now: datetime
    cluster: KubeObject | None
    namespace: KubeObject | Unseen | None
    grants: tuple[Grant, ...]
    requests: tuple[RequestFacts, ...] | Unseen
    lease: KubeObject | Unseen | None


@dataclass(frozen=True, slots=True)
class AddonFactsSeen:
    """What was gathered about an add-on on one cluster.

    Args:
        cluster: The cluster's name.
        name: The add-on's name.
        now: The present.
        definition: Its ClusterManagementAddOn; None if there is none.
        obj: Its ManagedClusterAddOn; None if there is none.
        addon: What that means; None if there is none.
        cluster_links: The chain of its cluster.
        bindings: RoleBindings labelled with the cluster and the add-on, in any namespace.
        requests: Its certificate requests.
        declaration: What it is declared to be on the hub, as far as that is to be seen.
        signers: How the custom signers of the hub's settings stand, by name.
        approved_signers: Custom signers that the hub approves for, its own and others'.
    """

    cluster: str
    name: str
    now: datetime
    definition: KubeObject | Unseen | None
    obj: KubeObject | None
    addon: ManagedClusterAddon | None
    cluster_links: Sequence[Link]
    bindings: Sequence[KubeObject] | Unseen
    requests: tuple[RequestFacts, ...] | Unseen
    declaration: AddonDeclaration | None = None
    signers: Mapping[str, SignerOutlook] = field(default_factory=dict)
    approved_signers: frozenset[str] = frozenset()
