"""What a certificate request hangs on, from who made it to its certificate.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from towline_api import names
from towline_api.metadata import is_being_deleted
from towline_api.resources import KubeObject
from towline_hub.clusters.standing import accepts_client
from towline_hub.explain.links import Link, broken, holds
from towline_hub.explain.requests import RequestFacts, decision_link, signing_link
from towline_hub.explain.signer_links import signer_link
from towline_hub.signers.outlook import SignerOutlook


@dataclass(frozen=True, slots=True)
class RequestFactsSeen:
    """What was gathered about one request.

    Args:
        name: Its name.
        now: The present.
        facts: The request, judged; None if there is none of that name.
        cluster: The ManagedCluster it names; None if there is none.
        addon: The ManagedClusterAddOn it names; None if there is none.
        signer: How its signer stands, if the hub plays it.
    """

    name: str
    now: datetime
    facts: RequestFacts | None
    cluster: KubeObject | None
    addon: KubeObject | None
    signer: SignerOutlook | None = None


def request_chain(seen: RequestFactsSeen) -> list[Link]:
    """Return the links of a request's chain."""
    return list(_links(seen))


def _links(seen: RequestFactsSeen) -> Iterator[Link]:
    if seen.facts is None:
        yield broken(
            "request",
            f"there is no certificate request {seen.name}; Kubernetes removes one an hour after it "
            "was decided, and a day after it was made",
            fix="an agent that still needs a certificate asks again by itself; look at its log",
            command=f"kubectl get csr -l {names.CLUSTER_NAME_LABEL}",
        )
        return
    request = seen.facts.request
    yield holds("request", f"{request.username} asks {request.signer_name}")
    if request.cluster is None:
        yield broken(
            "label",
            f"it has no label {names.CLUSTER_NAME_LABEL}, so it is no managed cluster's and no "
            "hub looks at it",
            fix="who made it has to label it when making it; otherwise it is somebody else's",
        )
        return
    what = f"add-on {request.addon} of " if request.addon else ""
    yield holds("label", f"it is for {what}cluster {request.cluster}")
    yield _cluster(seen, request.cluster)
    if request.addon:
        yield _addon(seen, request.cluster, request.addon)
    yield decision_link(seen.facts, now=seen.now)
    if seen.signer is not None and not request.has_certificate:
        yield signer_link(seen.signer)
    if "Approved" in request.decisions or request.has_certificate:
        yield signing_link(seen.facts, now=seen.now)


def _cluster(seen: RequestFactsSeen, name: str) -> Link:
    if seen.cluster is None:
        return broken(
            "cluster",
            f"there is no ManagedCluster {name}",
            fix="its agent creates it before it asks; check that the label names the right cluster",
            command="kubectl get managedclusters",
        )
    if is_being_deleted(seen.cluster):
        return broken(
            "cluster",
            f"cluster {name} is being deleted",
            fix="wait until it is gone; its agent registers it anew",
            command=f"towline explain cluster/{name}",
        )
    accepted = "accepted" if accepts_client(seen.cluster) else "not accepted"
    return holds("cluster", f"ManagedCluster {name} is there, {accepted}")


def _addon(seen: RequestFactsSeen, cluster: str, name: str) -> Link:
    if seen.addon is None:
        return broken(
            "add-on",
            f"there is no ManagedClusterAddOn {name} in namespace {cluster}",
            fix="enable the add-on on this cluster, or stop its agent",
            command=f"kubectl get managedclusteraddons -n {cluster}",
        )
    return holds("add-on", f"ManagedClusterAddOn {cluster}/{name} is there")
