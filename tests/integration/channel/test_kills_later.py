"""The agent of a cluster that has long joined is killed as it renews, reconfigures and cleans up.

As in `test_kills`, a stage that lasts a millisecond in life is held open by refusing a write, or by
pausing who has to answer. Every kill is SIGKILL, and every start after it has to find its way.
"""

from datetime import UTC, datetime, timedelta

import pytest

from integration.channel.corner import Corner, watched_requests
from integration.channel.programs import Program
from support.waiting import until
from towline_agent.credentials.secret_store import ISSUED_AT_ANNOTATION
from towline_api.names import HUB_KUBECONFIG_SECRET, TLS_CERTIFICATE_KEY, TLS_KEY_KEY
from towline_api.resources import CONFIG_MAPS, MANAGED_CLUSTER_ADDONS, SECRETS
from towline_api.timestamps import format_micro_time
from towline_certs.certificates import find_subject, parse_chain
from towline_certs.credentials import from_secret_data, to_secret_data
from towline_kube.kubeconfig import parse_kubeconfig

pytestmark = pytest.mark.planes("kube", because="what is killed here are processes")

SOON = timedelta(seconds=65)
"""Of a certificate that counts five minutes back: less than a fifth of it is left."""


async def run_until(corner: Corner, *words: str) -> None:
    """Start the agent, let it come to where it says one of these, and kill it there."""
    corner.agent.start()
    await corner.agent.until_said(*words)
    corner.agent.kill()


async def held(corner: Corner) -> bytes:
    """Return the certificate that the agent has stored."""
    secret = await corner.secret()
    assert secret is not None
    return from_secret_data(secret["data"])[TLS_CERTIFICATE_KEY]


async def let_renewal_be_due(corner: Corner) -> None:
    """Put another certificate of the same identity in the store, which ends soon."""
    subject = find_subject(parse_chain(await held(corner))[0])
    assert subject is not None
    kubeconfig = await corner.planes[0].kubeconfig_for(
        subject.common_name, groups=sorted(subject.organizations), lifetime=SOON
    )
    pair = parse_kubeconfig(kubeconfig, source="due")
    assert pair.client_certificate_pem is not None
    assert pair.client_key_pem is not None
    files = {TLS_CERTIFICATE_KEY: pair.client_certificate_pem, TLS_KEY_KEY: pair.client_key_pem}
    long_ago = format_micro_time(datetime.now(UTC) - timedelta(hours=1))
    metadata = {"annotations": {ISSUED_AT_ANNOTATION: long_ago}}
    body = {"data": to_secret_data(files), "metadata": metadata}
    await corner.spoke.patch(SECRETS, HUB_KUBECONFIG_SECRET, body, namespace=corner.namespace)


async def test_killed_at_every_later_stage_it_ends_as_if_nobody_had(
    corner: Corner, hub: Program
) -> None:
    """A node that dies takes the agent with it at any moment of the years it runs."""
    await corner.define_addon()
    await corner.prepare_agent()
    async with watched_requests(corner) as history:
        corner.agent.start()
        await corner.joined()
        await corner.enable_addon()
        await corner.configured()
        corner.agent.kill()
        await renew_in_stages(corner, hub)
        await reconfigure_in_stages(corner)
        await remove_in_stages(corner)
    # One to join and one to renew; the add-on's certificate was not due.
    assert len(history.names()) == 2, history.names()
    assert len(history.names(addon=corner.addon)) == 1, history.names(addon=corner.addon)
    assert history.overlaps() == []


async def renew_in_stages(corner: Corner, hub: Program) -> None:
    await let_renewal_be_due(corner)
    due = await held(corner)
    hub.pause()
    try:
        # Asked, and nobody decides.
        await run_until(corner, "waiting for a certificate")
    finally:
        # What is about to be issued cannot be stored.
        await corner.let_agent_write(where=corner.namespace, verb="update")
        hub.resume()
    await run_until(corner, "credential cannot be kept at the moment")
    assert await held(corner) == due
    await corner.let_agent_write("secrets", where=corner.namespace, verb="update")


async def reconfigure_in_stages(corner: Corner) -> None:
    due = await held(corner)
    await corner.let_agent_write("leases", where=corner.addon_namespace, verb="patch")
    change = {"data": {"message": "good morning"}}
    await corner.hub.patch(CONFIG_MAPS, "greeting", change, namespace=corner.cluster)
    # Changed on the hub, and the change cannot be applied; the renewal ends meanwhile.
    corner.agent.start()
    await corner.agent.until_said("configuration is not wholly in force")

    async def renewed() -> bool:
        return await held(corner) != due

    await until(renewed, what=lambda: corner.agent.said[-2000:])
    corner.agent.kill()
    await corner.let_agent_write("configmaps", "leases", where=corner.addon_namespace, verb="patch")
    corner.agent.start()

    async def applied() -> bool:
        copy = await corner.spoke.get(CONFIG_MAPS, "greeting", namespace=corner.addon_namespace)
        return bool(copy["data"] == change["data"])

    await until(applied, what=lambda: corner.agent.said[-2000:])
    corner.agent.kill()


async def remove_in_stages(corner: Corner) -> None:
    await corner.hub.delete(MANAGED_CLUSTER_ADDONS, corner.addon, namespace=corner.cluster)
    # Something of it is gone, and something may be left.
    await run_until(corner, "removed", "pruned", "credential deleted")
    corner.agent.start()

    async def gone() -> bool:
        copy = await corner.spoke.find(CONFIG_MAPS, "greeting", namespace=corner.addon_namespace)
        left = [copy, await corner.addon_secret(), await corner.managed_addon() or None]
        return left == [None] * len(left)

    await until(gone, what=lambda: corner.agent.said[-2000:])
