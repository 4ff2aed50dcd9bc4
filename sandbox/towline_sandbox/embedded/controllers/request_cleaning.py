"""Deletes certificate requests that nobody needs any more."""

import base64
import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from cryptography import x509

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_api.timestamps import parse_time
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.request_follower import RequestFollower
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

LOOKS_EVERY = timedelta(hours=1)
DECIDED_AGE = timedelta(hours=1)
"""How long issued, denied and failed requests are kept."""
UNDECIDED_AGE = timedelta(hours=24)
"""How long requests are kept that nobody decided on, or that were approved but not signed."""


def deletion_time(csr: KubeObject) -> datetime | None:
    """Return when a request is no longer needed; None if it is kept for good."""
    return min(_deadlines(csr), default=None)


def _deadlines(csr: KubeObject) -> Iterator[datetime]:
    status = csr.get("status") or {}
    conditions = status.get("conditions") or []
    certificate = status.get("certificate")
    if not conditions:
        yield parse_time(csr["metadata"]["creationTimestamp"]) + UNDECIDED_AGE
    for condition in conditions:
        updated = condition.get("lastUpdateTime")
        decided = {"Approved": certificate is not None, "Denied": True, "Failed": True}
        if updated and decided.get(condition["type"], False):
            yield parse_time(updated) + DECIDED_AGE
        elif updated and condition["type"] == "Approved":
            yield parse_time(updated) + UNDECIDED_AGE
    if certificate is not None and any(each["type"] == "Approved" for each in conditions):
        leaf = x509.load_pem_x509_certificates(base64.b64decode(certificate))[0]
        yield leaf.not_valid_after_utc


def next_look(due: datetime, *, began: datetime) -> datetime:
    """Return when a cleaner that looks every hour since it began first sees what is due then."""
    # Kubernetes deletes what is older than the limit, not what is just as old.
    hours = (due - began) // LOOKS_EVERY + 1
    return began + max(1, hours) * LOOKS_EVERY


class RequestCleaner(RequestFollower):
    """Deletes old certificate requests, as kube-controller-manager does: it looks once an hour.

    Args:
        store: Where requests are.
        calls: Deletes them.
        now: The clock, which tests may move.
    """

    def __init__(self, store: Store, *, calls: OwnCalls, now: Callable[[], datetime]) -> None:
        super().__init__(store, name="clean-requests")
        self._calls = calls
        self._now = now
        self._began = now()

    async def look_at(self, request: KubeObject) -> Result:
        """Delete a request that is too old, or look again when it will be."""
        metadata = request["metadata"]
        due = deletion_time(request)
        if due is None:
            return DONE
        left = next_look(due, began=self._began) - self._now()
        if left > timedelta(0):
            return Result(look_again_in=left)
        await self._calls.delete(
            CERTIFICATE_SIGNING_REQUESTS, metadata["name"], uid=metadata["uid"]
        )
        log.debug("certificate request deleted because of its age", extra={"csr": metadata["name"]})
        return DONE
