"""One certificate request at the hub: posted, looked up, watched until something comes of it."""

import asyncio
import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from towline_agent.credentials.enrollment import (
    CertificateOrder,
    NotLookedUp,
    Pending,
    Request,
    Waiting,
)
from towline_agent.credentials.signing_requests import observe_request, signing_request
from towline_agent.running.resting import rest
from towline_api.metadata import uid_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, KubeObject
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import AlreadyExists
from towline_kube.failures import one_failure
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

_WATCH_CHECK = timedelta(seconds=30)
_FIRST_LIST_CHECK = timedelta(milliseconds=200)


class HubRequest:
    """What the hub has of the request for one pending key.

    Args:
        order: What certificate is asked for.
        wake: Ends a wait early when it is set; set here whenever the hub tells something new.
        clock: Time.
    """

    def __init__(self, order: CertificateOrder, *, wake: asyncio.Event, clock: Clock) -> None:
        self._order = order
        self._wake = wake
        self._clock = clock
        self._uid: str | None = None
        self.found: Request = NotLookedUp()
        """What became of the request, as far as is known."""

    @property
    def facts(self) -> dict[str, str]:
        """What to log beside whatever concerns the latest request and its certificate.

        The uid of the request is in the hub's log as well, so that one search finds the whole
        story. It is not known before the request is posted or found.
        """
        return {"csr_uid": self._uid} if self._uid is not None else {}

    def forget_uid(self) -> None:
        """Let what is logged from now on concern another request."""
        self._uid = None

    async def look_up(self, pending: Pending, client: Client) -> None:
        """Look at the request for a pending key, which an earlier process may have posted."""
        self._observe(
            await client.find(CERTIFICATE_SIGNING_REQUESTS, pending.request_name), pending
        )

    async def post(self, pending: Pending, client: Client) -> None:
        """Post the request for a pending key; if it is there already, look at it instead."""
        name = pending.request_name
        try:
            csr = await client.create(
                CERTIFICATE_SIGNING_REQUESTS, signing_request(self._order, pending)
            )
        except AlreadyExists:
            await self.look_up(pending, client)
        else:
            self._observe(csr, pending)
            log.info(
                "certificate requested",
                extra={"csr": name, "object": self._order.subject.common_name} | self.facts,
            )

    async def wait(
        self,
        pending: Pending,
        client: Client,
        *,
        until: datetime,
        is_disturbed: Callable[[], bool],
        on_waiting: Callable[[Waiting], None],
    ) -> None:
        """Return when the request is something else than waiting, or it is time to look around.

        Args:
            pending: The key it was posted for.
            client: The hub, as whoever may see the request.
            until: When to return at the latest.
            is_disturbed: Whether there is something to look at elsewhere; asked at each waking.
            on_waiting: Told how the request waits, at each look.
        """
        name = pending.request_name
        cache = Cache(
            client,
            CERTIFICATE_SIGNING_REQUESTS,
            field_selector=f"metadata.name={name}",
            clock=self._clock,
        )
        cache.on_change(lambda _: self._wake.set())
        with one_failure():  # what the group would wrap is nothing to end the agent for
            async with TaskGroup() as group:
                watching = group.create_task(cache.run(), name=f"watch-request/{name}")
                try:
                    while self._clock.now() < until and not is_disturbed():
                        self._wake.clear()
                        if not await self._still_waits(pending, cache, on_waiting, until=until):
                            return
                finally:
                    watching.cancel()

    async def _still_waits(
        self,
        pending: Pending,
        cache: Cache,
        on_waiting: Callable[[Waiting], None],
        *,
        until: datetime,
    ) -> bool:
        """Return False at once if something has become of the request, else True after a rest."""
        if cache.last_error is not None:
            raise cache.last_error
        if cache.synced:
            self._observe(cache.find(pending.request_name), pending)
            if not isinstance(self.found, Waiting):
                return False
        if isinstance(self.found, Waiting):
            on_waiting(self.found)
        # A list that finds nothing, and a watch that fails, wake nobody.
        look_again_in = _WATCH_CHECK if cache.synced else _FIRST_LIST_CHECK
        left = until - self._clock.now()
        await rest(self._clock, min(left, look_again_in), unless=self._wake)
        return True

    def _observe(self, csr: KubeObject | None, pending: Pending) -> None:
        if csr is not None:
            self._uid = uid_of(csr)
        self.found = observe_request(csr, order=self._order, pending=pending, now=self._clock.now())
