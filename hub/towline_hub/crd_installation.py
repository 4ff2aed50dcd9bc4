"""The CRDs of the hub's kinds: installing them, or waiting until somebody has."""

import logging
import random
from collections.abc import Iterable
from datetime import timedelta

from towline_api import names
from towline_api.crds import HUB_KINDS, crds
from towline_api.errors import ConfigError
from towline_api.metadata import labels_of, name_of
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    CLUSTER_MANAGEMENT_ADDONS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    KubeObject,
    Resource,
)
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import NotServed
from towline_kube.merge_patch import is_applied

log = logging.getLogger(__name__)

MANAGED_BY = "towline"

_SERVED = (
    MANAGED_CLUSTERS,
    CLUSTER_MANAGEMENT_ADDONS,
    MANAGED_CLUSTER_ADDONS,
    ADDON_DEPLOYMENT_CONFIGS,
)

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


async def install_crds(client: Client) -> None:
    """Create the CRDs that are missing, and bring those up to date that towline made.

    One that somebody else made may serve more versions than ours, so it is left alone.
    """
    for definition in hub_crds():
        name = name_of(definition)
        live = await client.find(CUSTOM_RESOURCE_DEFINITIONS, name)
        if live is not None and labels_of(live).get(names.MANAGED_BY_LABEL) != MANAGED_BY:
            log.info("CRD was installed by somebody else and is left alone", extra={"object": name})
        elif live is None or not is_applied(definition, live):
            await client.apply(CUSTOM_RESOURCE_DEFINITIONS, definition)
            log.info("CRD installed", extra={"object": name})


async def wait_until_served(client: Client, *, limit: timedelta, clock: Clock) -> None:
    """Return once the API server serves every kind the hub needs.

    Raises:
        ConfigError: Some kind is not served within the limit; says which and what to do.
    """
    deadline = clock.monotonic() + limit.total_seconds()
    probes = 0
    while missing := await _missing(client, _SERVED):
        message = (
            f"{client.connection.server} does not serve {', '.join(missing)}; run the hub with "
            "--install-crds, or apply what `towline crds` prints"
        )
        if clock.monotonic() >= deadline:
            raise ConfigError(message)
        probes += 1
        if probes == 1:
            log.warning("waiting for CRDs", extra={"reason": message})
        await clock.sleep(_PROBES.delay(probes, roll=random.random()))  # noqa: S311 - spreads load


async def _missing(client: Client, resources: Iterable[Resource]) -> list[str]:
    missing = []
    for resource in resources:
        try:
            # No object of that name is there; only whether that is so for want of its kind counts.
            await client.find(
                resource, "probe", namespace="default" if resource.namespaced else None
            )
        except NotServed:
            missing.append(f"{resource.qualified}/{resource.version}")
    return missing
