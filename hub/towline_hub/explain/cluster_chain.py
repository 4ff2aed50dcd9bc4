"""What a managed cluster's place in the fleet hangs on, from its registration to its health.

Pure: what was gathered in, links out.
"""

from collections.abc import Iterator, Sequence

from towline_api.condition_types import (
    HUB_ACCEPTED,
)
from towline_api.conditions import find_condition
from towline_api.metadata import (
    finalizers_of,
    is_being_deleted,
    key_of,
)
from towline_api.resources import KubeObject
from towline_hub.clusters.standing import accepts_client, is_denied, name_problem
from towline_hub.explain.agent_links import (
    available_link,
    certificate_link,
    clocks_link,
    credential_links,
    joined_link,
    lease_link,
)
from towline_hub.explain.links import Link, broken, holds, unseen
from towline_hub.explain.requests import newest
from towline_hub.explain.seen import ClusterFactsSeen
from towline_hub.looking import Unseen
from towline_hub.role_rights import rights_of

_SHOWN = 2


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
    yield from credential_links(facts, cluster)
    yield joined_link(facts, cluster)
    yield certificate_link(facts, cluster)
    yield lease_link(facts, cluster)
    yield clocks_link(cluster)
    yield available_link(facts.name, cluster)


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
                wrong.append(f"{what} grants less than the hub makes it grant")
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
    """Return whether a role or binding gives at least what the hub makes it to give.

    Other hubs group the same rights into other rules. A binding may name the cluster's group, or
    agent by agent after a former one was removed.
    """
    if "roleRef" in desired:
        return live.get("roleRef") == desired["roleRef"] and bool(live.get("subjects"))
    return set(rights_of([desired])) <= set(rights_of([live]))


def first_broken(links: Sequence[Link]) -> Link | None:
    """Return the first link of a chain that does not hold, or None."""
    return next((link for link in links if link.fix is not None), None)
