"""The facts of the moment about one certificate request, gathered for the policy."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import annotations_of, creation_time_of, labels_of, name_of
from towline_api.resources import KubeObject
from towline_certs.approval import AddonFacts, ApprovalContext, Approve, ClusterFacts
from towline_certs.policy import OpenedRequest
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.checks import CheckedRequest
from towline_hub.approval.decision_record import uid_or_none
from towline_hub.approval.facts import addon_facts, cluster_facts
from towline_hub.approval.name_claims import NameClaims
from towline_hub.approval.request_lines import RequestLines
from towline_hub.approval.rules import ApprovalRules
from towline_hub.caches import BY_APPROVED, AddonCaches, AddonViews
from towline_hub.clusters.former_certificates import former_expiry
from towline_hub.own_writes import FreshView
from towline_kube.clock import Clock


class RequestSurroundings:
    """Everything outside a request that a decision about it depends on.

    Args:
        caches: What exists.
        views: The same, with our own latest writes.
        namespaces: All namespaces; None where clusters' own requests are not looked at.
        codec: Reads add-ons.
        rules: What the operator allows.
        declarations: What add-ons are declared to be, by name.
        wake: Has a request looked at again.
        clock: Where time comes from.
    """

    def __init__(
        self,
        *,
        caches: AddonCaches,
        views: AddonViews,
        namespaces: FreshView | None,
        codec: AddonCodec,
        rules: ApprovalRules,
        declarations: Mapping[str, AddonDeclaration],
        wake: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._requests = caches.requests
        self._views = views
        self._namespaces = namespaces
        self._codec = codec
        self._rules = rules
        self._declarations = declarations
        self._clock = clock
        self.lines = RequestLines(caches.requests, limits=rules.limits, wake=wake)
        self.claims = NameClaims(caches.requests)

    def context(self, request: SigningRequest, *, may_renew: bool | None = None) -> ApprovalContext:
        """Return what a decision about a request depends on, as of now."""
        context = self._rules.context(
            now=self._clock.now(),
            traffic=self.lines.traffic(request),
            cluster=self._cluster_facts(request),
            addon=self._addon_facts(request),
        )
        return context if may_renew is None else replace(context, may_renew=may_renew)

    def _cluster_facts(self, request: SigningRequest) -> ClusterFacts | None:
        if request.cluster is None:
            return None
        cluster = self._views.clusters.find(request.cluster)
        if cluster is None:
            return None
        now = self._clock.now()
        namespaces = self._namespaces
        namespace = None if namespaces is None else namespaces.find(request.cluster)
        facts = cluster_facts(
            cluster,
            other_requests=[
                other
                for other in self._requests.by_index(BY_APPROVED, request.cluster)
                if name_of(other) != request.name
            ],
            former_until=former_expiry(namespace, now=now),
            now=now,
        )
        if self.claims.is_held_by_another(request.cluster, than=request.name):
            return replace(facts, has_live_identity=True, live_until=None)
        return facts

    def _addon_facts(self, request: SigningRequest) -> AddonFacts | None:
        if request.cluster is None or request.addon is None:
            return None
        addon = self._views.addons.find(request.addon, request.cluster)
        if addon is None:
            return None
        return addon_facts(
            self._codec.decode_addon(addon),
            created=creation_time_of(addon),
            declaration=self._declarations.get(request.addon),
            own_signers=self._rules.own_signers,
        )

    def checked(self, obj: KubeObject, opened: OpenedRequest, decision: Approve) -> CheckedRequest:
        """Return what the operator's own checks are told of a request that would be approved."""
        request, parsed = opened.request, opened.parsed
        if parsed is None or opened.subject is None or request.cluster is None:
            raise LookupError("the policy approves only what it has read")
        cluster = self._views.clusters.find(request.cluster) or {}
        return CheckedRequest(
            name=request.name,
            uid=uid_or_none(obj) or "",
            created=request.created,
            username=request.username,
            groups=request.groups,
            cluster=request.cluster,
            addon=request.addon,
            signer_name=request.signer_name,
            subject=opened.subject,
            dns_names=parsed.alternative_names.dns_names,
            usages=request.usages,
            key_kind=parsed.key_kind,
            lifetime=request.lifetime,
            grounds=decision.reason,
            cluster_labels=MappingProxyType(dict(labels_of(cluster))),
            cluster_annotations=MappingProxyType(dict(annotations_of(cluster))),
        )
