"""`towline deny`: a person keeps a cluster out, or takes its acceptance back."""

from dataclasses import dataclass

from towline_api import names
from towline_api.errors import TowlineError
from towline_api.metadata import annotations_of, name_of, uid_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, MANAGED_CLUSTERS, KubeObject
from towline_certs.signing_requests import SigningRequest
from towline_hub.clusters.standing import accepts_client
from towline_hub.decisions.request_decisions import conclude_request
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden

DENIED_REASON = "DeniedByOperator"
_NO_REASON = "an operator denied it"


class DenyError(TowlineError):
    """There was nothing to deny under a name."""


@dataclass(frozen=True, slots=True)
class DenyReport:
    """What denying a cluster did.

    Args:
        cluster: The cluster.
        was_accepted: Whether it had been accepted until now; None if it is not registered.
        denied: Names of the requests that were denied.
        message: What was written beside the denials.
        left: Names of requests for signers that the person has no say about, which stay undecided.
            Without its acceptance nobody approves them.
    """

    cluster: str
    was_accepted: bool | None
    denied: tuple[str, ...]
    message: str
    left: tuple[str, ...] = ()


async def deny_cluster(
    client: Client, cluster: str, *, reason: str | None = None, clock: Clock = SYSTEM_CLOCK
) -> DenyReport:
    """Take a cluster's acceptance back, or keep it from being accepted, and deny its requests.

    Safe to repeat. The hub takes all rights of the cluster's agents back at once; it does not
    accept the cluster by itself again. `accept_cluster` undoes it.

    Args:
        client: Whom to ask, as a person who may change clusters and decide requests.
        cluster: Name of the ManagedCluster.
        reason: Why, in the person's words.
        clock: Where time comes from.

    Raises:
        DenyError: There is no such cluster, and nobody asks in its name.
    """
    message = reason or _NO_REASON
    live = await client.find(MANAGED_CLUSTERS, cluster)
    undecided = await _undecided(client, cluster)
    if live is None and not undecided:
        raise DenyError(
            f"there is no managed cluster {cluster!r} on this hub, and no request in its name; "
            "`towline status` shows those there are"
        )
    # The cluster first: the hub could approve a request that is denied too late.
    if live is not None:
        await _deny(client, live, message=message)
    denied, left = [], []
    for obj in undecided:
        try:
            await conclude_request(
                client,
                obj,
                condition="Denied",
                reason=DENIED_REASON,
                message=f"cluster {cluster!r} is denied: {message}",
                clock=clock,
            )
        except Forbidden:
            # Whoever may ask could name any signer there, and must not hold up the denial by it.
            left.append(name_of(obj))
        else:
            denied.append(name_of(obj))
    return DenyReport(
        cluster,
        was_accepted=None if live is None else accepts_client(live),
        denied=tuple(denied),
        message=message,
        left=tuple(left),
    )


async def _deny(client: Client, cluster: KubeObject, *, message: str) -> None:
    told = annotations_of(cluster).get(names.DENIAL_REASON_ANNOTATION)
    if not accepts_client(cluster) and told == message:
        return
    await client.patch(
        MANAGED_CLUSTERS,
        name_of(cluster),
        {
            "metadata": {
                # No version: whatever the agent writes meanwhile, a denial stands.
                "uid": uid_of(cluster),
                # Also tells a cluster that was denied from one that nobody decided about yet.
                "annotations": {names.DENIAL_REASON_ANNOTATION: message},
            },
            "spec": {"hubAcceptsClient": False},
        },
    )


async def _undecided(client: Client, cluster: str) -> list[KubeObject]:
    """Return the undecided requests that are labelled with a cluster, its add-ons' among them."""
    listed = await client.list(
        CERTIFICATE_SIGNING_REQUESTS, label_selector=f"{names.CLUSTER_NAME_LABEL}={cluster}"
    )
    return [obj for obj in listed.items if not SigningRequest.from_csr(obj).is_decided]
