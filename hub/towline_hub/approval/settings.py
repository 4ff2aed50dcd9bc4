"""The settings of a hub that say what it approves by itself, and what waits for a person."""

from collections.abc import Callable
from datetime import timedelta
from typing import Self

from pydantic import Field, field_validator, model_validator

from towline_api.duration_field import Duration
from towline_certs.approval import (
    LONGEST_LIFETIME,
    SHORTEST_LIFETIME,
    BootstrapPolicy,
    ManualApproval,
)
from towline_certs.bootstrap_identity import is_bound
from towline_certs.errors import IdentityError
from towline_certs.flood import FloodLimits
from towline_certs.identities import check_addon_name, check_cluster_name
from towline_certs.keys import KeyKind
from towline_certs.request_rules import is_kubernetes_signer
from towline_hub.approval.check_runner import CHECK_LIMIT
from towline_hub.approval.rules import ApprovalRules
from towline_hub.signers.settings import SignerSettings, check_signers
from towline_kube.settings import ProgramSettings

_EVERYBODY = frozenset({"system:authenticated", "system:unauthenticated"})
_LIMITS = FloodLimits()


class ApprovalSettings(ProgramSettings):
    """What a hub approves. Each setting here can only narrow what the built-in policy allows."""

    auto_approve_users: tuple[str, ...] = ()
    """Exact user names whose new clusters are accepted, and their requests approved, without a
    person. Nobody by default."""
    auto_approve_groups: tuple[str, ...] = ()
    """The same for everybody in one of these groups."""
    allowed_requesters: tuple[str, ...] = ()
    """Exact user names whose requests this hub approves by itself, of whatever kind; everybody
    else's wait for a person. By default there is no such list, and who asks is judged by the policy
    alone."""
    manual_clusters: tuple[str, ...] = ()
    """Clusters whose own requests wait for a person each time, renewals among them. None by
    default. A renewal nobody answers ends the cluster's connection when its certificate does."""
    manual_addons: tuple[str, ...] = ()
    """Add-ons whose requests wait for a person each time: `addon` on every cluster, or
    `cluster/addon` on one. None by default."""
    approve_signers: tuple[str, ...] = ()
    """Custom signers that somebody else plays, and for which this hub approves what an add-on is
    registered for. Those among `signers` need not be named here."""
    key_kinds: tuple[KeyKind, ...] = tuple(KeyKind)
    """Kinds of key a certificate may be for; by default all that are strong enough."""
    min_certificate_lifetime: Duration = SHORTEST_LIFETIME
    """Shortest lifetime a request may ask for; Kubernetes takes no shorter one than 10m."""
    max_certificate_lifetime: Duration = LONGEST_LIFETIME
    """Longest lifetime a request may ask for; by default a leap year, so that a signer's usual
    year fits."""
    max_pending_requests: int = Field(default=_LIMITS.max_pending, ge=1)
    """How many undecided requests of one identity (user name, cluster, add-on and signer) are
    looked at, the oldest first. Agents stop asking at 10 by themselves."""
    max_requests_per_hour: int = Field(default=_LIMITS.max_per_hour, ge=0)
    """How many requests of one identity are decided within an hour; 0 for no limit. The default is
    several times what renewing the shortest certificates takes."""
    approval_checks: tuple[str, ...] = ()
    """Checks of your own, by the names of their entry points in the group towline.approval_checks,
    in the order in which they are asked. None by default, whatever is installed."""
    approval_check_limit: Duration = Field(default=CHECK_LIMIT, gt=timedelta(0))
    """How long one of them may take before the request is left alone until a later try."""
    signers: tuple[SignerSettings, ...] = ()
    """Custom signers this hub plays, each with an authority in a Secret; in the settings file a
    list of mappings, as flag or variable the same as JSON. Requests for them are approved as others
    are."""

    @field_validator("signers")
    @classmethod
    def _signers_go_together(
        cls, signers: tuple[SignerSettings, ...]
    ) -> tuple[SignerSettings, ...]:
        return check_signers(signers)

    @field_validator("auto_approve_groups")
    @classmethod
    def _is_not_everybody(cls, groups: tuple[str, ...]) -> tuple[str, ...]:
        for group in groups:
            if group in _EVERYBODY:
                raise ValueError(f"{group!r} is everybody; name the group of bootstrap identities")
            if is_bound([group]):
                raise ValueError(f"{group!r} is for one cluster, which needs no setting")
        return groups

    @field_validator("manual_clusters")
    @classmethod
    def _are_cluster_names(cls, clusters: tuple[str, ...]) -> tuple[str, ...]:
        for cluster in clusters:
            _check(check_cluster_name, cluster)
        return clusters

    @field_validator("manual_addons")
    @classmethod
    def _are_addons(cls, addons: tuple[str, ...]) -> tuple[str, ...]:
        for addon in addons:
            cluster, slash, name = addon.rpartition("/")
            if slash:
                _check(check_cluster_name, cluster)
            _check(check_addon_name, name)
        return addons

    @field_validator("approve_signers")
    @classmethod
    def _are_custom_signers(cls, signers: tuple[str, ...]) -> tuple[str, ...]:
        for signer in signers:
            if "/" not in signer:
                raise ValueError(f"{signer!r} is no signer's name, expected 'example.com/name'")
            if is_kubernetes_signer(signer):
                raise ValueError(f"{signer!r} is Kubernetes' own, and not for add-ons to use")
        return signers

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min_certificate_lifetime > self.max_certificate_lifetime:
            raise ValueError("min_certificate_lifetime is longer than max_certificate_lifetime")
        return self

    @property
    def approves_for_others(self) -> bool:
        """Whether requests for custom signers are approved that somebody else plays."""
        return bool(set(self.approve_signers) - {signer.signer_name for signer in self.signers})

    @property
    def approval_rules(self) -> ApprovalRules:
        """What the approval policy is told."""
        own_signers = frozenset(signer.signer_name for signer in self.signers)
        return ApprovalRules(
            bootstrap=BootstrapPolicy(
                users=frozenset(self.auto_approve_users), groups=frozenset(self.auto_approve_groups)
            ),
            manual=ManualApproval(
                clusters=frozenset(self.manual_clusters),
                addons=frozenset(self.manual_addons),
                requesters=frozenset(self.allowed_requesters),
            ),
            signers=own_signers | frozenset(self.approve_signers),
            own_signers=own_signers,
            limits=FloodLimits(self.max_pending_requests, self.max_requests_per_hour),
            key_kinds=frozenset(self.key_kinds),
            min_lifetime=self.min_certificate_lifetime,
            max_lifetime=self.max_certificate_lifetime,
        )


def _check(check: Callable[[str], None], name: str) -> None:
    try:
        check(name)
    except IdentityError as error:
        raise ValueError(str(error)) from error
