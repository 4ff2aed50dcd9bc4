"""Looking at the signers of a hub's settings from outside. Reads only."""

from collections.abc import Iterable
from datetime import datetime

from towline_api.resources import CONFIG_MAPS, SECRETS
from towline_hub.looking import look
from towline_hub.signers.outlook import SignerOutlook, signer_outlook
from towline_hub.signers.settings import SignerSettings
from towline_kube.client import Client


async def look_at_signers(
    client: Client, signers: Iterable[SignerSettings], *, namespace: str, now: datetime
) -> dict[str, SignerOutlook]:
    """Return how signers stand, by their names.

    Args:
        client: Whom to ask. Without the right to read a signer's Secret, that is what is said.
        signers: As the hub's settings have them.
        namespace: The hub's own.
        now: The present.
    """
    return {
        each.signer_name: signer_outlook(
            each,
            namespace=namespace,
            secret=await look(client.find(SECRETS, each.secret, namespace=namespace)),
            bundle=await look(client.find(CONFIG_MAPS, each.bundle, namespace=namespace)),
            now=now,
        )
        for each in signers
    }
