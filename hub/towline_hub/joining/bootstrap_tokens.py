"""Making the bootstrap tokens with which clusters join this hub.

Every step can be repeated, and a step that was not reached leaves nothing that could be used: the
rights of a bound token stand before the token does, and end with it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from towline_api import names
from towline_api.bootstrap_tokens import BootstrapToken
from towline_api.metadata import is_being_deleted
from towline_api.resources import MANAGED_CLUSTERS, SECRETS
from towline_certs.bootstrap_identity import bound_group
from towline_hub.clusters.standing import name_problem
from towline_hub.joining.token_rights import TokenError, ensure_bound, ensure_rights
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import AlreadyExists

_ATTEMPTS = 5
"""At a name that is taken by chance, which happens once in two thousand million times."""


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token just made: the only moment it can be shown.

    Args:
        token: The token.
        cluster: The one cluster it is good for; None if for any new one.
        expires: When it ends.
    """

    token: BootstrapToken
    cluster: str | None
    expires: datetime


async def create_token(
    client: Client, *, ttl: timedelta, cluster: str | None = None, clock: Clock = SYSTEM_CLOCK
) -> NewToken:
    """Make a bootstrap token that is good for joining, and for nothing else.

    Args:
        client: Whom to ask, as a person who may make tokens.
        ttl: How long it lives.
        cluster: The one cluster it is to be good for; None for any new one.
        clock: Where time comes from.

    Raises:
        TokenError: No such cluster can join, or the API server cannot keep a token to one cluster.
    """
    expires = (clock.now() + ttl).replace(microsecond=0)
    labels = {names.MANAGED_BY_LABEL: "towline"}
    if cluster is None:
        groups, description = (names.BOOTSTRAP_GROUP,), "towline: any new cluster may ask to join"
    else:
        await _check_cluster(client, cluster)
        groups, description = (bound_group(cluster),), f"towline: cluster {cluster} may join"
        labels[names.BOOTSTRAP_CLUSTER_LABEL] = cluster
        await ensure_bound(client, cluster, expires=expires)
    for _ in range(_ATTEMPTS):
        token = BootstrapToken.create()
        secret = token.as_secret(
            groups=groups, expires=expires, description=description, labels=labels
        )
        try:
            await client.create(SECRETS, secret)
        except AlreadyExists:
            continue
        if cluster is not None:
            # Revoking the cluster's last other token meanwhile took the rights with it.
            await ensure_rights(client, cluster, expires=expires)
        return NewToken(token, cluster, expires)
    raise TokenError(f"no free name for a token's Secret found in {_ATTEMPTS} attempts; try again")


async def _check_cluster(client: Client, cluster: str) -> None:
    problem = name_problem({"metadata": {"name": cluster}})
    if problem is not None:
        raise TokenError(problem.partition("; delete this")[0])
    live = await client.find(MANAGED_CLUSTERS, cluster)
    if live is not None and is_being_deleted(live):
        raise TokenError(
            f"cluster {cluster!r} is being deleted, which takes what its tokens could do; make one "
            "once it is gone"
        )
