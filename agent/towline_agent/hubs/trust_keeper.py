"""The shell that keeps up with a hub whose authority changes."""

import dataclasses
import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import NoReturn

from towline_agent.channel.hub_channel import FIELD_MANAGER, HubChannel
from towline_agent.hubs.bootstrap import BootstrapAccess
from towline_agent.hubs.trust import HubTrust, with_named, with_published, without_former
from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import CONFIG_MAPS
from towline_kube.client import Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden, Unauthorized, UntrustedServer
from towline_kube.retries import RetryPolicy

log = logging.getLogger(__name__)

PUBLISHED_NAMESPACE = "kube-public"
PUBLISHED_NAME = "kube-root-ca.crt"
_KEY = "ca.crt"
"""Where every Kubernetes cluster publishes the authorities of its API server."""

LOOK_EVERY = timedelta(hours=1)
"""Authorities overlap for days; and ten thousand agents then ask less than three times a second."""
PROVEN_WITHIN = timedelta(minutes=10)
"""For how long the others have to be enough: the servers behind one address change one by one."""
_PROOF_EVERY = timedelta(minutes=1)


class TrustKeeper:
    """Knows whom to trust to be the hub, and asks for news.

    Args:
        trust: Whom to trust at first.
        channel: The cluster's own channel, whose credential is shown where something is tried out.
        bootstrap: Whom to ask as where the cluster itself may not read what the hub publishes.
        on_change: Called after each change of `trust`.
        clock: Time.
    """

    def __init__(
        self,
        trust: HubTrust,
        *,
        channel: HubChannel,
        bootstrap: BootstrapAccess,
        on_change: Callable[[], None],
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.trust = trust
        self._channel = channel
        self._bootstrap = bootstrap
        self._on_change = on_change
        self._clock = clock
        self._may_read = True
        self._enough_since: float | None = None

    def name(self, ca_pem: bytes | None) -> None:
        """Take over the authorities of a new bootstrap kubeconfig, beside those before."""
        self._use(
            with_named(self.trust, ca_pem), "the bootstrap kubeconfig names other authorities"
        )

    async def run(self) -> NoReturn:
        """Keep up until cancelled."""
        # Agents that start together are not to ask together.
        look_at = self._clock.monotonic() + LOOK_EVERY.total_seconds() * random.random()  # noqa: S311
        while True:
            await self._clock.sleep(_PROOF_EVERY)
            if not self.trust.named or not self._channel.is_ready:
                continue
            if self.trust.former:
                await self.try_without_former()
            if self._clock.monotonic() >= look_at:
                look_at = self._clock.monotonic() + LOOK_EVERY.total_seconds()
                await self.look_at_published()

    async def look_at_published(self) -> None:
        """Take over what the hub publishes, as far as we may read it."""
        try:
            published = await self._read()
        except TowlineError as error:
            # Nobody needs it while nothing changes: an operator may name the new one as well.
            log.debug("the hub's authorities cannot be read", extra={"error": str(error)})
            return
        if published is not None:
            self._use(with_published(self.trust, published), "the hub publishes other authorities")

    async def try_without_former(self) -> None:
        """Trust former authorities no more once a new connection does without for a while."""
        less = without_former(self.trust)
        try:
            is_enough = await self._works_with(less)
        except TowlineError as error:
            # A hub that is away, say: that tells nothing.
            log.debug("authorities cannot be tried out", extra={"error": str(error)})
            return
        now = self._clock.monotonic()
        if not is_enough:
            self._enough_since = None
        elif self._enough_since is None:
            self._enough_since = now
        elif now - self._enough_since >= PROVEN_WITHIN.total_seconds():
            self._use(less, "the former authorities are not needed any more")

    async def _works_with(self, trust: HubTrust) -> bool:
        connection = dataclasses.replace(self._channel.connection, ca_pem=trust.ca_pem)
        try:
            async with Client(
                connection,
                field_manager=FIELD_MANAGER,
                user_agent=user_agent("agent"),
                retry=RetryPolicy(attempts=1),
                clock=self._clock,
            ) as client:
                await client.whoami()
        except UntrustedServer:
            return False
        return True

    async def _read(self) -> bytes | None:
        if self._may_read:
            try:
                return await _published(self._channel.client)
            except (Forbidden, Unauthorized):
                self._may_read = False
        try:
            return await _published(await self._bootstrap.client())
        except ConfigError:
            return None

    def _use(self, trust: HubTrust, reason: str) -> None:
        if trust == self.trust:
            return
        self.trust = trust
        self._enough_since = None
        log.info(
            "authorities of the hub changed",
            extra={
                "reason": reason,
                "object": f"{len(trust.named)} named, {len(trust.published)} published, "
                f"{len(trust.former)} former",
            },
        )
        self._on_change()


async def _published(client: Client) -> bytes | None:
    found = await client.find(CONFIG_MAPS, PUBLISHED_NAME, namespace=PUBLISHED_NAMESPACE)
    text = ((found or {}).get("data") or {}).get(_KEY)
    return text.encode() if isinstance(text, str) else None
