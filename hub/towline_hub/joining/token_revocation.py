"""Revoking a bootstrap token, and telling what that could not undo."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from towline_api import names
from towline_api.bootstrap_tokens import (
    TOKEN_NAMESPACE,
    USER_PREFIX,
    is_token_id,
    token_secret_name,
)
from towline_api.metadata import labels_of, name_of, uid_of
from towline_api.resources import CERTIFICATE_SIGNING_REQUESTS, SECRETS, KubeObject
from towline_hub.joining.listed_tokens import read_token
from towline_hub.joining.token_rights import TokenError, remove_unused_rights
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Revocation:
    """What revoking a token did, and what it could not undo.

    Args:
        token_id: The token.
        found: Whether it was there.
        clusters: Clusters for which requests were made with it that still are there.
        pending: Names of those requests that nobody decided.
        unbound: Clusters whose last bound token is gone, and with it what those could do.
    """

    token_id: str
    found: bool
    clusters: tuple[str, ...]
    pending: tuple[str, ...]
    unbound: tuple[str, ...]


async def revoke_token(client: Client, token_id: str, *, clock: Clock = SYSTEM_CLOCK) -> Revocation:
    """Delete a token, and what bound tokens could do for a cluster that has none left.

    Safe to repeat: a token that is gone is revoked.

    Args:
        client: Whom to ask, as a person who may revoke tokens.
        token_id: The token's public half.
        clock: Where time comes from.

    Raises:
        TokenError: That is no id, or the token is not for joining clusters.
    """
    if not is_token_id(token_id):
        raise TokenError(
            "a token is revoked by its id, the six characters before the dot; `towline token list` "
            "shows them"
        )
    secret = await client.find(SECRETS, token_secret_name(token_id), namespace=TOKEN_NAMESPACE)
    if secret is not None:
        if read_token(secret) is None:
            raise TokenError(
                f"token {token_id} is not for joining clusters; revoke it where it came from, or "
                f"with `kubectl -n {TOKEN_NAMESPACE} delete secret {token_secret_name(token_id)}`"
            )
        await client.delete(
            SECRETS,
            name_of(secret),
            namespace=TOKEN_NAMESPACE,
            uid=uid_of(secret),
            missing_ok=True,
        )
    unbound = await remove_unused_rights(client, clock=clock)
    clusters, pending = await _requests_of(client, token_id)
    return Revocation(token_id, secret is not None, clusters, pending, unbound)


async def _requests_of(client: Client, token_id: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the clusters for which a token's holder asked, and the requests still undecided."""
    try:
        found = await client.list(
            CERTIFICATE_SIGNING_REQUESTS, label_selector=names.CLUSTER_NAME_LABEL
        )
    except Forbidden:
        return (), ()
    made = [obj for obj in found.items if obj["spec"].get("username") == f"{USER_PREFIX}{token_id}"]
    clusters = {labels_of(obj)[names.CLUSTER_NAME_LABEL] for obj in made}
    pending = [name_of(obj) for obj in made if not _is_decided(obj)]
    return tuple(sorted(clusters)), tuple(sorted(pending))


def _is_decided(request: KubeObject) -> bool:
    conditions: Iterable[Mapping[str, str]] = (request.get("status") or {}).get("conditions") or ()
    return any(item.get("type") in ("Approved", "Denied", "Failed") for item in conditions)
