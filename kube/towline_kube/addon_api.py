"""Which version of the add-on kinds to speak with a hub."""

import json
import logging
import random
from datetime import timedelta

from towline_api.addon_codec import AddonCodec, V1Alpha1Codec
from towline_api.addon_codec_v1beta1 import V1Beta1Codec
from towline_api.resources import Resource
from towline_kube.backoff import Backoff
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import ApiError, Forbidden, NotFound

log = logging.getLogger(__name__)

CODECS: tuple[AddonCodec, ...] = (V1Alpha1Codec(), V1Beta1Codec())
"""Every version there is, the one to prefer first. Hubs store v1alpha1, so speaking it needs no
conversion, and goes on when the webhook for that is away."""

_RETRIES = Backoff(first=timedelta(seconds=1), limit=timedelta(seconds=30))


async def choose_codec(client: Client) -> AddonCodec:
    """Return the codec of the first version in `CODECS` in which a hub serves add-ons.

    One question per version, and no right is needed but the one to discover what is served, which
    Kubernetes gives to whoever it knows. Where that was taken away, and where no version is served
    yet, it is the first.

    Raises:
        ApiError: The hub cannot be asked.
    """
    for codec in CODECS:
        try:
            if await _is_served(client, codec.managed_cluster_addons):
                return codec
        except Forbidden as error:
            log.debug("what is served cannot be discovered", extra={"error": str(error)})
            break
    return CODECS[0]


async def wait_for_codec(client: Client, *, clock: Clock) -> AddonCodec:
    """Return what `choose_codec` does, however long it takes until the hub can be asked."""
    failures = 0
    while True:
        try:
            return await choose_codec(client)
        except ApiError as error:
            failures += 1
            if failures == 1:
                log.warning(
                    "version of the add-on kinds is not known yet", extra={"error": str(error)}
                )
        await clock.sleep(_RETRIES.delay(failures, roll=random.random()))  # noqa: S311 - spreads load


async def _is_served(client: Client, resource: Resource) -> bool:
    try:
        told = await client.request_text(f"/apis/{resource.api_version}")
    except NotFound:
        return False
    try:
        kinds = json.loads(told)["resources"]
        return any(item["name"] == resource.plural for item in kinds)
    except (ValueError, LookupError, TypeError):
        return False
