"""The signer: issues certificates for approved requests that have none yet.

One pass looks at one request. What it writes is bound to the version it judged, and a request that
has a certificate is never touched again: however many hubs run, each request gets one certificate.
"""

import base64
import copy
import logging
from collections.abc import Callable, Collection
from datetime import timedelta
from enum import StrEnum

from towline_api.metadata import name_of, uid_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import format_time
from towline_certs.approval import ApprovalContext, Reason
from towline_certs.authority import CLIENT_ONLY
from towline_certs.certificates import parse_chain
from towline_certs.signing import Issue, Postpone, Refuse, judge
from towline_certs.signing_requests import SigningRequest
from towline_hub.metrics import HubMetrics
from towline_hub.signers.authorities import BACKDATE, SignerAuthorities
from towline_hub.signers.readiness import NotReady, Obstacle, Ready
from towline_hub.signers.settings import SignerSettings
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import DONE, Result
from towline_kube.events import EventRecorder, EventType
from towline_kube.store import Change

log = logging.getLogger(__name__)

FAILED = "Failed"
"""The condition by which a Kubernetes signer gives a request up for good."""
ISSUED_REASON = "CertificateIssued"

_UNREAD_RECHECK = timedelta(seconds=1)
_SETTLING = timedelta(seconds=2)
"""The request and the registration it is for reach us by different watches."""
_NOT_THERE_YET = frozenset(
    {Reason.CLUSTER_NOT_FOUND, Reason.ADDON_NOT_FOUND, Reason.NOT_REGISTERED}
)


class RequestSigner:
    """Reconciles one certificate request at a time, by name.

    Args:
        client: Whom to ask.
        requests: All certificate requests.
        authorities: What to sign with.
        context: Returns what the approval policy is told about a request.
        served: Names of the add-ons whose requests are signed; None for all.
        events: Tells what happened, on the request.
        metrics: Counts it.
        clock: Where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        requests: Cache,
        authorities: SignerAuthorities,
        context: Callable[[SigningRequest], ApprovalContext],
        events: EventRecorder,
        metrics: HubMetrics,
        clock: Clock,
        served: Collection[str] | None = None,
    ) -> None:
        self._client = client
        self._requests = requests
        self._authorities = authorities
        self._context = context
        self._served = served
        self._events = events
        self._metrics = metrics
        self._clock = clock
        # What was last said about a request that waits, so that it is said once.
        self._said: dict[str, tuple[str, str]] = {}
        requests.on_change(self._forget_gone)

    async def reconcile(self, name: str) -> Result:
        """Sign one request if it is approved, and nothing speaks against it."""
        obj = self._requests.find(name)
        if obj is None:
            return DONE
        request = SigningRequest.from_csr(obj)
        settings = self._authorities.settings_of(request.signer_name)
        if settings is None or not waits_for_signer(request):
            return DONE
        if self._served is not None and request.addon not in self._served:
            return DONE  # another program's, which may play the same signer
        match judge(request, self._context(request)):
            case Refuse() as refusal:
                await self._give_up(obj, request, refusal)
            case Postpone(reason=reason) as postponed:
                if reason in _NOT_THERE_YET and self._is_fresh(request):
                    return Result(look_again_in=_SETTLING)
                await self._wait(obj, request, postponed.reason, postponed.message)
            case Issue() as issue:
                return await self._sign(obj, request, issue, settings=settings)
        return DONE

    async def _sign(
        self, obj: KubeObject, request: SigningRequest, issue: Issue, *, settings: SignerSettings
    ) -> Result:
        match self._authorities.find(settings.signer_name):
            case NotReady(reason=Obstacle.NOT_READ):
                return Result(look_again_in=_UNREAD_RECHECK)
            case NotReady(reason=reason, message=message):
                await self._wait(obj, request, reason, message)
                return DONE
            case Ready(authority=authority):
                certificate = authority.issue(
                    issue.public_key,
                    subject=issue.identity.subject,
                    now=self._clock.now(),
                    lifetime=min(request.lifetime or settings.lifetime, settings.lifetime),
                    dns_names=issue.dns_names,
                    usages=CLIENT_ONLY | (issue.usages & settings.extended_usages),
                    backdate=BACKDATE,
                )
                await self._store(obj, request, certificate + authority.intermediates_pem)
        return DONE

    async def _store(self, obj: KubeObject, request: SigningRequest, chain_pem: bytes) -> None:
        body = copy.deepcopy(obj)
        body.setdefault("status", {})["certificate"] = base64.b64encode(chain_pem).decode("ascii")
        await self._client.replace(CERTIFICATE_SIGNING_REQUESTS, body, subresource="status")
        self._said.pop(request.name, None)
        self._metrics.certificate_signed(request.signer_name)
        leaf = parse_chain(chain_pem)[0]
        ends = format_time(leaf.not_valid_after_utc)
        text = f"signer {request.signer_name} issued a certificate that ends at {ends}"
        log.info(
            "certificate issued",
            extra=_facts(obj, request)
            | {"not_after": ends, "reason": f"serial {leaf.serial_number:x}"},
        )
        await self._events.record(obj, reason=ISSUED_REASON, note=text, action="Sign")

    async def _give_up(self, obj: KubeObject, request: SigningRequest, refusal: Refuse) -> None:
        """Say for good that this will never be signed.

        The requester learns it at once, instead of waiting until Kubernetes removes the request.
        """
        message = f"approved, but never to be signed: {refusal.message}"
        await self._client.replace(
            CERTIFICATE_SIGNING_REQUESTS,
            failed(
                obj,
                reason=refusal.reason.value,
                message=message,
                now=format_time(self._clock.now()),
            ),
            subresource="status",
        )
        self._said.pop(request.name, None)
        self._metrics.certificate_refused(request.signer_name, refusal.reason.value)
        log.warning(
            "approved certificate request failed",
            extra=_facts(obj, request) | {"reason": f"{refusal.reason}: {refusal.message}"},
        )
        await self._events.record(
            obj,
            reason=refusal.reason.value,
            note=message,
            action="Sign",
            type=EventType.WARNING,
        )

    async def _wait(
        self, obj: KubeObject, request: SigningRequest, reason: StrEnum, message: str
    ) -> None:
        said = (reason.value, message)
        if self._said.get(request.name) == said:
            return
        self._said[request.name] = said
        # A rotation that goes as planned is no trouble.
        is_trouble = reason is not Obstacle.NOT_PUBLISHED_YET
        if is_trouble:
            self._metrics.certificate_refused(request.signer_name, reason.value)
        log.log(
            logging.WARNING if is_trouble else logging.INFO,
            "approved certificate request not signed yet",
            extra=_facts(obj, request) | {"reason": f"{reason}: {message}"},
        )
        await self._events.record(
            obj,
            reason=reason.value,
            note=f"approved, and not signed yet: {message}",
            action="Wait",
            type=EventType.WARNING if is_trouble else EventType.NORMAL,
        )

    def _is_fresh(self, request: SigningRequest) -> bool:
        return request.created is not None and self._clock.now() - request.created < _SETTLING

    def _forget_gone(self, change: Change) -> None:
        if change.new is None:
            self._said.pop(change.key.name, None)


def waits_for_signer(request: SigningRequest) -> bool:
    """Return whether a request is approved, by nobody denied, and neither signed nor given up."""
    return request.decisions == {"Approved"} and not request.has_certificate


def failed(obj: KubeObject, *, reason: str, message: str, now: str) -> KubeObject:
    """Return a certificate request with the condition by which a signer gives it up.

    Args:
        obj: The request; not changed.
        reason: One word.
        message: One line for whoever approved it.
        now: The present, as the API writes it.
    """
    body = copy.deepcopy(obj)
    body.setdefault("status", {}).setdefault("conditions", []).append(
        {
            "type": FAILED,
            "status": "True",
            "reason": reason,
            "message": message,
            "lastUpdateTime": now,
            "lastTransitionTime": now,
        }
    )
    return body


def _facts(obj: KubeObject, request: SigningRequest) -> dict[str, str]:
    facts = {"csr": name_of(obj), "csr_uid": uid_of(obj), "object": request.signer_name}
    if request.cluster:
        facts["cluster"] = request.cluster
    if request.addon:
        facts["addon"] = request.addon
    return facts
