"""`towline join-command`: what to run at a managed cluster so that it joins this hub."""

import asyncio
import hmac
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, BootstrapToken, token_secret_name
from towline_api.resources import SECRETS, KubeObject
from towline_api.timestamps import format_time
from towline_hub.decisions.operator_client import operator_client
from towline_hub.decisions.own_rights import check_rights
from towline_hub.joining.bootstrap_tokens import create_token
from towline_hub.joining.hub_address import HubAddress, find_hub_address
from towline_hub.joining.join_texts import (
    check_fits_a_line,
    join_kubeconfig,
    join_line,
    join_secret,
)
from towline_hub.joining.listed_tokens import decoded_value, read_token
from towline_hub.joining.token_commands import new_token_line, rights_to_create
from towline_hub.joining.token_rights import TokenError
from towline_hub.joining.token_settings import JoinCommandSettings, JoinOutput
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.errors import Forbidden
from towline_kube.settings import load


@dataclass(frozen=True, slots=True)
class JoinTicket:
    """A way to the hub and a token to come in with.

    Args:
        address: Where the hub is.
        token: The token.
        cluster: Name the cluster is to have; None leaves it to the agent.
        notes: What a person should know, one line each.
    """

    address: HubAddress
    token: BootstrapToken
    cluster: str | None
    notes: tuple[str, ...]


def join_command(arguments: Sequence[str]) -> int:
    """Print what to run at the managed cluster; return the exit status."""
    settings = load(JoinCommandSettings, arguments, prog="towline join-command")
    ticket = asyncio.run(_make(settings))
    text = _text(ticket, settings.output)
    # Beside it, so that what is printed can be piped on as it is.
    for note in ticket.notes:
        print(f"towline: {note}", file=sys.stderr)  # noqa: T201
    sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
    return 0


def _text(ticket: JoinTicket, output: JoinOutput) -> str:
    match output:
        case JoinOutput.COMMAND:
            return join_line(ticket.address, ticket.token, cluster=ticket.cluster)
        case JoinOutput.KUBECONFIG:
            return join_kubeconfig(ticket.address, ticket.token)
        case JoinOutput.SECRET:
            return join_secret(ticket.address, ticket.token)
        case _:
            assert_never(output)


async def _make(settings: JoinCommandSettings) -> JoinTicket:
    async with operator_client(settings.kubeconfig) as client:
        # First, so that an address that cannot be used leaves no token behind.
        address = await find_hub_address(client, server=settings.server, ca_file=settings.ca_file)
        if settings.output is JoinOutput.COMMAND:
            check_fits_a_line(address)
        cluster = settings.cluster
        if settings.token is not None:
            token = BootstrapToken.parse(settings.token.get_secret_value())
            cluster, notes = await check_token(client, token, cluster=cluster)
        else:
            await check_rights(client, rights_to_create(settings.cluster), to="to make a token")
            new = await create_token(client, ttl=settings.ttl, cluster=settings.cluster)
            token, notes = new.token, [new_token_line(new)]
    if cluster is None and settings.output is JoinOutput.COMMAND:
        notes.append("the cluster will be named by a random UUID; add --cluster-name to choose")
    return JoinTicket(address, token, cluster, (*address.warnings, *notes))


async def check_token(
    client: Client, token: BootstrapToken, *, cluster: str | None, clock: Clock = SYSTEM_CLOCK
) -> tuple[str | None, list[str]]:
    """Look whether a token that somebody made earlier still lets a cluster join.

    Args:
        client: Whom to ask.
        token: The token.
        cluster: The cluster that is to join with it; None if that is left open.
        clock: Where time comes from.

    Returns:
        The one cluster that can join with it, if that is settled, and what a person should know,
        one line each.

    Raises:
        TokenError: It does not.
    """
    try:
        secret = await client.find(
            SECRETS, token_secret_name(token.token_id), namespace=TOKEN_NAMESPACE
        )
    except Forbidden:
        return cluster, [f"token {token.token_id} was not checked: this identity may not read it"]
    listed = None if secret is None else read_token(secret)
    if secret is None or not _is_same(secret, token):
        raise TokenError(
            f"the hub knows no such token {token.token_id}: it has ended, was revoked, or is of "
            "another hub"
        )
    if listed is None:
        raise TokenError(f"token {token.token_id} is not for joining clusters")
    if listed.is_expired(clock.now()):
        raise TokenError(f"token {token.token_id} has expired; make another")
    if listed.problem is not None:
        raise TokenError(f"token {token.token_id} cannot be used: {listed.problem}")
    if listed.cluster is not None and cluster is not None and listed.cluster != cluster:
        raise TokenError(
            f"token {token.token_id} is good for cluster {listed.cluster!r} alone, not for "
            f"{cluster!r}"
        )
    notes = []
    if listed.expires is not None:
        notes.append(f"token {token.token_id} ends at {format_time(listed.expires)}")
    return cluster or listed.cluster, notes


def _is_same(secret: KubeObject, token: BootstrapToken) -> bool:
    stored = decoded_value((secret.get("data") or {}).get("token-secret", ""))
    return hmac.compare_digest(stored.encode(), token.secret.encode())
