"""What bound bootstrap tokens may do, written and taken away by those who make and revoke them."""

from datetime import datetime

from towline_api import names
from towline_api.errors import TowlineError
from towline_api.metadata import name_of, resource_version_of, uid_of
from towline_api.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, KubeObject, Resource
from towline_hub.clusters.acceptance_guard import ensure_policy
from towline_hub.joining.bootstrap_guard import bootstrap_guards
from towline_hub.joining.bound_bootstrap import bound_cluster_of, bound_rbac, rights_expire
from towline_hub.joining.listed_tokens import list_tokens
from towline_hub.object_writer import holds
from towline_kube.client import Client
from towline_kube.clock import Clock
from towline_kube.errors import AlreadyExists, Conflict, Forbidden, NotServed

_ATTEMPTS = 5
"""At a write that somebody else's came before."""


class TokenError(TowlineError):
    """A token could not be made or revoked; says why, and never shows it."""


async def ensure_bound(client: Client, cluster: str, *, expires: datetime) -> None:
    """Put in place what keeps a token to one cluster, then what it may do for that.

    Args:
        client: Whom to ask, as a person who may make tokens.
        cluster: The cluster.
        expires: When the token ends.

    Raises:
        TokenError: The API server cannot keep a token to one cluster.
    """
    try:
        for policy, binding in bootstrap_guards():
            await ensure_policy(client, policy, binding)
    except NotServed:
        raise TokenError(
            "this API server cannot keep a token to one cluster's name: it serves no "
            "ValidatingAdmissionPolicy, which Kubernetes 1.30 and newer do; make a token without "
            "--cluster"
        ) from None
    except Forbidden as error:
        raise TokenError(
            "the API server would not keep the token to its cluster's name: the policy for that "
            f"is not in place, and this identity may not put it there ({error}); start the hub "
            "once, or ask an administrator"
        ) from error
    await ensure_rights(client, cluster, expires=expires)


async def ensure_rights(client: Client, cluster: str, *, expires: datetime) -> None:
    """Put in place what a cluster's bound tokens may do, at least until one of them ends.

    Raises:
        TokenError: Somebody else keeps changing it.
    """
    for resource, _ in bound_rbac(cluster, expires=expires):
        await _ensure_right(client, resource, cluster, expires=expires)


async def _ensure_right(
    client: Client, resource: Resource, cluster: str, *, expires: datetime
) -> None:
    """Write one of the two objects so that it lasts as long as the longest-lived token."""
    for _ in range(_ATTEMPTS):
        live = await client.find(resource, names.bound_bootstrap_role(cluster))
        kept = None if live is None else rights_expire(live)
        until = expires if kept is None else max(expires, kept)
        desired = next(
            body for kind, body in bound_rbac(cluster, expires=until) if kind == resource
        )
        try:
            if live is None:
                await client.create(resource, desired)
            elif not holds(desired, live):
                desired["metadata"]["resourceVersion"] = resource_version_of(live)
                await client.patch(resource, name_of(live), desired)
        except (AlreadyExists, Conflict):
            continue
        return
    raise TokenError(
        f"{resource.describe(names.bound_bootstrap_role(cluster))} keeps changing; try again"
    )


async def remove_unused_rights(client: Client, *, clock: Clock) -> tuple[str, ...]:
    """Take away what bound tokens could do, for every cluster that has no living one."""
    grants: list[tuple[Resource, KubeObject]] = []
    for resource in (CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES):
        found = await client.list(resource, label_selector=names.BOOTSTRAP_CLUSTER_LABEL)
        grants += [(resource, obj) for obj in found.items if bound_cluster_of(obj) is not None]
    if not grants:
        return ()
    # Read after the rights: a token made since has them written anew, which the deletion notices.
    now = clock.now()
    used = {token.cluster for token in await list_tokens(client) if not token.is_expired(now)}
    unbound = set()
    for resource, obj in grants:
        cluster = bound_cluster_of(obj)
        if cluster is None or cluster in used:
            continue
        try:
            await client.delete(
                resource,
                name_of(obj),
                uid=uid_of(obj),
                resource_version=resource_version_of(obj),
                missing_ok=True,
            )
        except Conflict:
            continue
        unbound.add(cluster)
    return tuple(sorted(unbound))
