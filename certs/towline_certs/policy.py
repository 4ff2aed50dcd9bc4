"""The approval policy: which certificate requests are approved, denied or left alone, and why.

The tables below are the policy, in the order in which it is applied: the first rule with an opinion
decides. A rule that approves stands last, after everything that can speak against it.

The promise: whatever is approved names exactly the identity its requester is entitled to.
"""

from collections.abc import Callable, Sequence

from towline_certs import addon_rules, cluster_rules, flood_rules, request_rules
from towline_certs.approval import (
    AddonFacts,
    ApprovalContext,
    Approve,
    BootstrapPolicy,
    ClusterFacts,
    Decision,
    Deny,
    ExpectedRegistration,
    Ignore,
    ManualApproval,
    Reason,
)
from towline_certs.approval_case import Case, OpenedRequest, open_case
from towline_certs.signing_requests import SigningRequest

Rule = Callable[[Case], Decision | None]

RULES_FOR_ALL: tuple[Rule, ...] = (
    request_rules.already_decided,
    request_rules.nothing_of_ours,
    request_rules.for_another_signer,
    flood_rules.too_many_pending,
    flood_rules.too_many_per_hour,
    request_rules.unlabelled_for_another,
    request_rules.labels_are_no_names,
    request_rules.request_unreadable,
    request_rules.possession_not_proven,
    request_rules.subject_not_plain,
    request_rules.key_not_allowed,
    request_rules.usages_not_allowed,
    request_rules.asks_for_authority,
    request_rules.extensions_not_allowed,
    request_rules.lifetime_out_of_bounds,
    request_rules.names_another_cluster,
)

CLUSTER_RULES: tuple[Rule, ...] = (
    *RULES_FOR_ALL,
    cluster_rules.subject_is_no_cluster_identity,
    cluster_rules.names_on_a_cluster_request,
    cluster_rules.asked_by_an_agent_of_another,
    cluster_rules.bound_to_another,
    cluster_rules.older_than_removal,
    cluster_rules.cluster_is_deleting,
    cluster_rules.cluster_is_manual,
    cluster_rules.renewal,
    cluster_rules.operator_accepted,
    cluster_rules.bootstrap_by_a_stranger,
    cluster_rules.bootstrap_of_a_known_cluster,
    cluster_rules.bootstrap,
)

ADDON_RULES: tuple[Rule, ...] = (
    *RULES_FOR_ALL,
    addon_rules.asked_by_somebody_else,
    addon_rules.subject_is_no_addon_identity,
    addon_rules.names_of_an_addon_request,
    cluster_rules.older_than_removal,
    addon_rules.cluster_is_not_there,
    addon_rules.addon_is_not_there,
    addon_rules.older_than_addon,
    addon_rules.not_registered,
    addon_rules.addon_is_manual,
    addon_rules.registered,
)


def decide(request: SigningRequest | OpenedRequest, context: ApprovalContext) -> Decision:
    """Return what to do about a certificate request.

    Args:
        request: The request object; opened, if it will be decided about more than once.
        context: What the hub knows around it.

    Returns:
        `Deny` for what claims to be ours and is malformed or hostile, `Ignore` for what is not ours
        or cannot be approved as things stand, else `Approve`.
    """
    case = open_case(request, context=context)
    return _first_opinion(case, CLUSTER_RULES if case.request.addon is None else ADDON_RULES)


def _first_opinion(case: Case, rules: Sequence[Rule]) -> Decision:
    opinions = (rule(case) for rule in rules)
    decision = next((opinion for opinion in opinions if opinion is not None), None)
    if decision is None:
        # Both tables end with a rule that always has an opinion; a shortened one approves nothing.
        return Ignore(Reason.NOT_OURS, "no rule applies to the request")
    return decision


__all__ = [
    "ADDON_RULES",
    "CLUSTER_RULES",
    "AddonFacts",
    "ApprovalContext",
    "Approve",
    "BootstrapPolicy",
    "ClusterFacts",
    "Decision",
    "Deny",
    "ExpectedRegistration",
    "Ignore",
    "ManualApproval",
    "OpenedRequest",
    "Reason",
    "Rule",
    "SigningRequest",
    "decide",
]
