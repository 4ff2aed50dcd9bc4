"""Which hub a store knows, and whether what it holds is good there. Pure."""

from collections.abc import Sequence
from datetime import datetime

from towline_agent.credentials.cluster_identity import cluster_order
from towline_agent.credentials.enrollment import Usable
from towline_agent.credentials.stored import (
    PUBLISHED_AUTHORITIES_KEY,
    Stored,
    assess,
    stored_connection,
)
from towline_agent.hubs.trust import HubTrust, initial_trust
from towline_agent.moving.choice import Kept
from towline_certs.identities import ClusterIdentity
from towline_kube.connection import Connection


def kept_hub(
    stored: Stored, *, identity: ClusterIdentity, listed: Sequence[str], now: datetime
) -> Kept:
    """Return what a store says about hubs.

    Args:
        stored: What it holds.
        identity: The cluster and agent to be.
        listed: Hubs of the bootstrap kubeconfigs that can be read.
        now: The present.
    """
    credential, progress = stored.credential, stored.progress
    known = None if credential is None else stored_connection(credential.files)
    hub = None if credential is None else credential.hub
    if hub is None and known is not None:
        hub = known.server
    if hub not in listed and (known is None or known.server != hub):
        # Its address alone is no way to it.
        hub = None
    order = cluster_order(identity, lifetime=None)
    holding, _ = assess(credential, order=order, hub=hub or "", now=now)
    return Kept(
        hub=hub,
        is_usable=hub is not None and isinstance(holding, Usable),
        asked_hub=None if progress is None else progress.hub,
    )


def kept_trust(stored: Stored, *, hub: Connection) -> HubTrust:
    """Return whom to trust to be a hub, with what was kept from an earlier stay there.

    Args:
        stored: What the store holds.
        hub: How the hub is reached, by the bootstrap kubeconfig.
    """
    files = {} if stored.credential is None else stored.credential.files
    known = stored_connection(files)
    if known is None or known.server != hub.server:
        return initial_trust(hub.ca_pem)
    return initial_trust(
        hub.ca_pem, kept=known.ca_pem, published=files.get(PUBLISHED_AUTHORITIES_KEY)
    )
