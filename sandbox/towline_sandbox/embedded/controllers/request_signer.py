"""Signs approved certificate requests."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_certs.authority import Authority
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.request_follower import RequestFollower
from towline_sandbox.embedded.controllers.signing_rules import LONGEST_LIFETIME, answered
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)


class RequestSigner(RequestFollower):
    """Signs for Kubernetes' own signers, as kube-controller-manager does.

    Args:
        store: Where requests are.
        calls: Writes their status.
        authority: Signs.
        now: The signers' clock, which tests may move.
        longest: The longest that a certificate is valid, and how long it is if the request does
            not say.
    """

    def __init__(
        self,
        store: Store,
        *,
        calls: OwnCalls,
        authority: Authority,
        now: Callable[[], datetime],
        longest: timedelta = LONGEST_LIFETIME,
    ) -> None:
        super().__init__(store, name="sign-requests")
        self._calls = calls
        self._authority = authority
        self._now = now
        self._longest = longest

    async def look_at(self, request: KubeObject) -> Result:
        """Answer a request that was approved."""
        status = answered(
            request, authority=self._authority, longest=self._longest, now=self._now()
        )
        if status is not None:
            await self._calls.update(
                CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status}, subresource="status"
            )
            log.debug(
                "certificate request answered",
                extra={"csr": request["metadata"]["name"], "issued": "certificate" in status},
            )
        return DONE
