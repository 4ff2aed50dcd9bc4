"""The Lease by which an add-on shows that it is alive.

It is renewed on the cluster that the add-on's agent runs on. Where that serves no Leases at all, it
is renewed in the cluster's namespace on the hub instead, as the agents of OCM's framework do.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NoReturn

from towline_agent.applying.ownership import APPLIED_AS_ANNOTATION, Claim, Owner
from towline_agent.station.availability import LEASE_DURATION
from towline_api.errors import TowlineError
from towline_api.metadata import ObjectKey, resource_version_of, uid_of
from towline_api.resources import LEASES, KubeObject
from towline_api.timestamps import format_micro_time
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists, Conflict, NotServed

log = logging.getLogger(__name__)

JITTER = 0.25
"""A renewal comes up to this share of the duration late, so that a fleet's do not coincide."""
AGENT_HOLDER = "towline-agent"
"""Who holds a Lease that the cluster's agent renews in place of an add-on without a process."""


@dataclass(slots=True)
class LeaseRecord:
    """How the renewals of an add-on's Lease go, for those who look at its agent.

    Args:
        renewals: How often it was renewed.
        failures: How often it could not be.
        trouble: Why it could not be the last time; empty if it was.
    """

    renewals: int = 0
    failures: int = 0
    trouble: str = ""


class AddonLease:
    """One add-on's Lease.

    There are two who may renew it: the add-on's own process, and the cluster's agent, where that
    agent itself does what the add-on is for. The agent touches only a Lease it made; the process
    takes over any, and the agent then leaves it alone, so that it never hides a dead process.

    Args:
        client: The cluster that the add-on's agent runs on.
        owner: The add-on.
        holder: Who renews, for people who read the Lease.
        is_agent: Whether that is the cluster's agent rather than the add-on's own process.
        find_hub: Returns the hub under the add-on's own credential, for a cluster without Leases;
            None takes no notice of the hub.
        record: Told how it goes.
        clock: Time.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: Owner,
        holder: str,
        is_agent: bool,
        find_hub: Callable[[], Client] | None = None,
        record: LeaseRecord | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._client = client
        self._owner = owner
        self._holder = holder
        self._is_agent = is_agent
        self._find_hub = find_hub
        self._record = record or LeaseRecord()
        self._is_on_hub = False
        self._clock = clock

    async def renew(self, namespace: str) -> bool:
        """Renew the Lease, making it if it is not there; return False if it is another's.

        Args:
            namespace: The add-on's install namespace.

        Raises:
            TowlineError: The cluster refused or could not be reached, or the hub if it came to it.
        """
        key = ObjectKey(self._owner.addon, namespace)
        try:
            renewed = await self._renew(self._client, key)
        except NotServed:
            if self._find_hub is None:
                raise
            self._note_place(is_on_hub=True)
            there = ObjectKey(self._owner.addon, self._owner.cluster)
            return await self._renew(self._find_hub(), there)
        self._note_place(is_on_hub=False)
        return renewed

    def _note_place(self, *, is_on_hub: bool) -> None:
        if is_on_hub and not self._is_on_hub:
            reason = "the cluster of the add-on's agent serves no Leases"
            log.info("add-on lease goes to the hub", extra={**self._facts, "reason": reason})
        self._is_on_hub = is_on_hub

    async def _renew(self, client: Client, key: ObjectKey) -> bool:
        try:
            current = await client.find(LEASES, key.name, namespace=key.namespace)
            if current is None:
                await client.create(LEASES, self._new(key))
            elif self._is_agent and self._owner.claim(current) is not Claim.OURS:
                return False
            else:
                await client.patch(
                    LEASES, key.name, self._renewal_of(current), namespace=key.namespace
                )
        except (AlreadyExists, Conflict):
            # Somebody else wrote it between our look and our write; the next beat sees who.
            log.debug("lease changed meanwhile", extra={"lease": str(key)})
        return True

    async def keep_renewing(self, ready: Callable[[], Awaitable[str]]) -> NoReturn:
        """Renew the Lease again and again.

        Args:
            ready: Awaited before each renewal; returns the install namespace once the add-on is
                healthy.
        """
        failing = False
        while True:
            namespace = await ready()
            try:
                await self.renew(namespace)
            except TowlineError as error:
                self._record.failures += 1
                # One missed beat is normal; the reader waits for five before it worries.
                self._record.trouble = str(error) if failing else ""
                level = logging.DEBUG if failing else logging.WARNING
                log.log(
                    level, "add-on lease not renewed", extra={**self._facts, "error": str(error)}
                )
                failing = True
            else:
                self._record.renewals += 1
                self._record.trouble = ""
                if failing:
                    log.info("add-on lease renewed again", extra=self._facts)
                failing = False
            await self._clock.sleep(until_next(roll=random.random()))  # noqa: S311 - no secret

    @property
    def _facts(self) -> dict[str, str]:
        return {"addon": self._owner.addon, "lease": self._owner.addon}

    def _new(self, key: ObjectKey) -> KubeObject:
        body: KubeObject = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {"name": key.name, "namespace": key.namespace},
            "spec": self._spec(),
        }
        return self._owner.mark(body) if self._is_agent else body

    def _renewal_of(self, current: KubeObject) -> dict[str, Any]:
        metadata: dict[str, Any] = {
            "uid": uid_of(current),
            "resourceVersion": resource_version_of(current),
        }
        if not self._is_agent:
            # Without its mark the agent knows that the Lease is not its own any more.
            metadata["annotations"] = {APPLIED_AS_ANNOTATION: None}
        return {"metadata": metadata, "spec": self._spec()}

    def _spec(self) -> dict[str, Any]:
        return {
            "holderIdentity": self._holder,
            "leaseDurationSeconds": int(LEASE_DURATION.total_seconds()),
            "renewTime": format_micro_time(self._clock.now()),
        }


def until_next(*, roll: float) -> timedelta:
    """Return how long until the next renewal.

    Args:
        roll: A fresh random number, 0 <= roll < 1.
    """
    return LEASE_DURATION * (1 + JITTER * roll)
