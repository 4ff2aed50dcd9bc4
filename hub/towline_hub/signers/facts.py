"""What a signer is told about a request it judges: the facts that the approval was made from."""

from collections.abc import Mapping
from datetime import datetime

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import creation_time_of
from towline_certs.approval import ApprovalContext
from towline_certs.flood import NO_TRAFFIC
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.facts import addon_facts, cluster_facts
from towline_hub.approval.rules import ApprovalRules
from towline_hub.caches import AddonViews


def signing_context(
    request: SigningRequest,
    *,
    views: AddonViews,
    codec: AddonCodec,
    rules: ApprovalRules,
    declarations: Mapping[str, AddonDeclaration],
    now: datetime,
) -> ApprovalContext:
    """Return the facts about the cluster and the add-on that a request names.

    How often somebody asked is left out: that was the approver's to weigh.

    Args:
        request: The request.
        views: What exists.
        codec: How the API version in use writes add-ons.
        rules: What the operator allows.
        declarations: What add-ons are declared to be, by name.
        now: The present.
    """
    cluster = views.clusters.find(request.cluster) if request.cluster else None
    addon = views.addons.find(request.addon, request.cluster) if request.addon else None
    return rules.context(
        now=now,
        traffic=NO_TRAFFIC,
        cluster=None if cluster is None else cluster_facts(cluster, other_requests=(), now=now),
        addon=None
        if addon is None
        else addon_facts(
            codec.decode_addon(addon),
            created=creation_time_of(addon),
            declaration=declarations.get(request.addon or ""),
            own_signers=rules.own_signers,
        ),
    )
