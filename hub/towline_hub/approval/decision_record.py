"""What the approver leaves behind: conditions, Events, counts, a log line for each outcome."""

import logging

from towline_api import names
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_certs.approval import Approve, Deny, Ignore, Reason
from towline_certs.signing_requests import SigningRequest
from towline_hub.metrics import HubMetrics
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.events import EventRecorder, EventType
from towline_kube.store import Change

log = logging.getLogger(__name__)

APPROVED_REASON = "AutoApprovedByHubCSRApprovingController"
"""As OCM writes it; tools look for it."""

_SILENT = frozenset({Reason.NOT_OURS, Reason.ALREADY_DECIDED})


class DecisionRecord:
    """Writes decisions down, each once.

    Args:
        client: Whom to ask.
        requests: The certificate requests.
        events: Tells people.
        metrics: Counts decisions.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        requests: Cache,
        events: EventRecorder,
        metrics: HubMetrics,
        clock: Clock,
    ) -> None:
        self._client = client
        self._events = events
        self._metrics = metrics
        self._clock = clock
        # What was last said about a request that is left alone, so that it is said once.
        self._said: dict[str, tuple[Reason, str]] = {}
        requests.on_change(self._forget_gone)

    async def conclude(
        self, obj: KubeObject, request: SigningRequest, decision: Approve | Deny
    ) -> None:
        """Approve or deny a request for good."""
        approved = isinstance(decision, Approve)
        reason = APPROVED_REASON if approved else decision.reason.value
        await self._client.replace(
            CERTIFICATE_SIGNING_REQUESTS,
            decided(
                obj,
                condition="Approved" if approved else "Denied",
                reason=reason,
                message=decision.message,
                now=format_time(self._clock.now()),
            ),
            subresource="approval",
        )
        self._said.pop(request.name, None)
        self._count("approve" if approved else "deny", request, decision.reason)
        extra = _facts(obj, request) | {"reason": f"{decision.reason}: {decision.message}"}
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

    async def leave_alone(self, obj: KubeObject, request: SigningRequest, decision: Ignore) -> None:
        """Say, if it is news, why a request is left alone."""
        said = (decision.reason, decision.message)
        if decision.reason in _SILENT or self._said.get(request.name) == said:
            return
        self._said[request.name] = said
        self._count("ignore", request, decision.reason)
        log.info(
            "certificate request left alone",
            extra=_facts(obj, request) | {"reason": f"{decision.reason}: {decision.message}"},
        )
        await self._events.record(
            obj,
            reason=decision.reason.value,
            note=decision.message,
            type=EventType.WARNING,
            action="Wait",
        )

    def _count(self, outcome: str, request: SigningRequest, reason: Reason) -> None:
        waited = None
        if outcome != "ignore" and request.created is not None:
            waited = self._clock.now() - request.created
        self._metrics.decided(outcome, reason.value, kind=_kind_of(request), waited=waited)

    def _forget_gone(self, change: Change) -> None:
        if change.new is None:
            self._said.pop(change.key.name, None)


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
    status = obj.get("status") or {}
    conditions = [
        *(status.get("conditions") or ()),
        {
            "type": condition,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        },
    ]
    return {**obj, "status": {**status, "conditions": conditions}}


def _facts(obj: KubeObject, request: SigningRequest) -> dict[str, object]:
    facts: dict[str, object] = {"csr": request.name, "csr_uid": uid_or_none(obj)}
    if request.cluster:
        facts["cluster"] = request.cluster
    if request.addon:
        facts["addon"] = request.addon
    return facts


def _kind_of(request: SigningRequest) -> str:
    """Return what a metric says was asked for."""
    if request.addon is None:
        return "cluster"
    return "addon" if request.signer_name == names.KUBE_CLIENT_SIGNER else "custom-signer"
