"""`towline approve`: a person approves one request that waits for a person.

The person answers for whoever asks; everything about the request itself has to be right all the
same, and is checked by the very policy the hub goes by.
"""

import dataclasses
from dataclasses import dataclass

from towline_api.addon_codec import AddonCodec
from towline_api.errors import TowlineError
from towline_api.metadata import creation_time_of
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
)
from towline_certs.approval import (
    AddonFacts,
    ApprovalContext,
    Approve,
    ClusterFacts,
    Decision,
    Deny,
    Reason,
)
from towline_certs.policy import decide
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval.decision_record import APPROVED_REASON
from towline_hub.approval.facts import addon_facts, cluster_facts
from towline_hub.decisions.own_rights import Right, check_rights
from towline_hub.decisions.request_decisions import conclude_request
from towline_kube.addon_api import choose_codec
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden


class ApproveError(TowlineError):
    """A request cannot be approved; says why. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class ApproveReport:
    """What approving a request did.

    Args:
        request: Its name.
        requester: Who made it.
        cluster: Whose identity it asks for.
        addon: The add-on, if it is an add-on's.
        newly_approved: Whether it was undecided until now.
        message: On what grounds, in a sentence.
    """

    request: str
    requester: str
    cluster: str | None
    addon: str | None
    newly_approved: bool
    message: str


async def approve_request(
    client: Client,
    name: str,
    *,
    codec: AddonCodec | None = None,
    clock: Clock = SYSTEM_CLOCK,
) -> ApproveReport:
    """Approve a certificate request after the whole policy check.

    Safe to repeat.

    Args:
        client: Whom to ask, as a person who may approve requests of this signer.
        name: Name of the request.
        codec: Reads add-ons.
        clock: Where time comes from.

    Raises:
        ApproveError: There is no such request, it is decided otherwise, or the policy is against.
        MissingRightError: The person may not look at what the policy goes by, or not approve
            requests of its signer.
    """
    try:
        obj = await client.find(CERTIFICATE_SIGNING_REQUESTS, name)
    except Forbidden:
        # Whose signer and whose add-on's it is cannot be seen; all the rest is named at once.
        await check_rights(client, rights_to_approve_request(name), to="to approve a request")
        raise
    if obj is None:
        raise ApproveError(
            f"there is no certificate request {name!r}; `towline status` shows those that wait"
        )
    request = SigningRequest.from_csr(obj)
    if request.is_decided:
        found = ", ".join(sorted(request.decisions)).lower()
        if request.decisions != {"Approved"}:
            raise ApproveError(
                f"request {name} is {found}, which is final; its agent has to ask anew"
            )
        return _report(request, newly=False, message="it was approved before")
    rights = rights_to_approve_request(name, request)
    await check_rights(client, rights, to="to approve this request")
    codec = codec or await choose_codec(client)
    cluster, addon = await _look_up(client, request, codec=codec, clock=clock)
    decision = judge(request, cluster=cluster, addon=addon, clock=clock)
    if not isinstance(decision, Approve):
        verdict = "is hostile or broken" if isinstance(decision, Deny) else "cannot be approved"
        raise ApproveError(f"request {name} {verdict}: {decision.reason}: {decision.message}")
    await conclude_request(
        client,
        obj,
        condition="Approved",
        reason=APPROVED_REASON,
        message=decision.message,
        clock=clock,
    )
    return _report(request, newly=True, message=decision.message)


def rights_to_approve_request(name: str, request: SigningRequest | None = None) -> list[Right]:
    """Return what approving one request takes, with what the policy looks at.

    Args:
        name: Of the request.
        request: What it says; None if that could not be seen, when more rights may turn out to be
            needed.
    """
    seen = CERTIFICATE_SIGNING_REQUESTS
    cluster = request.cluster if request is not None else None
    rights = [
        Right("get", seen.plural, group=seen.group, name=name),
        Right("get", MANAGED_CLUSTERS.plural, group=MANAGED_CLUSTERS.group, name=cluster or ""),
    ]
    if request is None:
        return [*rights, _decide()]
    if cluster and request.addon:
        addons = MANAGED_CLUSTER_ADDONS
        rights.append(
            Right("get", addons.plural, group=addons.group, name=request.addon, namespace=cluster)
        )
    return [*rights, *rights_to_approve(request.signer_name)]


def rights_to_approve(signer: str) -> list[Right]:
    """Return what writing an approval takes, of any request of a signer."""
    group = CERTIFICATE_SIGNING_REQUESTS.group
    return [
        _decide(),
        Right("approve", "signers", group=group, name=signer),
    ]


def _decide() -> Right:
    requests = CERTIFICATE_SIGNING_REQUESTS
    return Right("update", requests.plural, group=requests.group, subresource="approval")


def judge(
    request: SigningRequest,
    *,
    cluster: ClusterFacts | None,
    addon: AddonFacts | None,
    clock: Clock,
) -> Decision:
    """Return what the policy says of a request whose requester a person answers for.

    Args:
        request: The request.
        cluster: What is known of the cluster it names; None if there is none.
        addon: What is known of the add-on it names; None if there is none.
        clock: Where time comes from.

    Raises:
        ApproveError: The cluster is not accepted: that takes more than a request.
    """
    if cluster is not None and request.addon is None and not cluster.deleting:
        _check_accepted(cluster, request)
    decision = decide(
        request,
        ApprovalContext(
            now=clock.now(),
            cluster=cluster,
            addon=addon,
            operator_accepts=True,
            # Whoever may approve for a signer answers for that, too.
            signers=frozenset({request.signer_name}),
        ),
    )
    if isinstance(decision, Approve) and cluster is None:
        raise ApproveError(
            f"request {request.name} cannot be approved: {Reason.CLUSTER_NOT_FOUND}: there is no "
            f"ManagedCluster {request.cluster!r}; its agent creates it"
        )
    return decision


def _check_accepted(cluster: ClusterFacts, request: SigningRequest) -> None:
    if cluster.accepted and not cluster.denied:
        return
    raise ApproveError(
        f"request {request.name} cannot be approved: {Reason.CLUSTER_NOT_ACCEPTED}: cluster "
        f"{request.cluster!r} is {'denied' if cluster.denied else 'not accepted'}; "
        f"`towline accept {request.cluster} --request {request.name}` accepts it and approves this"
    )


async def _look_up(
    client: Client, request: SigningRequest, *, codec: AddonCodec, clock: Clock
) -> tuple[ClusterFacts | None, AddonFacts | None]:
    cluster = await _find(client, request.cluster)
    if cluster is None or request.cluster is None:
        return None, None
    # Others' requests tell whether a name is taken, which the person answers for.
    facts = cluster_facts(cluster, other_requests=(), now=clock.now())
    if request.addon is None:
        return dataclasses.replace(facts, has_live_identity=False), None
    addon = await client.find(
        codec.managed_cluster_addons, request.addon, namespace=request.cluster
    )
    if addon is None:
        return facts, None
    return facts, addon_facts(codec.decode_addon(addon), created=creation_time_of(addon))


async def _find(client: Client, cluster: str | None) -> KubeObject | None:
    return None if cluster is None else await client.find(MANAGED_CLUSTERS, cluster)


def _report(request: SigningRequest, *, newly: bool, message: str) -> ApproveReport:
    return ApproveReport(
        request.name, request.username, request.cluster, request.addon, newly, message
    )
