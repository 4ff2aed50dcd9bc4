"""The conversion webhook at work: its certificates, its server, and the CRDs that lead there.

Every replica answers. The one that leads makes the certificates, replaces them in time, and keeps
the CRDs naming the authorities. Nothing of towline waits for an answer: hub and agents speak the
stored version, and go on when the webhook is away.
"""

import asyncio
import hashlib
import logging
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import NoReturn

from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_hub.metrics import HubMetrics
from towline_hub.webhook.address import (
    Address,
    AtUrl,
    BehindService,
    NoAddress,
    OnThisMachine,
    conversion_at,
    find_address,
    server_names,
)
from towline_hub.webhook.certificate_stores import CertificateStore, InProcess, InSecret
from towline_hub.webhook.definitions import CONVERTED, is_ours, port_in_use
from towline_hub.webhook.pointing import lead_to_webhook
from towline_hub.webhook.serving_certificate import (
    Certificates,
    Lifetimes,
    ServerNames,
    make_certificates,
    next_certificates,
    next_look,
)
from towline_hub.webhook.settings import WebhookSettings
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.controller import Controller, Result
from towline_kube.task_groups import TaskGroup

log = logging.getLogger(__name__)

LOOK_AGAIN = timedelta(minutes=5)
"""How often the CRDs are read: a foreign edit of theirs is put right within this time."""
_KEY = "conversion"


class ConversionWebhook:
    """A hub's webhook.

    Args:
        client: Whom to ask, as the hub's own identity.
        address: Where the webhook is.
        store: Where its certificates rest.
        lifetimes: How long they live.
        metrics: Told what is converted, and until when the certificates are good.
        clock: Where time comes from.
        look_again: How often the CRDs are read.
    """

    def __init__(
        self,
        client: Client,
        *,
        address: Address,
        store: CertificateStore,
        lifetimes: Lifetimes,
        metrics: HubMetrics,
        clock: Clock,
        look_again: timedelta = LOOK_AGAIN,
    ) -> None:
        # Here, because commands that run no hub should not carry an HTTP server.
        from towline_hub.webhook.server import ConversionServer

        self._client = client
        self._address = address
        self._store = store
        self._lifetimes = lifetimes
        self._clock = clock
        self._look_again = look_again
        dns, ip = server_names(address)
        self._names = ServerNames(dns, ip)
        self._metrics = metrics
        self._server = ConversionServer(count=self._count)
        self._starting = asyncio.Lock()
        self._known: dict[str, float] = {}
        self._controller: Controller[str] = Controller("keep-webhook", self._reconcile, clock=clock)

    async def prepare(self, live: Mapping[str, KubeObject | None]) -> KubeObject | None:
        """Begin to answer; return the `spec.conversion` that leads here.

        Args:
            live: The CRDs of the converted kinds, by name; None for one that does not exist, and
                will be ours.

        Returns:
            None if the CRDs are all somebody else's, who has a webhook of their own.

        Raises:
            ConfigError: The address cannot be listened on, or the Secret cannot be used.
        """
        if all(item is not None and not is_ours(item) for item in live.values()):
            log.info("CRDs are somebody else's, and so is their conversion")
            return None
        held = await self._bring_up_to_date()
        await self._start(live.values())
        self._controller.enqueue(_KEY, after=self._pause(held))
        return self._conversion(held)

    async def serve(self) -> NoReturn:
        """Answer until cancelled, with whatever certificates there are."""
        try:
            async with TaskGroup() as group:
                arrived = asyncio.Event()

                def use(held: Certificates) -> None:
                    self._use(held)
                    arrived.set()

                group.create_task(self._store.follow(use), name="watch-webhook-certificates")
                # One that leads has begun by itself.
                await arrived.wait()
                await self._start(())
        finally:
            async with asyncio.timeout(10):
                await self._server.close()
        raise AssertionError("unreachable: certificates are followed without end")

    async def keep(self) -> NoReturn:
        """Replace certificates in time and keep the CRDs leading here, until cancelled."""
        await self._controller.run()

    async def drain(self) -> None:
        """Replace nothing any more; return when what is under way has ended. Still answers."""
        await self._controller.drain()

    async def _reconcile(self, _: str) -> Result:
        held = await self._bring_up_to_date()
        if await self._point_crds(held):
            digest = _digest(held)
            self._known = {digest: self._known.get(digest, self._clock.monotonic())}
        return Result(look_again_in=self._pause(held))

    async def _bring_up_to_date(self) -> Certificates:
        held = await self._store.read()
        now = self._clock.now()
        if held is None:
            wanted = make_certificates(self._names, lifetimes=self._lifetimes, now=now)
        else:
            wanted = next_certificates(
                held,
                self._names,
                lifetimes=self._lifetimes,
                known_for=self._known_for(held),
                now=now,
            )
        if wanted is not held:
            await self._store.write(wanted)
            log.info(
                "certificates of the webhook made",
                extra={
                    "not_after": f"{wanted.leaf.not_valid_after_utc:%Y-%m-%dT%H:%M:%SZ}",
                    "reason": "another authority is to follow"
                    if held is not None and wanted.following is not held.following
                    else "it was time",
                },
            )
        self._use(wanted)
        return wanted

    async def _point_crds(self, held: Certificates) -> bool:
        """Make the CRDs that are ours lead here; return whether there are any."""
        live = {
            name: await self._client.find(CUSTOM_RESOURCE_DEFINITIONS, name) for name in CONVERTED
        }
        await lead_to_webhook(self._client, live, conversion=self._conversion(held))
        return any(item is not None and is_ours(item) for item in live.values())

    async def _start(self, live: Iterable[KubeObject | None]) -> None:
        async with self._starting:
            if self._server.port is not None:
                return
            match self._address:
                case BehindService(host=host, port=port) | AtUrl(host=host, port=port):
                    await self._server.start(host=host, port=port)
                case OnThisMachine(host=host, port=None):
                    # At the former place nobody has to be told of another.
                    former = (port_in_use(item, host=host) for item in live)
                    preferred = next(filter(None, former), 0)
                    await self._server.start(host=host, port=preferred, is_preference=True)
                case OnThisMachine(host=host, port=int(port)):
                    await self._server.start(host=host, port=port)

    def _use(self, held: Certificates) -> None:
        if self._server.use(held.certificate_pem, held.key_pem):
            self._metrics.webhook_certificate(
                shown_until=held.leaf.not_valid_after_utc,
                authority_until=held.signing.validity.not_after,
            )
            log.debug("webhook shows another certificate")

    def _count(self, to: str, outcome: str, count: int) -> None:
        self._metrics.converted(to, outcome=outcome, count=count)

    def _conversion(self, held: Certificates) -> KubeObject:
        return conversion_at(self._address, port=self._server.port or 0, ca_pem=held.trusted_pem)

    def _known_for(self, held: Certificates) -> timedelta | None:
        since = self._known.get(_digest(held))
        return None if since is None else timedelta(seconds=self._clock.monotonic() - since)

    def _pause(self, held: Certificates) -> timedelta:
        due = next_look(
            held,
            lifetimes=self._lifetimes,
            known_for=self._known_for(held),
            now=self._clock.now(),
        )
        return min(due, self._look_again)


def make_webhook(
    client: Client,
    settings: WebhookSettings,
    *,
    namespace: str,
    is_pod: bool,
    metrics: HubMetrics,
    clock: Clock,
) -> ConversionWebhook | None:
    """Return the webhook of a hub, or None if it has none; says why in the log.

    Args:
        client: Whom to ask, as the hub's own identity.
        settings: What the operator chose.
        namespace: The hub's own.
        is_pod: Whether this process runs in a pod of the hub cluster.
        metrics: Told what is converted, and until when the certificates are good.
        clock: Where time comes from.
    """
    address = find_address(
        settings, namespace=namespace, is_pod=is_pod, api_server=client.connection.server
    )
    if isinstance(address, NoAddress):
        log.info("add-ons are served in v1alpha1 only", extra={"reason": address.reason})
        return None
    store: CertificateStore = (
        InProcess()
        if isinstance(address, OnThisMachine)
        else InSecret(client, namespace=namespace, clock=clock)
    )
    return ConversionWebhook(
        client,
        address=address,
        store=store,
        lifetimes=Lifetimes.of_leaf(settings.webhook_certificate_lifetime),
        metrics=metrics,
        clock=clock,
    )


def _digest(held: Certificates) -> str:
    """Return what tells one set of authorities from another."""
    return hashlib.sha256(held.trusted_pem).hexdigest()
