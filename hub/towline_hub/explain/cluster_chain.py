"""What a managed cluster's place in the fleet hangs on, from its registration to its health.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_api import names
from towline_api.condition_types import (
    CERTIFICATE_ROTATED,
    CLOCK_SYNCED,
    CLUSTER_AVAILABLE,
    HUB_ACCEPTED,
    JOINED,
)
from towline_api.conditions import find_condition
from towline_api.errors import WireError
from towline_api.metadata import (
    finalizers_of,
    is_being_deleted,
    key_of,
    labels_of,
)
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time, parse_time
from towline_hub.explain.links import Link, LinkState, broken, holds, unseen
from towline_hub.explain.requests import RequestFacts, decision_link, newest, signing_link
from towline_hub.health import GRACE_FACTOR
from towline_hub.live_identity import reported_expiry
from towline_hub.looking import Unseen
from towline_hub.object_writer import holds as has_all_of
from towline_hub.spans import rough
from towline_hub.standing import accepts_client, is_denied, name_problem

_DEFAULT_LEASE_SECONDS = 60
_SHOWN = 2
_JOINING_TAKES = timedelta(minutes=2)
"""How long a fresh request of a joined cluster is nothing to worry about."""


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


def cluster_chain(facts: ClusterFactsSeen) -> list[Link]:
    """Return the links of a cluster's chain."""
    return list(_links(facts))


def _links(facts: ClusterFactsSeen) -> Iterator[Link]:
    cluster = facts.cluster
    if cluster is None:
        yield _absent(facts)
        return
    yield holds("registration", f"ManagedCluster {facts.name} is there")
    yield _name(facts.name, cluster)
    yield _staying(facts.name, cluster)
    yield _acceptance(facts, cluster)
    yield _admission(facts.name, cluster)
    yield _namespace(facts)
    yield _rights(facts)
    yield from _credential(facts, cluster)
    yield _joined(facts, cluster)
    yield _certificate(facts, cluster)
    yield _lease(facts, cluster)
    yield _clocks(cluster)
    yield _available(facts.name, cluster)


def _absent(facts: ClusterFactsSeen) -> Link:
    requests = facts.requests if isinstance(facts.requests, tuple) else ()
    asked = (
        f"; its name stands on request {requests[-1].request.name} by "
        f"{requests[-1].request.username}"
        if requests
        else ""
    )
    return broken(
        "registration",
        f"there is no ManagedCluster {facts.name} on {facts.server}{asked}",
        fix="the agent registers its cluster when it starts: on the managed cluster, check that "
        "the agent runs, that its bootstrap kubeconfig names this hub, and that its bootstrap "
        "token has not expired",
        command="towline token list",
    )


def _name(name: str, cluster: KubeObject) -> Link:
    problem = name_problem(cluster)
    if problem is None:
        return holds("name", "the name can be a namespace of the cluster's own")
    return broken(
        "name",
        problem,
        fix="register under another name",
        command=f"kubectl delete managedcluster {name}",
    )


def _staying(name: str, cluster: KubeObject) -> Link:
    if not is_being_deleted(cluster):
        return holds("staying", "nobody deletes it")
    since = str(cluster["metadata"]["deletionTimestamp"])
    return broken(
        "staying",
        f"it is being deleted since {since}, held by {', '.join(finalizers_of(cluster))}",
        fix="the hub releases it once its add-ons and its agent have cleaned up, at the latest "
        "after the hub's setting `cleanup-limit`; then it can register anew",
        command=f"kubectl get managedclusteraddons,leases -n {name}",
    )


def _acceptance(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    if accepts_client(cluster):
        return holds("acceptance", "the hub's owner accepts it")
    requests = facts.requests if isinstance(facts.requests, tuple) else ()
    request = newest(requests)
    waits = ""
    if request is not None and not request.request.is_decided:
        waits = f"; request {request.request.name} by {request.request.username} waits" + (
            f", and the hub said: {request.note}" if request.note else ""
        )
    was = "it was accepted once and is denied now" if is_denied(cluster) else "nobody accepted it"
    return broken(
        "acceptance",
        f"{was}{waits}",
        fix="an operator who knows this cluster has to accept it; to have new clusters accepted "
        "without a person, see the hub's setting `auto-approve-groups`",
        command=f"towline accept {facts.name}",
    )


def _admission(name: str, cluster: KubeObject) -> Link:
    condition = find_condition(cluster, HUB_ACCEPTED)
    if condition is not None and condition.status == "True":
        return holds("admission", "the hub has given it its place")
    if condition is not None:
        return broken(
            "admission",
            f"the hub could not give it its place: {condition.reason}: {condition.message}",
            fix="put right what the message names; the hub tries again by itself",
            command=f"kubectl get managedcluster {name} -o yaml",
        )
    return broken(
        "admission",
        "no hub has taken up the acceptance",
        fix="a hub at work does so within a second; check that one runs and has its rights",
        command="towline doctor",
    )


def _namespace(facts: ClusterFactsSeen) -> Link:
    found, name = facts.namespace, facts.name
    if isinstance(found, Unseen):
        return unseen("namespace", found)
    if found is None:
        return broken(
            "namespace",
            f"there is no namespace {name}",
            fix="the hub makes it for an accepted cluster; check that one runs and has its rights",
            command="towline doctor",
        )
    if is_being_deleted(found):
        return broken(
            "namespace",
            f"namespace {name} is being deleted",
            fix="wait until it is gone; the hub makes it anew. If it stays, something in it has a "
            "finalizer that nobody takes off",
            command=f"kubectl get namespace {name} -o yaml",
        )
    return holds("namespace", f"namespace {name} is there")


def _rights(facts: ClusterFactsSeen) -> Link:
    wrong, blind = [], None
    for grant in facts.grants:
        what = f"{grant.desired['kind']} {key_of(grant.desired)}"
        match grant.live:
            case Unseen():
                blind = grant.live
            case None:
                wrong.append(f"{what} is missing")
            case live if is_being_deleted(live):
                wrong.append(f"{what} is being deleted")
            case live if not _grants(grant.desired, live):
                wrong.append(f"{what} differs from what the hub grants")
            case _:
                pass
    if wrong:
        return broken(
            "rights",
            _listed(wrong),
            fix="a hub at work puts that right at once; check that one runs and has its rights",
            command="towline doctor",
        )
    if blind is not None:
        return unseen("rights", blind)
    return holds("rights", f"its agent has its rights on the hub ({len(facts.grants)} objects)")


def _listed(items: Sequence[str]) -> str:
    shown = "; ".join(items[:_SHOWN])
    return f"{shown}; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else shown


def _grants(desired: KubeObject, live: KubeObject) -> bool:
    """Return whether a role or binding is as the hub makes it.

    A binding may name the cluster's group, or agent by agent after a former one was removed.
    """
    if "subjects" not in desired:
        return has_all_of(desired, live)
    without = {key: value for key, value in desired.items() if key != "subjects"}
    return bool(live.get("subjects")) and has_all_of(without, live)


def _credential(facts: ClusterFactsSeen, cluster: KubeObject) -> Iterator[Link]:
    """Yield the links about the agent's request, as far as one is needed or under way."""
    if isinstance(facts.requests, Unseen):
        yield unseen("request", facts.requests)
        return
    expiry = reported_expiry(cluster)
    joined = find_condition(cluster, JOINED) is not None
    has_certificate = joined and (expiry is None or expiry > facts.now)
    request = newest(facts.requests)
    if has_certificate and (request is None or _is_nothing_new(request, facts)):
        yield holds("request", "its agent has a certificate and needs no other now")
        return
    if request is None:
        yield broken(
            "request",
            "its agent has not asked for a certificate, or Kubernetes removed the request: one "
            "hour after it was decided, a day after it was made",
            fix="on the managed cluster, read the agent's log; it asks when it starts and when its "
            "certificate nears its end",
        )
        return
    yield holds("request", f"its agent asked as {request.request.username}: {request.request.name}")
    yield decision_link(request, now=facts.now)
    if "Approved" in request.request.decisions or request.request.has_certificate:
        yield signing_link(request, now=facts.now)


def _is_nothing_new(facts: RequestFacts, seen: ClusterFactsSeen) -> bool:
    """Return whether a request of an agent that has a certificate needs no attention."""
    request = facts.request
    if request.has_certificate:
        return True
    if request.decisions & {"Denied", "Failed"}:
        return False  # it is the newest, so its agent has not been given another since
    return request.created is not None and seen.now - request.created < _JOINING_TAKES


def _joined(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    condition = find_condition(cluster, JOINED)
    if condition is not None and condition.status == "True":
        return holds("joined", "its agent has used its own certificate")
    return broken(
        "joined",
        "its agent has not used a certificate of its own yet",
        fix="within seconds of the certificate an agent that runs says so; on the managed cluster, "
        "read its log: can it write its Secret, and does it reach this hub at "
        f"{facts.server}?",
    )


def _certificate(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    expiry = reported_expiry(cluster)
    condition = find_condition(cluster, CERTIFICATE_ROTATED)
    if expiry is not None and expiry <= facts.now:
        return broken(
            "certificate",
            f"its agent's certificate ended {rough(facts.now - expiry)} ago",
            fix="the agent asks again with its bootstrap kubeconfig; on the managed cluster, check "
            "that it runs and that its bootstrap token has not expired; make a new one if it has",
            command=f"towline token create --cluster {facts.name}",
        )
    if condition is not None and condition.status == "False":
        return broken(
            "certificate",
            f"its agent could not renew its certificate: {condition.message or condition.reason}",
            fix="put right what the message names; the agent tries again by itself"
            + (f", and has until {format_time(expiry)}" if expiry is not None else ""),
            command=f"kubectl get csr -l {names.CLUSTER_NAME_LABEL}={facts.name}",
        )
    if expiry is None and find_condition(cluster, JOINED) is None:
        return broken(
            "certificate",
            "its agent has reported none yet",
            fix="it does when it has joined",
        )
    if expiry is None:
        return Link("certificate", LinkState.UNKNOWN, "its agent has not reported when it ends")
    return holds("certificate", f"its agent's certificate is valid for {rough(expiry - facts.now)}")


def _lease(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    lease, name = facts.lease, "lease"
    where = f"lease {facts.name}/{names.CLUSTER_LEASE}"
    if isinstance(lease, Unseen):
        return unseen(name, lease)
    if lease is None:
        return broken(
            name,
            f"there is no {where}",
            fix="the hub makes it for an accepted cluster; check that one runs and has its rights",
            command="towline doctor",
        )
    if labels_of(lease).get(names.CLUSTER_NAME_LABEL) != facts.name:
        return broken(
            name,
            f"{where} lacks the label {names.CLUSTER_NAME_LABEL}: {facts.name}, by which hubs "
            "watch it",
            fix="put the label back",
            command=f"kubectl label -n {facts.name} lease {names.CLUSTER_LEASE} "
            f"{names.CLUSTER_NAME_LABEL}={facts.name}",
        )
    renewed = _renewed(lease)
    spec = cluster.get("spec") or {}
    seconds = spec.get("leaseDurationSeconds") or _DEFAULT_LEASE_SECONDS
    grace = GRACE_FACTOR * timedelta(seconds=int(seconds))
    if renewed is None:
        return broken(
            name,
            f"{where} was never renewed",
            fix="on the managed cluster, check that the agent runs; it renews the lease once it "
            "has joined",
        )
    age = facts.now - renewed
    if age > grace:
        return broken(
            name,
            f"{where} was last renewed {rough(age)} ago; {rough(grace)} are allowed",
            fix="on the managed cluster, check that the agent runs and reaches this hub at "
            f"{facts.server}; its log says what it meets",
            command=f"kubectl get lease -n {facts.name} {names.CLUSTER_LEASE} -o yaml",
        )
    return holds(name, f"{where} was renewed {rough(age)} ago")


def _clocks(cluster: KubeObject) -> Link:
    condition = find_condition(cluster, CLOCK_SYNCED)
    if condition is None:
        return holds("clocks", "no difference between the clocks was noticed")
    if condition.status == "True":
        return holds("clocks", "the clocks of hub and managed cluster agree")
    return broken(
        "clocks",
        f"the clocks of hub and managed cluster disagree: {condition.message or condition.reason}",
        fix="set the clocks by NTP on the machines of both",
    )


def _available(name: str, cluster: KubeObject) -> Link:
    condition = find_condition(cluster, CLUSTER_AVAILABLE)
    if condition is not None and condition.status == "True":
        return holds("available", "its agent says that the managed cluster is well")
    if condition is None:
        return broken(
            "available",
            "its agent has said nothing about the managed cluster's health yet",
            fix="that follows within seconds of joining; on the managed cluster, read the agent's "
            "log",
        )
    return broken(
        "available",
        f"{condition.status}: {condition.reason}: {condition.message}",
        fix="False comes from the agent: look at the managed cluster's API server; Unknown from "
        "the hub: the agent has gone silent",
        command=f"kubectl get managedcluster {name} -o yaml",
    )


def _renewed(lease: KubeObject) -> datetime | None:
    try:
        return parse_time(str((lease.get("spec") or {}).get("renewTime")))
    except WireError:
        return None


def first_broken(links: Sequence[Link]) -> Link | None:
    """Return the first link of a chain that does not hold, or None."""
    return next((link for link in links if link.fix is not None), None)
