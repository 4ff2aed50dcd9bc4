"""The links about a cluster's agent: its certificate, its lease, and what it says.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from towline_api import names
from towline_api.condition_types import (
    CERTIFICATE_ROTATED,
    CLOCK_SYNCED,
    CLUSTER_AVAILABLE,
    JOINED,
)
from towline_api.conditions import find_condition
from towline_api.errors import WireError
from towline_api.metadata import labels_of
from towline_api.resources import KubeObject
from towline_api.timestamps import format_time, parse_time
from towline_hub.approval.live_identity import reported_expiry
from towline_hub.clusters.health import GRACE_FACTOR
from towline_hub.explain.links import Link, LinkState, broken, holds, unseen
from towline_hub.explain.requests import RequestFacts, decision_link, newest, signing_link
from towline_hub.explain.seen import ClusterFactsSeen
from towline_hub.looking import Unseen
from towline_hub.spans import rough

_DEFAULT_LEASE_SECONDS = 60
_JOINING_TAKES = timedelta(minutes=2)
"""How long a fresh request of a joined cluster is nothing to worry about."""


def credential_links(facts: ClusterFactsSeen, cluster: KubeObject) -> Iterator[Link]:
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


def joined_link(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    """Return whether the agent has used a certificate of its own."""
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


def certificate_link(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    """Return whether the agent's certificate is valid, and being renewed."""
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


def lease_link(facts: ClusterFactsSeen, cluster: KubeObject) -> Link:
    """Return whether the agent has renewed its lease in time."""
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


def clocks_link(cluster: KubeObject) -> Link:
    """Return whether the clocks of hub and managed cluster agree."""
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


def available_link(name: str, cluster: KubeObject) -> Link:
    """Return whether the managed cluster is well."""
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
