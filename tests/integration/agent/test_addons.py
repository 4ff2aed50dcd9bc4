"""An add-on's credentials and health, from its registration to what is left of it: nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from support.played_hub import PlayedHub, agent_for, obj, play_hub, until
from towline_api.names import KUBE_CLIENT_SIGNER
from towline_api.resources import (
    CONFIG_MAPS,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    SECRETS,
    KubeObject,
)
from towline_api.timestamps import format_micro_time
from towline_certs.credentials import from_secret_data, parse_credential_files
from towline_certs.identities import AddonIdentity
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.plane import ControlPlane

ADDON = "helloworld"
SECRET = f"{ADDON}-hub-kubeconfig"


@pytest_asyncio.fixture
async def played(
    hub_plane: ControlPlane, spoke_plane: ControlPlane, cluster_name: str
) -> AsyncIterator[PlayedHub]:
    async with play_hub(hub_plane, spoke_plane, cluster_name) as played:
        await played.make_namespace(played.cluster)
        yield played


async def files(played: PlayedHub, namespace: str, name: str = SECRET) -> dict[str, bytes]:
    secret = await played.find(SECRETS, name, namespace)
    return {} if secret is None else from_secret_data(secret["data"])


async def user(played: PlayedHub, namespace: str) -> str:
    found = await files(played, namespace)
    if not found:
        return ""
    subject = parse_credential_files(found).subject
    return subject.common_name if subject else ""


def registration(agent: str, played: PlayedHub) -> KubeObject:
    identity = AddonIdentity(played.cluster, ADDON, agent)
    subject = {"user": identity.user, "groups": list(identity.groups)}
    return {"signerName": KUBE_CLIENT_SIGNER, "subject": subject}


@asynccontextmanager
async def addon_client(played: PlayedHub, tmp_path: Any) -> AsyncIterator[Client]:
    """Use an add-on's Secret as a pod does: as a directory."""
    for name, content in (await files(played, played.cluster)).items():
        (tmp_path / name).write_bytes(content)
    text = (tmp_path / "kubeconfig").read_text()
    connection = parse_kubeconfig(text, source="secret", base_dir=tmp_path)
    async with Client(connection, field_manager="test") as client:
        yield client


async def test_an_add_on_gets_its_credential_as_ocm_shapes_it(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane, tmp_path: Any
) -> None:
    """Any add-on made for OCM finds its Secret as it expects it, and may do what is granted."""
    await played.install(ADDON, namespace=played.cluster)
    await played.put("settings", {"a": "b"})
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[played.cluster]):

        async def whole() -> bool:
            keys = {"kubeconfig", "cluster-name", "tls.key", "tls.crt"}
            return set(await files(played, played.cluster)) == keys

        await until(whole, "the Secret holds OCM's keys")
        assert (await files(played, played.cluster))["cluster-name"] == played.cluster.encode()
        (request,) = await played.requests()
        assert request["metadata"]["name"].startswith(f"addon-{played.cluster}-{ADDON}-")
        rotated = await until(
            lambda: _with_status(played, "ClusterCertificateRotated", "True"), "it is reported"
        )
        assert rotated["reason"] == "ClientCertificateUpdated"
        assert (await played.addon(ADDON))["status"]["kubeClientDriver"] == "csr"
        async with addon_client(played, tmp_path) as client:
            listed = await client.list(CONFIG_MAPS, namespace=played.cluster)
            assert "settings" in {item["metadata"]["name"] for item in listed.items}
            await client.get(MANAGED_CLUSTER_ADDONS, ADDON, namespace=played.cluster)
            for kind, namespace in (
                (CONFIG_MAPS, "default"),
                (SECRETS, played.cluster),
                (MANAGED_CLUSTER_ADDONS, played.cluster),
                (MANAGED_CLUSTERS, None),
            ):
                with pytest.raises(Forbidden):
                    await client.list(kind, namespace=namespace)
            with pytest.raises(Forbidden):
                await client.create(CONFIG_MAPS, obj(CONFIG_MAPS, "x", played.cluster))


async def test_a_changed_registration_leaves_no_gap(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """The old credential serves until the new one is earned, in a new namespace as well."""
    where, elsewhere = played.cluster, f"{played.cluster}-b"
    await played.make_namespace(elsewhere)
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where, elsewhere]):
        first = await until(lambda: user(played, where), "the first credential is there")
        played.approves = False
        await played.set_status(ADDON, registrations=[registration("second", played)])

        async def asked() -> bool:
            return len(await played.requests()) == 2

        await until(asked, "the second is asked for")
        assert await user(played, where) == first
        played.approves = True

        async def changed() -> bool:
            return (await user(played, where)).endswith(":second")

        await until(changed, "the second is in its place")
        await played.put("settings", {"a": "b"})
        await until(lambda: _copied(played, where), "the configuration is applied")
        played.approves = False
        await played.set_status(ADDON, namespace=elsewhere)
        await until(lambda: _asked(played, 3), "a third is asked for")
        assert await user(played, where)
        played.approves = True
        await until(lambda: user(played, elsewhere), "it is in the other namespace")
        await until(lambda: _copied(played, elsewhere), "so is the configuration")
        await until(lambda: _is_empty(played, where), "nothing is left in the first")


async def test_what_is_gone_leaves_nothing_behind_even_if_the_agent_was_down(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """Credentials of add-ons that were removed meanwhile are not forgotten on the cluster."""
    where = played.cluster
    await played.put("settings", {"a": "b"})
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await until(lambda: user(played, where), "the credential is there")
        await until(lambda: _copied(played, where), "the configuration is applied")
        await until(lambda: played.lease(ADDON, where), "the lease is there")
    foreign = obj(SECRETS, "foreign", where, stringData={"a": "b"})
    await played.spoke.create(SECRETS, foreign)
    await played.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=where)
    assert await user(played, where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):

        async def gone() -> bool:
            return await _is_empty(played, where) and not await played.lease(ADDON, where)

        await until(gone, "everything of the add-on is removed")
        assert await played.find(SECRETS, "foreign", where) is not None


async def _served_too(played: PlayedHub, addon: str, where: str) -> None:
    """Install another add-on, and wait until it has its credential."""
    await played.install(addon, namespace=where)

    async def is_served() -> bool:
        return bool(await files(played, where, f"{addon}-hub-kubeconfig"))

    await until(is_served, f"add-on {addon} has its credential")


async def test_while_an_add_on_is_being_deleted_nothing_is_touched(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """Whoever cleans up after it may need its credential and its configuration."""
    where = played.cluster
    await played.put("settings", {"a": "b"})
    await played.install(ADDON, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await until(lambda: _copied(played, where), "the configuration is applied")
        await _hold(played, ["example.com/hold"])
        await played.hub.delete(MANAGED_CLUSTER_ADDONS, ADDON, namespace=where)
        # Other add-ons, served by the same agent, show that it knows, and had time to do damage.
        await _served_too(played, "second", where)
        await played.hub.delete(CONFIG_MAPS, "settings", namespace=where)
        await _served_too(played, "third", where)
        assert await user(played, where)
        assert await _copied(played, where)
        await _hold(played, [])

        async def gone() -> bool:
            return not await files(played, where) and not await _copied(played, where)

        await until(gone, "it is removed once it is gone")


async def test_an_add_on_s_lease_becomes_its_availability(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """An add-on with a process of its own is as alive as its Lease, whoever renews it."""
    where = played.cluster
    await played.install(ADDON, namespace=where)
    lease = obj(LEASES, ADDON, where, spec={"leaseDurationSeconds": 60})
    async with agent_for(
        played,
        hub_plane,
        spoke_plane,
        namespaces=[where],
        options=lambda options: replace(options, elsewhere=frozenset({ADDON})),
    ):
        unknown = await until(lambda: _with_status(played, "Available", "Unknown"), "no lease")
        assert unknown["reason"] == "ManagedClusterAddOnLeaseNotFound"
        assert f"Lease {ADDON} in namespace {where}" in unknown["message"]
        lease["spec"]["renewTime"] = format_micro_time(datetime.now(UTC) - timedelta(hours=1))
        await played.spoke.create(LEASES, lease)
        available = await until(lambda: _with_status(played, "Available", "True"), "a lease")
        assert available["reason"] == "ManagedClusterAddOnLeaseUpdated"
        assert await played.find(CONFIG_MAPS, "settings", where) is None
        await played.spoke.delete(LEASES, ADDON, namespace=where)
        await until(lambda: _with_status(played, "Available", "Unknown"), "no lease again")
        await played.set_status(ADDON, healthCheck={"mode": "Customized"}, conditions=[])
        await played.spoke.create(LEASES, lease)
        rotated = "ClusterCertificateRotated"
        await until(lambda: _with_status(played, rotated, "True"), "the agent has reported")
        assert not await played.condition(ADDON, "Available"), "the add-on says so itself"


async def test_the_agent_renews_the_lease_of_an_add_on_it_configures_and_no_other(
    played: PlayedHub, hub_plane: ControlPlane, spoke_plane: ControlPlane
) -> None:
    """A Lease that a process renews is never renewed for it: that would hide its death."""
    where = played.cluster
    renewed = format_micro_time(datetime.now(UTC) - timedelta(minutes=1))
    own = obj(LEASES, "second", where, spec={"leaseDurationSeconds": 60, "renewTime": renewed})
    await played.spoke.create(LEASES, own)
    for addon in (ADDON, "second"):
        await played.install(addon, namespace=where)
    async with agent_for(played, hub_plane, spoke_plane, namespaces=[where]):
        await until(lambda: _with_status(played, "Available", "True"), "it is available")
        lease = await played.lease(ADDON, where)
        assert lease is not None
        assert lease["spec"]["leaseDurationSeconds"] == 60
        assert lease["spec"]["holderIdentity"] == "towline-agent"

        async def second_is_configured() -> bool:
            return bool(await played.condition("second", "Progressing"))

        await until(second_is_configured, "the second add-on is configured too")
        second = await played.lease("second", where)
        assert second is not None
        assert second["spec"]["renewTime"] == renewed


async def _with_status(played: PlayedHub, kind: str, status: str) -> dict[str, Any]:
    found = await played.condition(ADDON, kind)
    return dict(found) if found.get("status") == status else {}


async def _hold(played: PlayedHub, finalizers: list[str]) -> None:
    patch = {"metadata": {"finalizers": finalizers}}
    await played.hub.patch(MANAGED_CLUSTER_ADDONS, ADDON, patch, namespace=played.cluster)


async def _copied(played: PlayedHub, namespace: str) -> bool:
    return await played.data("settings", namespace) == {"a": "b"}


async def _asked(played: PlayedHub, count: int) -> bool:
    return len(await played.requests()) == count


async def _is_empty(played: PlayedHub, namespace: str) -> bool:
    return not await files(played, namespace) and not await _copied(played, namespace)
