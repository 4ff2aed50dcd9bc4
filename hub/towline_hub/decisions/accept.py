"""`towline accept`: a person lets a cluster join, and vouches for its agent's request."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from towline_api import names
from towline_api.errors import TowlineError
from towline_api.metadata import (
    annotations_of,
    is_being_deleted,
    name_of,
    resource_version_of,
    uid_of,
)
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    KubeObject,
)
from towline_certs.approval import ApprovalContext, Approve, Decision
from towline_certs.policy import decide
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval.decision_record import APPROVED_REASON
from towline_hub.approval.facts import cluster_facts
from towline_hub.clusters.standing import accepts_client, name_problem
from towline_hub.decisions.request_decisions import conclude_request
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock


class AcceptError(TowlineError):
    """A cluster was not accepted, or nothing could be approved for it; says what to do."""


@dataclass(frozen=True, slots=True)
class ConsideredRequest:
    """A pending request of the cluster, and what was made of it.

    Args:
        name: Its name.
        requester: Who made it.
        approved: Whether it was approved now.
        message: Why, in a sentence.
    """

    name: str
    requester: str
    approved: bool
    message: str


@dataclass(frozen=True, slots=True)
class AcceptReport:
    """What accepting a cluster did.

    Args:
        cluster: The cluster.
        newly_accepted: Whether it was not accepted before.
        requests: The pending requests of its agent.
    """

    cluster: str
    newly_accepted: bool
    requests: tuple[ConsideredRequest, ...]

    @property
    def approved(self) -> tuple[ConsideredRequest, ...]:
        """The requests that were approved now."""
        return tuple(item for item in self.requests if item.approved)


async def accept_cluster(
    client: Client,
    cluster: str,
    *,
    request: str | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> AcceptReport:
    """Accept a cluster, and approve its agent's pending request after the whole policy check.

    Safe to repeat. The person vouches for the requester; everything else about the request (its
    subject, names, usages, key, lifetime) has to be right all the same.

    Args:
        client: Whom to ask, as a person who may accept clusters and approve requests.
        cluster: Name of the ManagedCluster.
        request: Which request to approve, if several could be.
        clock: Where time comes from.

    Raises:
        AcceptError: There is no such cluster, its name cannot be used, or it is not clear which of
            several requests is meant. Nothing was changed.
    """
    found = await client.find(MANAGED_CLUSTERS, cluster)
    if found is None:
        raise AcceptError(
            f"there is no managed cluster {cluster!r} on this hub; its agent registers it when it "
            "starts: check that the agent runs and which hub its bootstrap kubeconfig names"
        )
    problem = name_problem(found)
    if problem is not None:
        raise AcceptError(problem)
    if is_being_deleted(found):
        raise AcceptError(f"cluster {cluster!r} is being deleted; wait until it is gone")
    pending = await _pending(client, found, clock=clock)
    chosen = _choose(pending, cluster=cluster, only=request)
    newly_accepted = not accepts_client(found)
    if newly_accepted or names.DENIAL_REASON_ANNOTATION in annotations_of(found):
        await _check_namespace(client, cluster)
        await client.patch(
            MANAGED_CLUSTERS,
            cluster,
            {
                "metadata": {
                    "uid": uid_of(found),
                    "resourceVersion": resource_version_of(found),
                    "annotations": {names.DENIAL_REASON_ANNOTATION: None},
                },
                "spec": {"hubAcceptsClient": True},
            },
        )
    considered = []
    for obj, seen, decision in pending:
        approved = chosen is not None and seen.name == chosen
        if approved:
            # The hub approves the request of a trusted bootstrap identity itself once its cluster
            # is accepted, and may be faster.
            await conclude_request(
                client,
                obj,
                condition="Approved",
                reason=APPROVED_REASON,
                message=decision.message,
                clock=clock,
            )
        considered.append(ConsideredRequest(seen.name, seen.username, approved, decision.message))
    return AcceptReport(cluster, newly_accepted, tuple(considered))


async def _pending(
    client: Client, cluster: KubeObject, *, clock: Clock
) -> list[tuple[KubeObject, SigningRequest, Decision]]:
    """Return the undecided requests of a cluster's own agent, and what the policy says."""
    selector = f"{names.CLUSTER_NAME_LABEL}={name_of(cluster)},!{names.ADDON_NAME_LABEL}"
    listed = await client.list(CERTIFICATE_SIGNING_REQUESTS, label_selector=selector)
    now = clock.now()
    # The person accepts the cluster now, so that an earlier denial does not count.
    facts = replace(cluster_facts(cluster, other_requests=(), now=now), accepted=True, denied=False)
    context = ApprovalContext(now=now, cluster=facts, operator_accepts=True)
    pending = []
    for obj in listed.items:
        seen = SigningRequest.from_csr(obj)
        if not seen.is_decided:
            pending.append((obj, seen, decide(seen, context)))
    return pending


def _choose(
    pending: Sequence[tuple[KubeObject, SigningRequest, Decision]],
    *,
    cluster: str,
    only: str | None,
) -> str | None:
    """Return which request the person means; None if none can be approved."""
    approvable = [seen for _, seen, decision in pending if isinstance(decision, Approve)]
    if only is not None:
        if any(seen.name == only for seen in approvable):
            return only
        reason = next(
            (decision.message for _, seen, decision in pending if seen.name == only),
            f"it is not among the pending requests of cluster {cluster!r}",
        )
        raise AcceptError(f"request {only!r} cannot be approved: {reason}")
    if len(approvable) > 1:
        listed = ", ".join(f"{seen.name} by {seen.username}" for seen in approvable)
        raise AcceptError(
            f"cluster {cluster!r} has {len(approvable)} pending requests, of which one may be an "
            f"impostor's: {listed}; name the right one with --request"
        )
    return approvable[0].name if approvable else None


async def _check_namespace(client: Client, cluster: str) -> None:
    """Refuse to accept into a namespace that is just being deleted, as OCM does."""
    namespace = await client.find(NAMESPACES, cluster)
    if namespace is not None and is_being_deleted(namespace):
        raise AcceptError(
            f"namespace {cluster!r} is being deleted; accept the cluster once it is gone"
        )
