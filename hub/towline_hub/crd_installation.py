"""The CRDs of the hub's kinds: installing them, or waiting until somebody has."""

import logging
import random
from collections.abc import Iterable, Mapping
from datetime import timedelta

from towline_api import names
from towline_api.addon_codec import AddonCodec
from towline_api.crds import HUB_KINDS, crds
from towline_api.errors import ConfigError, TowlineError
from towline_api.metadata import name_of
from towline_api.resources import (
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_hub.webhook.conversion_webhook import ConversionWebhook
from towline_hub.webhook.definitions import (
    CONVERTED,
    MANAGED_BY,
    is_ours,
    newer_versions,
)
from towline_hub.webhook.pointing import lead_to_webhook
from towline_kube.addon_api import CODECS
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import NotServed
from towline_kube.merge_patch import is_applied

log = logging.getLogger(__name__)

# An API server takes hundredths of a second to serve a kind whose definition it has; somebody who
# is to install definitions takes minutes.
_PROBES = Backoff(first=timedelta(milliseconds=20), limit=timedelta(milliseconds=500))


def hub_crds(*, conversion: KubeObject | None = None) -> list[KubeObject]:
    """Return the CRDs of the kinds that live on the hub, labelled as ours.

    Args:
        conversion: Who converts add-on kinds between their versions; see `towline_api.crds.crds`.
    """
    definitions = crds(HUB_KINDS, conversion=conversion)
    for definition in definitions:
        definition["metadata"]["labels"] = {names.MANAGED_BY_LABEL: MANAGED_BY}
    return definitions


async def set_up_crds(client: Client, *, install: bool, webhook: ConversionWebhook | None) -> None:
    """Install CRDs if asked to, and have those of ours served in all versions by our webhook.

    Args:
        client: Whom to ask.
        install: Whether to install what is missing and to bring what is ours up to date.
        webhook: Converts between versions; None if this hub does not.

    Raises:
        ConfigError: The webhook cannot be started.
    """
    if install:
        live = await read_crds(client, tuple(kind.qualified for kind in HUB_KINDS))
        conversion = None if webhook is None else await webhook.prepare(_converted(live))
        await install_crds(client, live=live, conversion=conversion)
    elif webhook is not None:
        live = await read_crds(client, CONVERTED)
        conversion = await webhook.prepare(live)
        if conversion is not None:
            await lead_to_webhook(client, live, conversion=conversion)


async def read_crds(client: Client, wanted: Iterable[str]) -> dict[str, KubeObject | None]:
    """Return CRDs by name; None for one that does not exist."""
    return {name: await client.find(CUSTOM_RESOURCE_DEFINITIONS, name) for name in wanted}


async def install_crds(
    client: Client,
    *,
    live: Mapping[str, KubeObject | None] | None = None,
    conversion: KubeObject | None = None,
) -> None:
    """Create the CRDs that are missing, and bring those up to date that towline made.

    One that somebody else made may serve more versions than ours, so it is left alone; so is one
    of a newer towline.

    Args:
        client: Whom to ask.
        live: The CRDs as they are, if the caller has read them already.
        conversion: Who converts between versions; None serves the stored ones only.
    """
    definitions = hub_crds(conversion=conversion)
    if live is None:
        live = await read_crds(client, map(name_of, definitions))
    live = await lead_to_webhook(client, live, conversion=conversion)
    for definition in definitions:
        name = name_of(definition)
        present = live[name]
        if present is not None and not is_ours(present):
            log.info("CRD was installed by somebody else and is left alone", extra={"object": name})
        elif present is not None and newer_versions(present):
            log.warning(
                "CRD was installed by a newer towline and is left alone", extra={"object": name}
            )
        elif present is None or not is_applied(definition, present):
            await client.apply(CUSTOM_RESOURCE_DEFINITIONS, definition)
            log.info("CRD installed", extra={"object": name})


def _converted(live: Mapping[str, KubeObject | None]) -> dict[str, KubeObject | None]:
    return {name: live[name] for name in CONVERTED}


class OtherVersionServed(TowlineError):  # noqa: N818 - not wrong, but other than was thought
    """Add-ons are served, but in no version that was asked for.

    Args:
        codec: Of the version in which they are served.
    """

    def __init__(self, codec: AddonCodec) -> None:
        super().__init__(f"add-ons are served in {codec.managed_cluster_addons.version}")
        self.codec = codec


async def wait_until_served(
    client: Client, *, codec: AddonCodec = CODECS[0], limit: timedelta, clock: Clock
) -> None:
    """Return once the API server serves every kind the hub needs.

    Args:
        client: Whom to ask.
        codec: Of the API version in which add-ons are to be served.
        limit: How long to wait.
        clock: Where time comes from.

    Raises:
        ConfigError: Some kind is not served within the limit; says which and what to do.
        OtherVersionServed: Add-ons are served, in another version.
    """
    deadline = clock.monotonic() + limit.total_seconds()
    probes = 0
    while missing := await _missing(client, (MANAGED_CLUSTERS, *_addon_kinds(codec))):
        if codec.managed_cluster_addons in missing:
            for other in CODECS:
                if other is not codec and not await _missing(client, _addon_kinds(other)):
                    raise OtherVersionServed(other)
        shown = ", ".join(f"{resource.qualified}/{resource.version}" for resource in missing)
        message = (
            f"{client.connection.server} does not serve {shown}; run the hub with "
            "--install-crds, or apply what `towline crds` prints"
        )
        if clock.monotonic() >= deadline:
            raise ConfigError(message)
        probes += 1
        if probes == 1:
            log.warning("waiting for CRDs", extra={"reason": message})
        await clock.sleep(_PROBES.delay(probes, roll=random.random()))  # noqa: S311 - spreads load


def _addon_kinds(codec: AddonCodec) -> tuple[Resource, ...]:
    return (
        codec.cluster_management_addons,
        codec.managed_cluster_addons,
        codec.addon_deployment_configs,
    )


async def _missing(client: Client, resources: Iterable[Resource]) -> list[Resource]:
    missing = []
    for resource in resources:
        try:
            # No object of that name is there; only whether that is so for want of its kind counts.
            await client.find(
                resource, "probe", namespace="default" if resource.namespaced else None
            )
        except NotServed:
            missing.append(resource)
    return missing
