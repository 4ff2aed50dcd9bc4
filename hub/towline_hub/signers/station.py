"""One signer's Secret and bundle as they are on the hub, and what was made of them."""

import asyncio
from contextlib import suppress
from datetime import timedelta

from towline_api.errors import ConfigError
from towline_api.metadata import resource_version_of, uid_of
from towline_api.resources import CONFIG_MAPS, SECRETS, KubeObject
from towline_hub.own_writes import FreshView
from towline_hub.signers.authority_secret import Authorities, is_managed, parse_authorities
from towline_hub.signers.bundle import Entry
from towline_hub.signers.bundle_object import published_entries
from towline_hub.signers.readiness import NotReady, Obstacle, Readiness
from towline_hub.signers.settings import SignerSettings
from towline_kube.cache import Cache
from towline_kube.client import Client
from towline_kube.clock import Clock

Version = tuple[str, str] | None


class SignerStation:
    """What is known about one signer.

    Each of its two objects is watched by itself, since nothing else in the namespace is the
    signer's business.

    Args:
        client: Whom to ask.
        settings: Of the signer.
        namespace: The hub's own.
        clock: Where time comes from.
    """

    def __init__(
        self, client: Client, settings: SignerSettings, *, namespace: str, clock: Clock
    ) -> None:
        self.settings = settings
        self.namespace = namespace
        self.where = SECRETS.describe(settings.secret, namespace=namespace)
        """How messages name the Secret."""
        self.secrets = Cache(
            client,
            SECRETS,
            namespace=namespace,
            field_selector=f"metadata.name={settings.secret}",
            clock=clock,
        )
        self.bundles = Cache(
            client,
            CONFIG_MAPS,
            namespace=namespace,
            field_selector=f"metadata.name={settings.bundle}",
            clock=clock,
        )
        self.fresh_secrets = FreshView(self.secrets, clock=clock)
        self.fresh_bundles = FreshView(self.bundles, clock=clock)
        self.state: Readiness = NotReady(Obstacle.NOT_READ, f"{self.where} has not been read yet")
        self._judged: tuple[Version, Version] | None = None
        self._parsed: tuple[Version, Authorities] | None = None
        self._seen: dict[str, Entry] = {}

    async def wait_synced(self, *, limit: timedelta) -> None:
        """Return once both objects were read, or the limit is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(limit.total_seconds()):
                await self.secrets.wait_synced()
                await self.bundles.wait_synced()

    @property
    def reading_problem(self) -> str | None:
        """Why the two objects cannot be read at present; None if they can."""
        for cache in (self.secrets, self.bundles):
            if cache.last_error is not None:
                return str(cache.last_error)
        if not (self.secrets.synced and self.bundles.synced):
            return f"{self.where} has not been read yet"
        return None

    @property
    def secret(self) -> KubeObject | None:
        """The Secret."""
        return self.fresh_secrets.find(self.settings.secret, self.namespace)

    @property
    def bundle(self) -> KubeObject | None:
        """The ConfigMap with the bundle."""
        return self.fresh_bundles.find(self.settings.bundle, self.namespace)

    def authorities(self) -> Authorities | None:
        """Return the authorities in the Secret; None if there is no Secret.

        Raises:
            ConfigError: They cannot be used.
        """
        secret = self.secret
        if secret is None:
            return None
        version = _version(secret)
        if self._parsed is None or self._parsed[0] != version:
            if self.settings.managed and not is_managed(secret):
                raise ConfigError(
                    f"{self.where} is there already, and no hub made it; set managed to false to "
                    "use the authority in it, or delete it to have one made"
                )
            self._parsed = version, parse_authorities(secret)
        return self._parsed[1]

    def entries(self) -> dict[str, Entry]:
        """Return what the bundle holds by fingerprint, and what this hub ever wrote into it.

        So a bundle that somebody deleted comes back whole.
        """
        return self._seen | {
            entry.anchor.fingerprint: entry for entry in published_entries(self.bundle)
        }

    def remember(self, entries: tuple[Entry, ...]) -> None:
        """Note what the bundle holds now."""
        self._seen = {entry.anchor.fingerprint: entry for entry in entries}

    def conclude(self, state: Readiness) -> None:
        """Note what was made of the two objects as they are now."""
        self.state = state
        self._judged = self._versions()

    @property
    def is_up_to_date(self) -> bool:
        """Whether the state was concluded from the two objects as they are now."""
        return self._judged == self._versions()

    def _versions(self) -> tuple[Version, Version]:
        return _version(self.secret), _version(self.bundle)


def _version(obj: KubeObject | None) -> Version:
    return None if obj is None else (uid_of(obj), resource_version_of(obj))
