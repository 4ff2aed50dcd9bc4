"""What the operator allows, as the approver is told it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_certs.approval import (
    LONGEST_LIFETIME,
    NOTHING_MANUAL,
    SHORTEST_LIFETIME,
    AddonFacts,
    ApprovalContext,
    BootstrapPolicy,
    ClusterFacts,
    ManualApproval,
)
from towline_certs.flood import DEFAULT_LIMITS, FloodLimits, Traffic
from towline_certs.keys import KeyKind

NOBODY = BootstrapPolicy()
"""The default: every new cluster waits for a person."""


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """What the operator allows.

    Args:
        bootstrap: Whose requests bring a new cluster in without a person.
        manual: What waits for a person, however right it is.
        signers: Custom signers whose requests are approved here.
        own_signers: Those of them that this hub plays itself.
        limits: How many requests one identity may have.
        key_kinds: Kinds of key a certificate may be for.
        min_lifetime: Shortest lifetime that may be asked for.
        max_lifetime: Longest lifetime that may be asked for.
    """

    bootstrap: BootstrapPolicy = NOBODY
    manual: ManualApproval = NOTHING_MANUAL
    signers: frozenset[str] = frozenset()
    own_signers: frozenset[str] = frozenset()
    limits: FloodLimits = DEFAULT_LIMITS
    key_kinds: frozenset[KeyKind] = frozenset(KeyKind)
    min_lifetime: timedelta = SHORTEST_LIFETIME
    max_lifetime: timedelta = LONGEST_LIFETIME

    def context(
        self,
        *,
        now: datetime,
        traffic: Traffic,
        cluster: ClusterFacts | None,
        addon: AddonFacts | None,
    ) -> ApprovalContext:
        """Return what a decision depends on: these rules, and the facts of the moment."""
        return ApprovalContext(
            now=now,
            bootstrap=self.bootstrap,
            cluster=cluster,
            addon=addon,
            signers=self.signers,
            manual=self.manual,
            traffic=traffic,
            limits=self.limits,
            key_kinds=self.key_kinds,
            min_lifetime=self.min_lifetime,
            max_lifetime=self.max_lifetime,
        )
