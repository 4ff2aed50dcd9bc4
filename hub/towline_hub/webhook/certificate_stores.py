"""Where the webhook's certificates rest: in a Secret that replicas share, or in this process."""

import asyncio
import logging
from collections.abc import Callable
from typing import NoReturn, Protocol

from towline_api.errors import ConfigError
from towline_api.metadata import resource_version_of
from towline_api.resources import SECRETS, KubeObject
from towline_hub.webhook.certificate_secret import SECRET, format_secret, is_ours, parse_secret
from towline_hub.webhook.serving_certificate import Certificates
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock

log = logging.getLogger(__name__)


class CertificateStore(Protocol):
    """Keeps certificates."""

    async def read(self) -> Certificates | None:
        """Return what is kept; None if there is nothing of use."""

    async def write(self, held: Certificates) -> None:
        """Keep these from now on, in place of what was read last.

        Raises:
            Conflict: Somebody else has written since.
        """

    async def follow(self, use: Callable[[Certificates], None]) -> NoReturn:
        """Call `use` with what is kept, now and at each change, until cancelled."""


class InProcess:
    """Keeps certificates for as long as this process runs: its address ends with it as well."""

    def __init__(self) -> None:
        self._held: Certificates | None = None

    async def read(self) -> Certificates | None:
        """Return what is kept; None if there is nothing."""
        return self._held

    async def write(self, held: Certificates) -> None:
        """Keep these from now on."""
        self._held = held

    async def follow(self, use: Callable[[Certificates], None]) -> NoReturn:
        """Wait until cancelled: nobody else writes."""
        del use
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class InSecret:
    """Keeps certificates in a Secret of the hub's namespace.

    Args:
        client: Whom to ask.
        namespace: The hub's own.
        clock: Where time comes from.
    """

    def __init__(self, client: Client, *, namespace: str, clock: Clock) -> None:
        self._client = client
        self._namespace = namespace
        self._resource_version: str | None = None
        # One object by its name: the hub may look at no other Secret.
        self._cache = Cache(
            client,
            SECRETS,
            namespace=namespace,
            field_selector=f"metadata.name={SECRET}",
            clock=clock,
        )

    async def read(self) -> Certificates | None:
        """Return what is kept; None if there is nothing, or nothing of use that we made.

        Raises:
            ConfigError: Somebody else made the Secret, and it cannot be used.
        """
        secret = await self._client.find(SECRETS, SECRET, namespace=self._namespace)
        self._resource_version = None if secret is None else resource_version_of(secret)
        if secret is None:
            return None
        try:
            return parse_secret(secret)
        except ConfigError as error:
            if not is_ours(secret):
                raise
            log.warning(
                "certificates of the webhook cannot be used; making others",
                extra={"object": f"{self._namespace}/{SECRET}", "error": str(error)},
            )
            return None

    async def write(self, held: Certificates) -> None:
        """Keep these from now on, in place of what was read last."""
        written = await self._client.apply(
            SECRETS,
            format_secret(held, namespace=self._namespace, resource_version=self._resource_version),
        )
        self._resource_version = resource_version_of(written)

    async def follow(self, use: Callable[[Certificates], None]) -> NoReturn:
        """Call `use` with what is kept, now and at each change, until cancelled."""

        def take(secret: KubeObject | None) -> None:
            if secret is None:
                return
            try:
                use(parse_secret(secret))
            except ConfigError as error:
                # What is in use stays; the replica that leads puts it right.
                log.warning(
                    "certificates of the webhook cannot be used; keeping those in use",
                    extra={"object": f"{self._namespace}/{SECRET}", "error": str(error)},
                )

        self._cache.on_change(lambda change: take(change.new))
        await self._cache.run()
