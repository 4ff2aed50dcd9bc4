"""`towline token create|list|revoke`: the tokens with which clusters join, for people."""

import asyncio
import json
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from towline_api.bootstrap_tokens import TOKEN_NAMESPACE
from towline_api.resources import (
    CLUSTER_GROUP,
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    MANAGED_CLUSTERS,
    RBAC_GROUP,
    SECRETS,
)
from towline_api.timestamps import format_time
from towline_hub.clusters.acceptance_guard import ADMISSION_GROUP, POLICIES, POLICY_BINDINGS
from towline_hub.decisions.operator_client import operator_client
from towline_hub.decisions.own_rights import Right, check_rights
from towline_hub.joining.bootstrap_guard import CLUSTER_GUARD_NAME, REQUEST_GUARD_NAME
from towline_hub.joining.bootstrap_tokens import NewToken, create_token
from towline_hub.joining.listed_tokens import ListedToken, list_tokens
from towline_hub.joining.token_revocation import Revocation, revoke_token
from towline_hub.joining.token_settings import (
    TokenCreateSettings,
    TokenListSettings,
    TokenRevokeSettings,
)
from towline_kube.clock import SYSTEM_CLOCK
from towline_kube.output_kind import OutputKind
from towline_kube.settings import load


def create(arguments: Sequence[str]) -> int:
    """Make a token and print it, the only time it is shown; return the exit status."""
    settings = load(TokenCreateSettings, arguments, prog="towline token create")
    new = asyncio.run(_create(settings))
    if settings.output is OutputKind.JSON:
        _print_json(new_token_json(new))
        return 0
    print(new.token.bearer)  # noqa: T201 - what was asked for
    # Beside it, so that a script's $(towline token create) is the token alone.
    print(new_token_line(new), file=sys.stderr)  # noqa: T201
    return 0


async def _create(settings: TokenCreateSettings) -> NewToken:
    async with operator_client(settings.kubeconfig) as client:
        await check_rights(client, rights_to_create(settings.cluster), to="to make a token")
        return await create_token(client, ttl=settings.ttl, cluster=settings.cluster)


def rights_to_create(cluster: str | None) -> list[Right]:
    """Return what making a token takes: more if it is to be bound to a cluster."""
    rights = [Right("create", SECRETS.plural, namespace=TOKEN_NAMESPACE)]
    if cluster is None:
        return rights
    return [
        *rights,
        Right("get", MANAGED_CLUSTERS.plural, group=CLUSTER_GROUP, name=cluster),
        *(
            Right(verb, kind.plural, group=RBAC_GROUP)
            for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
            for verb in ("get", "create", "patch")
        ),
        # To see that what keeps the token to its cluster is in place; the hub puts it there.
        *(
            Right("get", kind.plural, group=ADMISSION_GROUP, name=guard)
            for kind in (POLICIES, POLICY_BINDINGS)
            for guard in (CLUSTER_GUARD_NAME, REQUEST_GUARD_NAME)
        ),
    ]


def list_(arguments: Sequence[str]) -> int:
    """Show the tokens with which clusters may join; return the exit status."""
    # Here, so that nothing else carries what only terminals need.
    from towline_hub.joining.token_report import print_tokens

    settings = load(TokenListSettings, arguments, prog="towline token list")
    tokens = asyncio.run(_list(settings))
    now = SYSTEM_CLOCK.now()
    if settings.output is OutputKind.JSON:
        _print_json([listed_token_json(token, now=now) for token in tokens])
    else:
        print_tokens(tokens, now=now)
    return 0


async def _list(settings: TokenListSettings) -> list[ListedToken]:
    async with operator_client(settings.kubeconfig) as client:
        await check_rights(client, rights_to_list(), to="to see tokens")
        return await list_tokens(client)


def rights_to_list() -> list[Right]:
    """Return what seeing tokens takes."""
    return [Right("list", SECRETS.plural, namespace=TOKEN_NAMESPACE)]


def revoke(arguments: Sequence[str]) -> int:
    """Revoke a token and tell what is left of it; return the exit status."""
    settings = load(TokenRevokeSettings, arguments, prog="towline token revoke")
    done = asyncio.run(_revoke(settings))
    if settings.output is OutputKind.JSON:
        _print_json(revocation_json(done))
    else:
        for line in revocation_lines(done):
            print(line)  # noqa: T201 - what was asked for
    return 0


async def _revoke(settings: TokenRevokeSettings) -> Revocation:
    async with operator_client(settings.kubeconfig) as client:
        await check_rights(client, rights_to_revoke(), to="to revoke a token")
        return await revoke_token(client, settings.token_id)


def rights_to_revoke() -> list[Right]:
    """Return what revoking a token takes."""
    return [
        *(
            Right(verb, SECRETS.plural, namespace=TOKEN_NAMESPACE)
            for verb in ("get", "list", "delete")
        ),
        *(
            Right(verb, kind.plural, group=RBAC_GROUP)
            for kind in (CLUSTER_ROLES, CLUSTER_ROLE_BINDINGS)
            for verb in ("list", "delete")
        ),
    ]


def new_token_line(new: NewToken) -> str:
    """Return what a new token is good for."""
    for_whom = "any new cluster" if new.cluster is None else f"cluster {new.cluster} alone"
    return (
        f"token {new.token.token_id}: {for_whom} may join with it until "
        f"{format_time(new.expires)}; it is not shown again"
    )


def new_token_json(new: NewToken) -> dict[str, Any]:
    """Return all about a new token, the token included."""
    return {
        "token": new.token.bearer,
        "id": new.token.token_id,
        "cluster": new.cluster,
        "expires": format_time(new.expires),
    }


def listed_token_json(token: ListedToken, *, now: datetime) -> dict[str, Any]:
    """Return what may be shown of a token."""
    return {
        "id": token.token_id,
        "cluster": token.cluster,
        "created": format_time(token.created),
        "expires": None if token.expires is None else format_time(token.expires),
        "expired": token.is_expired(now),
        "description": token.description,
        "problem": token.problem,
    }


def revocation_lines(done: Revocation) -> list[str]:
    """Return what revoking a token did, and what it could not undo, in lines for a terminal."""
    lines = [
        f"token {done.token_id}: revoked"
        if done.found
        else f"token {done.token_id}: there is none; it was revoked, or ended by itself"
    ]
    lines += [
        f"cluster {cluster}: the rights of its tokens are removed; it has none left"
        for cluster in done.unbound
    ]
    lines += [
        f"request {name}: made with the token and undecided; `kubectl certificate deny {name}` "
        "ends it"
        for name in done.pending
    ]
    if done.clusters:
        lines.append(
            f"asked for with it lately: {', '.join(done.clusters)}; `towline deny CLUSTER` or "
            "`towline remove CLUSTER` ends one that should not be"
        )
    if done.found:
        lines.append(
            "certificates that were issued by means of it live on: a cluster that has joined stays"
        )
    return lines


def revocation_json(done: Revocation) -> dict[str, Any]:
    """Return what revoking a token did, for programs."""
    return {
        "id": done.token_id,
        "found": done.found,
        "clusters": list(done.clusters),
        "pendingRequests": list(done.pending),
        "rightsRemovedFor": list(done.unbound),
    }


def _print_json(document: object) -> None:
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
