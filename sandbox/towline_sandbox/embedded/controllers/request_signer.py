"""Signs approved certificate requests."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NoReturn

from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS
from towline_certs.authority import Authority
from towline_kube.controller import DONE, Result
from towline_sandbox.embedded.controllers.own_calls import OwnCalls
from towline_sandbox.embedded.controllers.running import passes
from towline_sandbox.embedded.controllers.signing_rules import LONGEST_LIFETIME, answered
from towline_sandbox.embedded.model.kinds import StorageKey
from towline_sandbox.embedded.storage.changes import Change, ChangeType
from towline_sandbox.embedded.storage.store import Store

log = logging.getLogger(__name__)

REQUESTS = StorageKey(CERTIFICATE_SIGNING_REQUESTS.group, CERTIFICATE_SIGNING_REQUESTS.plural)


class RequestSigner:
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
        self._store = store
        self._calls = calls
        self._authority = authority
        self._now = now
        self._longest = longest
        self._passes = passes("sign-requests", self._sign)

    def note(self, change: Change) -> None:
        """Look at a request that changed."""
        if change.key == REQUESTS and change.type is not ChangeType.DELETED:
            self._passes.enqueue(change.object["metadata"]["name"])

    def look_at_everything(self) -> None:
        """Look at all requests."""
        for request in self._store.objects(REQUESTS):
            self._passes.enqueue(request["metadata"]["name"])

    async def run(self) -> NoReturn:
        """Work until cancelled."""
        await self._passes.run()

    async def _sign(self, name: str) -> Result:
        request = self._store.find(REQUESTS, namespace=None, name=name)
        if request is None:
            return DONE
        status = answered(
            request, authority=self._authority, longest=self._longest, now=self._now()
        )
        if status is not None:
            await self._calls.update(
                CERTIFICATE_SIGNING_REQUESTS, {**request, "status": status}, subresource="status"
            )
            log.debug(
                "certificate request answered",
                extra={"csr": name, "issued": "certificate" in status},
            )
        return DONE
