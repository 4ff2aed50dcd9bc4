"""The approver: looks at each certificate request, and carries out what the policy decides.

Every outcome leaves a trace where an operator looks: a condition on the request if it was approved
or denied, an Event about it and one log line in any case. A request that is left alone is looked at
again when its cluster or its add-on changes.
"""

import copy
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.metadata import annotations_of, creation_time_of, labels_of, name_of, namespace_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, REGISTER_GROUP, KubeObject
from towline_api.timestamps import format_time
from towline_certs.approval import (
    ADMITTING_REASONS,
    AddonFacts,
    ApprovalContext,
    Approve,
    ClusterFacts,
    Decision,
    Deny,
    Ignore,
    Reason,
)
from towline_certs.policy import OpenedRequest, decide
from towline_certs.signing_requests import SigningRequest
from towline_hub.approval_checks import CheckedRequest
from towline_hub.approval_facts import addon_facts, cluster_facts
from towline_hub.approval_rules import ApprovalRules
from towline_hub.automatic_acceptance import AutomaticAcceptance
from towline_hub.caches import BY_APPROVED, AddonCaches, AddonViews
from towline_hub.check_runner import CheckRunner
from towline_hub.former_certificates import former_expiry
from towline_hub.metrics import HubMetrics
from towline_hub.name_claims import NameClaims
from towline_hub.opened_requests import OpenedRequests
from towline_hub.own_writes import FreshView
from towline_hub.request_lines import RequestLines
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.events import EventRecorder, EventType
from towline_kube.log_context import log_context
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
_CHECK_RETRIES = Backoff(first=timedelta(seconds=2), limit=timedelta(minutes=5))
_LONGEST_WAIT = timedelta(days=1)
"""Kubernetes removes a request nobody decided about after a day."""


class Approver:
    """Reconciles one certificate request at a time, by name.

    Args:
        client: Whom to ask.
        caches: What exists.
        views: The same, with our own latest writes.
        namespaces: The clusters' namespaces; None where clusters' own requests are not looked at.
        events: Tells people.
        codec: Reads add-ons.
        rules: What the operator allows.
        checks: The operator's own checks.
        metrics: Counts decisions.
        wake: Has a request looked at again, of which no change of its own will tell.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        caches: AddonCaches,
        views: AddonViews,
        namespaces: FreshView | None,
        events: EventRecorder,
        codec: AddonCodec,
        rules: ApprovalRules,
        checks: CheckRunner,
        metrics: HubMetrics,
        wake: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._caches = caches
        self._views = views
        self._namespaces = namespaces
        self._events = events
        self._codec = codec
        self._rules = rules
        self._checks = checks
        self._metrics = metrics
        self._wake = wake
        self._clock = clock
        self._acceptance = AutomaticAcceptance(client, clusters=views.clusters, clock=clock)
        self._lines = RequestLines(caches.requests, limits=rules.limits, wake=wake)
        self._claims = NameClaims(caches.requests)
        self._opened = OpenedRequests(caches.requests)
        # What was last said about a request that is left alone, so that it is said once.
        self._said: dict[str, tuple[Reason, str]] = {}
        self._failed_checks: dict[str, int] = {}
        caches.requests.on_change(self._forget_gone)

    def requests_of_cluster(self, cluster: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedCluster changed."""
        return self._lines.in_line(name_of(cluster))

    def requests_of_addon(self, addon: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedClusterAddOn changed."""
        return self._lines.in_line(namespace_of(addon) or "")

    async def reconcile(self, name: str) -> Result:
        """Decide about one request, unless somebody has."""
        obj = self._caches.requests.find(name)
        if obj is None:
            return DONE
        request = SigningRequest.from_csr(obj)
        if request.is_decided:
            return DONE
        with log_context(csr_uid=uid_or_none(obj)):
            decision = await self._decide(obj, self._opened.of(request))
            try:
                return await self._carry_out(obj, request, decision)
            except BaseException:
                self._give_name_up(request)
                raise

    async def _carry_out(
        self, obj: KubeObject, request: SigningRequest, decision: Decision
    ) -> Result:
        if (
            isinstance(decision, Approve)
            and decision.reason in ADMITTING_REASONS
            and request.cluster is not None
        ):
            decision = await self._acceptance.admit(request.cluster, decision)
        match decision:
            case Approve():
                await self._conclude(obj, request, decision, condition="Approved")
                return DONE
            case Deny():
                self._give_name_up(request)
                await self._conclude(obj, request, decision, condition="Denied")
                return DONE
            case Ignore():
                self._give_name_up(request)
                if decision.reason in _NOT_THERE_YET and self._is_fresh(request):
                    return Result(look_again_in=_SETTLING)
                await self._leave_alone(obj, request, decision)
                return self._look_again(request, decision)

    async def _decide(self, obj: KubeObject, opened: OpenedRequest) -> Decision:
        request = opened.request
        context = self._context(request)
        decision = decide(opened, context)
        may_renew: bool | None = None
        if decision.reason is Reason.WAITING_FOR_ACCESS_REVIEW:
            may_renew = await self._may_renew(request)
            decision = decide(opened, replace(self._context(request), may_renew=may_renew))
        if isinstance(decision, Approve) and self._checks:
            decision = (
                await self._checks.review(self._checked(obj, opened, decision))
                # Meanwhile the world may have changed.
                or decide(opened, replace(self._context(request), may_renew=may_renew))
            )
        if (
            isinstance(decision, Approve)
            and decision.reason in ADMITTING_REASONS
            and request.cluster is not None
        ):
            # Nothing was waited for since the facts were gathered: nobody came between.
            self._claims.hold(request.cluster, request=request.name)
        return decision

    def _context(self, request: SigningRequest) -> ApprovalContext:
        return self._rules.context(
            now=self._clock.now(),
            traffic=self._lines.traffic(request),
            cluster=self._cluster_facts(request),
            addon=self._addon_facts(request),
        )

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
                for other in self._caches.requests.by_index(BY_APPROVED, request.cluster)
                if name_of(other) != request.name
            ],
            former_until=former_expiry(namespace, now=now),
            now=now,
        )
        if self._claims.is_held_by_another(request.cluster, than=request.name):
            return replace(facts, has_live_identity=True, live_until=None)
        return facts

    def _addon_facts(self, request: SigningRequest) -> AddonFacts | None:
        if request.cluster is None or request.addon is None:
            return None
        addon = self._views.addons.find(request.addon, request.cluster)
        if addon is None:
            return None
        return addon_facts(self._codec.decode_addon(addon), created=creation_time_of(addon))

    def _checked(self, obj: KubeObject, opened: OpenedRequest, decision: Approve) -> CheckedRequest:
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

    def _give_name_up(self, request: SigningRequest) -> None:
        """Let others have the cluster's name that the request does not get after all."""
        if request.cluster is None:
            return
        if self._claims.release(request.cluster, request=request.name):
            for name in self._lines.in_line(request.cluster):
                if name != request.name:
                    self._wake(name)

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
        self._forget(request.name)
        self._count("approve" if approved else "deny", request, decision.reason)
        extra = self._facts(obj, request) | {"reason": f"{decision.reason}: {decision.message}"}
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
        self._count("ignore", request, decision.reason)
        log.info(
            "certificate request left alone",
            extra=self._facts(obj, request) | {"reason": f"{decision.reason}: {decision.message}"},
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
        if decision.reason is Reason.CHECK_FAILED:
            failures = self._failed_checks.get(request.name, 0) + 1
            self._failed_checks[request.name] = failures
            delay = _CHECK_RETRIES.delay(failures, roll=random.random())  # noqa: S311 - spreads load
            return Result(look_again_in=delay)
        self._failed_checks.pop(request.name, None)
        if decision.reason is Reason.RENEWAL_NOT_ALLOWED:
            return Result(look_again_in=_RENEWAL_RECHECK)
        if decision.until is None:
            return DONE
        left = decision.until - self._clock.now() + timedelta(seconds=1)
        return Result(look_again_in=min(max(left, timedelta(seconds=1)), _LONGEST_WAIT))

    def _is_fresh(self, request: SigningRequest) -> bool:
        return request.created is not None and self._clock.now() - request.created < _SETTLING

    def _facts(self, obj: KubeObject, request: SigningRequest) -> dict[str, object]:
        facts: dict[str, object] = {"csr": request.name, "csr_uid": uid_or_none(obj)}
        if request.cluster:
            facts["cluster"] = request.cluster
        if request.addon:
            facts["addon"] = request.addon
        return facts

    def _count(self, outcome: str, request: SigningRequest, reason: Reason) -> None:
        waited = None
        if outcome != "ignore" and request.created is not None:
            waited = self._clock.now() - request.created
        self._metrics.decided(outcome, reason.value, kind=_kind_of(request), waited=waited)

    def _forget(self, name: str) -> None:
        self._said.pop(name, None)
        self._failed_checks.pop(name, None)

    def _forget_gone(self, change: Change) -> None:
        if change.new is None:
            self._forget(change.key.name)


def _kind_of(request: SigningRequest) -> str:
    """Return what a metric says was asked for."""
    if request.addon is None:
        return "cluster"
    return "addon" if request.signer_name == names.KUBE_CLIENT_SIGNER else "custom-signer"


def uid_or_none(obj: KubeObject) -> str | None:
    """Return the UID of a request, by which its lines in all logs are found."""
    uid = (obj.get("metadata") or {}).get("uid")
    return uid if isinstance(uid, str) else None


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
