"""Making the CRDs that are ours lead to the webhook."""

import logging
from collections.abc import Mapping

from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject
from towline_hub.webhook.definitions import (
    conversion_patch,
    is_ours,
    newer_versions,
    withdrawal_patch,
)
from towline_kube.client import Client

log = logging.getLogger(__name__)


async def lead_to_webhook(
    client: Client, live: Mapping[str, KubeObject | None], *, conversion: KubeObject | None
) -> dict[str, KubeObject | None]:
    """Have the objects of our CRDs converted, and all their versions served; return the CRDs then.

    Without a conversion the opposite: a version that nobody converts is not served any more.

    Args:
        client: Whom to ask.
        live: CRDs as they are, by name. Those of others, and of a newer towline, are left alone.
        conversion: The wanted `spec.conversion`; None for none.

    Raises:
        Conflict: Somebody changed a CRD since it was read.
    """
    after = dict(live)
    for name, definition in live.items():
        if definition is None or not is_ours(definition) or newer_versions(definition):
            continue
        patch = (
            withdrawal_patch(definition)
            if conversion is None
            else conversion_patch(definition, conversion=conversion)
        )
        if patch is not None:
            after[name] = await client.patch(CUSTOM_RESOURCE_DEFINITIONS, name, patch)
            log.info(
                "conversion of a CRD changed",
                extra={
                    "object": name,
                    "reason": "no webhook" if conversion is None else "our webhook answers",
                },
            )
    return after
