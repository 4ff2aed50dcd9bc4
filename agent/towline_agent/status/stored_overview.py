"""How an agent is that cannot be asked: what it has stored, and what the hub says of it."""

import dataclasses
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import assert_never

from towline_agent.agent_clusters import home_connection
from towline_agent.channel.hub_channel import FIELD_MANAGER
from towline_agent.clusters.status import standing_of
from towline_agent.credentials.cluster_identity import cluster_order, stored_identity
from towline_agent.credentials.enrollment import Holding as Held
from towline_agent.credentials.enrollment import NothingStored, Paused, Pending, Unusable, Usable
from towline_agent.credentials.secret_store import SecretStore
from towline_agent.credentials.state import Standing
from towline_agent.credentials.state_tracking import CredentialFacts, advance, first_report
from towline_agent.credentials.stored import Stored, assess, stored_connection
from towline_agent.credentials.stores import CredentialStore, DirectoryCredentialStore
from towline_agent.settings import AgentSettings
from towline_agent.station.overview import CredentialOverview
from towline_agent.status.overview import AgentOverview
from towline_api.errors import ConfigError, TowlineError
from towline_api.resources import MANAGED_CLUSTERS
from towline_certs.credentials import Credential
from towline_certs.identities import ClusterIdentity
from towline_kube.client import Client, user_agent
from towline_kube.clock import SYSTEM_CLOCK, Clock
from towline_kube.connection import Connection
from towline_kube.errors import Forbidden
from towline_kube.retries import RetryPolicy


@dataclass(frozen=True, slots=True)
class _Word:
    """What the hub says of a cluster, or why it cannot be asked."""

    standing: Standing = Standing.UNKNOWN
    at: datetime | None = None
    trouble: str = ""


async def stored_overview(settings: AgentSettings, *, clock: Clock = SYSTEM_CLOCK) -> AgentOverview:
    """Return how an agent is by what it has stored. Writes nothing, anywhere.

    Args:
        settings: Those of the agent.
        clock: Time.

    Raises:
        TowlineError: The store cannot be read.
    """
    async with AsyncExitStack() as stack:
        store = await _store(settings, stack, clock)
        stored = await store.read()
        where = store.description
    identity = stored_identity(stored)
    if identity is None:
        report = first_report(now=clock.now())
        facts = CredentialFacts(reason="NothingStored", message=f"nothing is stored in {where}")
        return AgentOverview(
            cluster=settings.cluster_name or "",
            agent=settings.agent_id or "",
            hub="",
            credential=CredentialOverview(
                store=where,
                report=dataclasses.replace(report, reason=facts.reason, message=facts.message),
                facts=facts,
            ),
        )
    return await _registered(identity, stored, where=where, clock=clock)


async def _registered(
    identity: ClusterIdentity, stored: Stored, *, where: str, clock: Clock
) -> AgentOverview:
    files = {} if stored.credential is None else stored.credential.files
    hub = stored_connection(files)
    now = clock.now()
    server = "" if hub is None else hub.server
    order = cluster_order(identity, lifetime=None)
    holding, credential = assess(stored.credential, order=order, hub=server, now=now)
    word = _Word(trouble="there is no credential to ask the hub with")
    if hub is not None and credential is not None:
        word = await _ask(hub, credential, cluster=identity.cluster, clock=clock)
    facts = stored_facts(holding, credential, stored)
    report = advance(
        first_report(now=now), facts, word.standing, subject=f"cluster {identity.cluster}", now=now
    )
    return AgentOverview(
        cluster=identity.cluster,
        agent=identity.agent,
        hub=server,
        credential=CredentialOverview(store=where, report=report, facts=facts),
        last_contact=word.at,
        trouble=word.trouble,
    )


async def _store(settings: AgentSettings, stack: AsyncExitStack, clock: Clock) -> CredentialStore:
    if settings.state_dir is not None:
        _check_is_there(settings.state_dir)
        return DirectoryCredentialStore(settings.state_dir, clock=clock)
    client = Client(
        home_connection(settings),
        field_manager=FIELD_MANAGER,
        user_agent=user_agent("agent-status"),
        retry=RetryPolicy(attempts=1),
        clock=clock,
    )
    return SecretStore(
        await stack.enter_async_context(client),
        namespace=settings.namespace,
        name=settings.hub_kubeconfig_secret,
        labels={},
        clock=clock,
    )


def _check_is_there(directory: Path) -> None:
    # The store would make it.
    if not directory.is_dir():
        raise ConfigError(f"state-dir: there is no directory {directory}; no agent has begun there")


async def _ask(hub: Connection, credential: Credential, *, cluster: str, clock: Clock) -> _Word:
    """Ask the hub for the cluster, under the stored credential."""
    connection = dataclasses.replace(
        hub,
        client_certificate_pem=credential.certificate_pem,
        client_key_pem=credential.key_pem,
        source="the stored credential",
    )
    try:
        async with Client(
            connection,
            field_manager=FIELD_MANAGER,
            user_agent=user_agent("agent-status"),
            retry=RetryPolicy(attempts=1),
            clock=clock,
        ) as client:
            try:
                live = await client.find(MANAGED_CLUSTERS, cluster)
            except Forbidden:
                # A cluster may see itself once it is accepted.
                return _Word(Standing.WAITING, at=clock.now())
    except TowlineError as error:
        return _Word(trouble=str(error))
    standing = Standing.GONE if live is None else standing_of(live)
    return _Word(standing, at=clock.now())


def stored_facts(holding: Held, credential: Credential | None, stored: Stored) -> CredentialFacts:
    """Return what is known of a stored credential, in the words of the store alone."""
    progress = stored.progress
    pending = progress if isinstance(progress, Pending) else None
    match holding:
        case Usable(renew_at=renew_at):
            reason, message = "Holding", f"renewal is due at {renew_at:%FT%TZ}"
        case Unusable(reason=message):
            reason = "Unusable"
        case NothingStored():
            reason, message = "NothingStored", "no certificate is stored yet"
        case _:
            assert_never(holding)
    if pending is not None:
        reason, message = "RequestPending", f"request {pending.request_name} is under way"
    elif isinstance(progress, Paused):
        reason, message = "Paused", progress.reason
    validity = holding.ended if isinstance(holding, Unusable) else None
    return CredentialFacts(
        reason=reason,
        message=message,
        validity=validity if credential is None else credential.validity,
        renew_at=holding.renew_at if isinstance(holding, Usable) else None,
        request=pending.request_name if pending is not None else None,
        requested_at=pending.created if pending is not None else None,
        is_refused=isinstance(progress, Paused),
    )
