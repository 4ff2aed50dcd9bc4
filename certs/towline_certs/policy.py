"""The approval policy: which certificate requests are approved, denied or left alone, and why.

The tables below are the policy, in the order in which it is applied: the first rule with an opinion
decides. A rule that approves stands last, after everything that can speak against it.

The promise: whatever is approved names exactly the identity its requester is entitled to.
"""

from collections.abc import Callable, Sequence

from towline_api.names import KUBE_CLIENT_SIGNER
from towline_certs import addon_rules, cluster_rules, request_rules
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
    Reason,
)
from towline_certs.approval_case import Case, find_agent, open_case
from towline_certs.errors import RequestError
from towline_certs.identities import ClusterIdentity
from towline_certs.requests import parse_request
from towline_certs.signing_requests import SigningRequest

Rule = Callable[[Case], Decision | None]

RULES_FOR_ALL: tuple[Rule, ...] = (
    request_rules.already_decided,
    request_rules.without_cluster_label,
    request_rules.for_another_signer,
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
    cluster_rules.cluster_is_deleting,
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
    addon_rules.cluster_is_not_there,
    addon_rules.addon_is_not_there,
    addon_rules.not_registered,
    addon_rules.registered,
)


def decide(request: SigningRequest, context: ApprovalContext) -> Decision:
    """Return what to do about a certificate request.

    Args:
        request: The request object.
        context: What the hub knows around it.

    Returns:
        `Deny` for what claims to be ours and is malformed or hostile, `Ignore` for what is not ours
        or cannot be approved as things stand, else `Approve`.
    """
    rules = CLUSTER_RULES if request.addon is None else ADDON_RULES
    return _first_opinion(open_case(request, context=context), rules)


def needs_access_review(request: SigningRequest) -> bool:
    """Return whether the requester's right to renew has to be asked for before `decide`.

    True for an undecided cluster request by an agent for its own name, so that a hub spends no
    access review on anything else.
    """
    if (
        request.is_decided
        or request.addon is not None
        or request.signer_name != KUBE_CLIENT_SIGNER
        or request.request_pem is None
    ):
        return False
    requester = find_agent(request.username)
    if not isinstance(requester, ClusterIdentity) or requester.cluster != request.cluster:
        return False
    try:
        return parse_request(request.request_pem).subject == requester.subject
    except RequestError:
        return False


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
    "Reason",
    "Rule",
    "SigningRequest",
    "decide",
    "needs_access_review",
]
