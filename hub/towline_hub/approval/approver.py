"""The approver: looks at each certificate request, and carries out what the policy decides.

Every outcome leaves a trace where an operator looks: a condition on the request if it was approved
or denied, an Event about it and one log line in any case. A request that is left alone is looked at
again when its cluster or its add-on changes.
"""

import random
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta

from towline_api.addon_codec import AddonCodec
from towline_api.metadata import name_of, namespace_of
from towline_api.resources import REGISTER_GROUP, KubeObject
from towline_certs.approval import ADMITTING_REASONS, Approve, Decision, Deny, Ignore, Reason
from towline_certs.policy import OpenedRequest, decide
from towline_certs.signing_requests import SigningRequest
from towline_hub.addons.declarations import AddonDeclaration
from towline_hub.approval.automatic_acceptance import AutomaticAcceptance
from towline_hub.approval.check_runner import CheckRunner
from towline_hub.approval.decision_record import DecisionRecord, uid_or_none
from towline_hub.approval.opened_requests import OpenedRequests
from towline_hub.approval.rules import ApprovalRules
from towline_hub.approval.surroundings import RequestSurroundings
from towline_hub.caches import AddonCaches, AddonViews
from towline_hub.metrics import HubMetrics
from towline_hub.own_writes import FreshView
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.events import EventRecorder
from towline_kube.log_context import log_context
from towline_kube.store import Change

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
        namespaces: All namespaces; None where clusters' own requests are not looked at.
        events: Tells people.
        codec: Reads add-ons.
        rules: What the operator allows.
        declarations: What add-ons are declared to be, by name.
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
        declarations: Mapping[str, AddonDeclaration],
        checks: CheckRunner,
        metrics: HubMetrics,
        wake: Callable[[str], None],
        clock: Clock,
    ) -> None:
        self._client = client
        self._requests = caches.requests
        self._clusters = views.clusters
        self._checks = checks
        self._wake = wake
        self._clock = clock
        self._acceptance = AutomaticAcceptance(
            client, clusters=views.clusters, namespaces=namespaces, clock=clock
        )
        self._around = RequestSurroundings(
            caches=caches,
            views=views,
            namespaces=namespaces,
            codec=codec,
            rules=rules,
            declarations=declarations,
            wake=wake,
            clock=clock,
        )
        self._record = DecisionRecord(
            client, requests=caches.requests, events=events, metrics=metrics, clock=clock
        )
        self._opened = OpenedRequests(caches.requests)
        self._failed_checks: dict[str, int] = {}
        caches.requests.on_change(self._forget_done)

    def requests_of_cluster(self, cluster: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedCluster changed."""
        return self._around.lines.in_line(name_of(cluster))

    def requests_of_addon(self, addon: KubeObject) -> Iterable[str]:
        """Return the requests to look at again when a ManagedClusterAddOn changed."""
        return self._around.lines.in_line(namespace_of(addon) or "")

    async def reconcile(self, name: str) -> Result:
        """Decide about one request, unless somebody has."""
        obj = self._requests.find(name)
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
                await self._record.conclude(obj, request, decision)
                return DONE
            case Deny():
                self._give_name_up(request)
                await self._record.conclude(obj, request, decision)
                return DONE
            case Ignore():
                self._give_name_up(request)
                if decision.reason in _NOT_THERE_YET and self._is_fresh(request):
                    return Result(look_again_in=_SETTLING)
                await self._record.leave_alone(obj, request, decision)
                return self._look_again(request, decision)

    async def _decide(self, obj: KubeObject, opened: OpenedRequest) -> Decision:
        request = opened.request
        decision = decide(opened, self._around.context(request))
        may_renew: bool | None = None
        if decision.reason is Reason.WAITING_FOR_ACCESS_REVIEW:
            may_renew = await self._may_renew(request)
            decision = decide(opened, self._around.context(request, may_renew=may_renew))
        if isinstance(decision, Approve) and self._checks:
            decision = (
                await self._checks.review(self._around.checked(obj, opened, decision))
                # Meanwhile the world may have changed.
                or decide(opened, self._around.context(request, may_renew=may_renew))
            )
        if (
            isinstance(decision, Approve)
            and decision.reason in ADMITTING_REASONS
            and request.cluster is not None
        ):
            # Nothing was waited for since the facts were gathered: nobody came between.
            self._around.claims.hold(request.cluster, request=request.name)
        return decision

    def _give_name_up(self, request: SigningRequest) -> None:
        """Let others have the cluster's name that the request does not get after all."""
        if request.cluster is None:
            return
        if self._around.claims.release(request.cluster, request=request.name):
            for name in self._around.lines.in_line(request.cluster):
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

    def _forget_done(self, change: Change) -> None:
        if change.new is None:
            self._failed_checks.pop(change.key.name, None)
