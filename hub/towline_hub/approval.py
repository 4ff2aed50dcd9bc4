"""The approver: looks at each certificate request, and carries out what the policy decides.

Every outcome leaves a trace where an operator looks: a condition on the request if it was approved
or denied, an Event about it and one log line in any case. A request that is left alone is looked at
again when its cluster or its add-on changes.
"""

import copy
import logging
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.metadata import name_of, namespace_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, REGISTER_GROUP, KubeObject
from towline_api.timestamps import format_time
from towline_certs.approval import (
    LONGEST_LIFETIME,
    SHORTEST_LIFETIME,
    ApprovalContext,
    Approve,
    BootstrapPolicy,
    Decision,
    Deny,
    Ignore,
    Reason,
)
from towline_certs.keys import KeyKind
from towline_certs.policy import decide, needs_access_review
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval_facts import addon_facts, cluster_facts
from towline_hub.automatic_acceptance import AutomaticAcceptance
from towline_hub.caches import BY_CLUSTER, HubCaches, HubViews
from towline_hub.live_identity import reported_expiry
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.events import EventRecorder, EventType
from towline_kube.store import Change

log = logging.getLogger(__name__)

APPROVED_REASON = "AutoApprovedByHubCSRApprovingController"
"""As OCM writes it; tools look for it."""

_SILENT = frozenset({Reason.NOT_OURS, Reason.ALREADY_DECIDED})
_NOT_THERE_YET = frozenset(
    {Reason.CLUSTER_NOT_FOUND, Reason.ADDON_NOT_FOUND, Reason.NOT_REGISTERED}
)
_SETTLING = timedelta(seconds=2)
"""An agent creates its cluster and then its request, and they reach us by different watches; what
a fresh request misses is likely on its way, and not worth an Event."""
_RENEWAL_RECHECK = timedelta(seconds=30)
"""RBAC that was repaired sends us no notice, so a refused renewal is asked about again."""


NOBODY = BootstrapPolicy()
"""The default: every new cluster waits for a person."""


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """What the operator allows.

    Args:
        bootstrap: Whose requests bring a new cluster in without a person.
        key_kinds: Kinds of key a certificate may be for.
        min_lifetime: Shortest lifetime that may be asked for.
        max_lifetime: Longest lifetime that may be asked for.
    """

    bootstrap: BootstrapPolicy = NOBODY
    key_kinds: frozenset[KeyKind] = frozenset(KeyKind)
    min_lifetime: timedelta = SHORTEST_LIFETIME
    max_lifetime: timedelta = LONGEST_LIFETIME


class Approver:
    """Reconciles one certificate request at a time, by name."""

    def __init__(
        self,
        client: Client,
        *,
        caches: HubCaches,
        views: HubViews,
        events: EventRecorder,
        codec: AddonCodec,
        rules: ApprovalRules,
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._events = events
        self._codec = codec
        self._rules = rules
        self._clock = clock
        self._acceptance = AutomaticAcceptance(client, clusters=views.clusters, clock=clock)
        # What was last said about a request that is left alone, so that it is said once.
        self._said: dict[str, tuple[Reason, str]] = {}
        caches.requests.on_change(self._forget_gone)

    def requests_of_cluster(self, cluster: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedCluster changed."""
        return self._undecided(name_of(cluster))

    def requests_of_addon(self, addon: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedClusterAddOn changed."""
        return self._undecided(namespace_of(addon) or "")

    def _undecided(self, cluster: str) -> list[str]:
        return [
            name_of(obj)
            for obj in self._caches.requests.by_index(BY_CLUSTER, cluster)
            if not SigningRequest.from_csr(obj).is_decided
        ]

    async def reconcile(self, name: str) -> Result:
        """Decide about one request, unless somebody has."""
        obj = self._caches.requests.find(name)
        if obj is None:
            return DONE
        request = SigningRequest.from_csr(obj)
        if request.is_decided:
            return DONE
        decision = await self._decide(request)
        if (
            isinstance(decision, Approve)
            and decision.reason is Reason.CLUSTER_BOOTSTRAP
            and request.cluster is not None
        ):
            decision = await self._acceptance.admit(request.cluster, decision)
        match decision:
            case Approve():
                await self._conclude(obj, request, decision, condition="Approved")
            case Deny():
                await self._conclude(obj, request, decision, condition="Denied")
            case Ignore():
                if decision.reason in _NOT_THERE_YET and self._is_fresh(request):
                    return Result(look_again_in=_SETTLING)
                await self._leave_alone(obj, request, decision)
                return self._look_again(request, decision)
        return DONE

    async def _decide(self, request: SigningRequest) -> Decision:
        if request.cluster is not None and request.signer_name != names.KUBE_CLIENT_SIGNER:
            return Ignore(
                Reason.SIGNER_NOT_SERVED,
                f"this hub approves for signer {names.KUBE_CLIENT_SIGNER!r} only; the request is "
                f"for {request.signer_name!r}",
            )
        may_renew = None
        if needs_access_review(request):
            may_renew = await self._may_renew(request)
        return decide(request, self._context(request, may_renew=may_renew))

    def _context(self, request: SigningRequest, *, may_renew: bool | None) -> ApprovalContext:
        now = self._clock.now()
        rules = self._rules
        context = ApprovalContext(
            now=now,
            bootstrap=rules.bootstrap,
            may_renew=may_renew,
            key_kinds=rules.key_kinds,
            min_lifetime=rules.min_lifetime,
            max_lifetime=rules.max_lifetime,
        )
        cluster = self._views.clusters.find(request.cluster) if request.cluster else None
        if cluster is None or request.cluster is None:
            return context
        facts = cluster_facts(
            cluster,
            other_requests=[
                other
                for other in self._caches.requests.by_index(BY_CLUSTER, request.cluster)
                if name_of(other) != request.name
            ],
            now=now,
        )
        addon = self._views.addons.find(request.addon, request.cluster) if request.addon else None
        return replace(
            context,
            cluster=facts,
            addon=addon_facts(self._codec.decode_addon(addon)) if addon is not None else None,
        )

    async def _may_renew(self, request: SigningRequest) -> bool:
        """Ask the API server whether the requester holds the right to renew."""
        return await self._client.review_access(
            user=request.username,
            groups=request.groups,
            uid=request.uid,
            extra=request.extra,
            verb="renew",
            group=REGISTER_GROUP,
            resource="managedclusters",
            subresource="clientcertificates",
        )

    async def _conclude(
        self,
        obj: KubeObject,
        request: SigningRequest,
        decision: Approve | Deny,
        *,
        condition: str,
    ) -> None:
        approved = isinstance(decision, Approve)
        reason = APPROVED_REASON if approved else decision.reason.value
        await self._client.replace(
            CERTIFICATE_SIGNING_REQUESTS,
            decided(
                obj,
                condition=condition,
                reason=reason,
                message=decision.message,
                now=format_time(self._clock.now()),
            ),
            subresource="approval",
        )
        self._said.pop(request.name, None)
        extra = self._facts(request) | {"reason": f"{decision.reason}: {decision.message}"}
        if approved:
            log.info("certificate request approved", extra=extra)
        else:
            log.warning("certificate request denied", extra=extra)
        await self._events.record(
            obj,
            reason=decision.reason.value,
            note=decision.message,
            type=EventType.NORMAL if approved else EventType.WARNING,
            action="Approve" if approved else "Deny",
        )

    async def _leave_alone(
        self, obj: KubeObject, request: SigningRequest, decision: Ignore
    ) -> None:
        said = (decision.reason, decision.message)
        if decision.reason in _SILENT or self._said.get(request.name) == said:
            return
        self._said[request.name] = said
        log.info(
            "certificate request left alone",
            extra=self._facts(request) | {"reason": f"{decision.reason}: {decision.message}"},
        )
        await self._events.record(
            obj,
            reason=decision.reason.value,
            note=decision.message,
            type=EventType.WARNING,
            action="Wait",
        )

    def _look_again(self, request: SigningRequest, decision: Ignore) -> Result:
        """Return when time alone, of which no watch tells, may change the decision."""
        if decision.reason is Reason.RENEWAL_NOT_ALLOWED:
            return Result(look_again_in=_RENEWAL_RECHECK)
        cluster = self._views.clusters.find(request.cluster) if request.cluster else None
        expiry = reported_expiry(cluster) if cluster is not None else None
        if decision.reason is Reason.WAITING_FOR_OPERATOR and expiry is not None:
            left = expiry - self._clock.now() + timedelta(seconds=1)
            if left > timedelta():
                return Result(look_again_in=left)
        return DONE

    def _is_fresh(self, request: SigningRequest) -> bool:
        return request.created is not None and self._clock.now() - request.created < _SETTLING

    def _facts(self, request: SigningRequest) -> dict[str, str]:
        facts = {"csr": request.name}
        if request.cluster:
            facts["cluster"] = request.cluster
        if request.addon:
            facts["addon"] = request.addon
        return facts

    def _forget_gone(self, change: Change) -> None:
        if change.new is None:
            self._said.pop(change.key.name, None)


def decided(obj: KubeObject, *, condition: str, reason: str, message: str, now: str) -> KubeObject:
    """Return a certificate request with the condition that decides it.

    Args:
        obj: The request; not changed.
        condition: `Approved` or `Denied`.
        reason: One word.
        message: One line: who asked, and why this was decided.
        now: The present, as the API writes it.
    """
    body = copy.deepcopy(obj)
    conditions = body.setdefault("status", {}).setdefault("conditions", [])
    conditions.append(
        {
            "type": condition,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
    )
    return body
