"""`towline explain` on a real hub whose links are broken one after the other."""

import asyncio
import secrets
from pathlib import Path

import pytest

from integration.hub.conftest import RunHub
from integration.hub.spoke import Spoke, decision, eventually, issued, join, until_condition
from support.plane_clients import client_of
from towline_api import names
from towline_api.addon_codec import V1Alpha1Codec
from towline_api.condition_types import HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_ROLES,
    LEASES,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    ROLE_BINDINGS,
)
from towline_certs import generate_key
from towline_hub.approval.rules import ApprovalRules
from towline_hub.decisions.accept import accept_cluster
from towline_hub.explain.commands import explain
from towline_hub.explain.gathering import Explainer
from towline_hub.explain.links import Link, LinkState
from towline_hub.explain.targets import parse_target
from towline_kube.client import Client
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane


async def broken(client: Client, target: str) -> Link | None:
    """Return the link an explanation finds broken."""
    explainer = Explainer(client, codec=V1Alpha1Codec(), rules=ApprovalRules())
    return (await explainer.explain(parse_target(target))).broken


async def until_broken(client: Client, target: str, name: str | None) -> Link | None:
    """Return the broken link once it is this one; fail with the last one seen."""
    seen: list[Link | None] = []

    async def look() -> tuple[Link | None] | None:
        seen[:] = [await broken(client, target)]
        return (seen[0],) if (seen[0].name if seen[0] else None) == name else None

    try:
        (found,) = await eventually(look, what=f"{name} as the broken link of {target}")
    except AssertionError as error:
        raise AssertionError(f"{error}; last seen: {seen}") from None
    return found


async def test_a_cluster_is_followed_from_nothing_to_its_lease(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """Each step of joining is the broken link until it is taken."""
    name = spoke.cluster
    async with run_hub(auto_approve_groups=()):
        assert (await until_broken(admin, name, "registration")) is not None
        await spoke.register()
        first = await until_broken(admin, name, "acceptance")
        assert first is not None
        assert first.command == f"towline accept {name}"
        request = await spoke.ask()
        waiting = await until_broken(admin, f"csr/{request}", "decision")
        assert waiting is not None
        assert waiting.command == f"towline accept {name} --request {request}"
        assert (await accept_cluster(admin, name)).approved
        certificate = await issued(admin, request)
        assert await until_broken(admin, f"csr/{request}", None) is None
        await until_condition(admin, MANAGED_CLUSTERS, name, HUB_ACCEPTED, "True")
        await until_broken(admin, name, "joined")
        async with Client(spoke.connection(certificate), field_manager="test-agent") as agent:
            await spoke.report(agent, "ManagedClusterJoined", reason="ManagedClusterJoined")
            await spoke.beat(agent)
            await spoke.report(
                agent, "ManagedClusterConditionAvailable", reason="ManagedClusterAvailable"
            )
        await until_broken(admin, name, None)


async def test_what_somebody_broke_on_the_hub_is_named(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """With no hub at work nothing is put right, and that is what the operator is to hear."""
    name = spoke.cluster
    async with run_hub(), await join(spoke, admin) as agent:
        await spoke.report(agent, "ManagedClusterJoined", reason="ManagedClusterJoined")
        await spoke.beat(agent)
        await spoke.report(
            agent, "ManagedClusterConditionAvailable", reason="ManagedClusterAvailable"
        )
        await until_broken(admin, name, None)
    await admin.patch(
        LEASES,
        names.CLUSTER_LEASE,
        {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}},
        namespace=name,
    )
    lease = await until_broken(admin, name, "lease")
    assert lease is not None
    assert "5m are allowed" in lease.found
    await admin.delete(ROLE_BINDINGS, names.registration_role_binding(name), namespace=name)
    rights = await until_broken(admin, name, "rights")
    assert rights is not None
    assert f"{names.registration_role_binding(name)} is missing" in rights.found
    await admin.patch(CLUSTER_ROLES, names.cluster_role(name), {"rules": []})
    changed = await broken(admin, name)
    assert changed is not None
    assert "grants less" in changed.found
    # A hub at work puts both right, so that the lease is left to blame.
    async with run_hub():
        await until_broken(admin, name, "lease")


async def test_an_addon_is_followed_from_its_definition_to_its_health(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The words of the broken link say what to create, whom to look at, where the lease belongs."""
    name, addon = spoke.cluster, f"hello-{secrets.token_hex(3)}"
    target = f"{name}/{addon}"
    async with run_hub(), await join(spoke, admin) as agent:
        await until_broken(admin, target, "definition")
        await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": addon}, "spec": {}})
        await until_broken(admin, target, "enabled")
        await admin.create(
            MANAGED_CLUSTER_ADDONS, {"metadata": {"name": addon, "namespace": name}, "spec": {}}
        )
        cluster = await until_broken(admin, target, "cluster")
        assert cluster is not None
        assert cluster.command == f"towline explain cluster/{name}"
        await spoke.report(agent, "ManagedClusterJoined", reason="ManagedClusterJoined")
        await spoke.beat(agent)
        await spoke.report(
            agent, "ManagedClusterConditionAvailable", reason="ManagedClusterAvailable"
        )
        await until_condition(
            admin, MANAGED_CLUSTER_ADDONS, addon, REGISTRATION_APPLIED, "True", namespace=name
        )
        await until_broken(admin, target, "request")
        key = generate_key()
        request = await spoke.ask_for_addon(addon, client=agent, key=key)
        await decision(admin, request)
        await issued(admin, request)
        await until_broken(admin, f"csr/{request}", None)
        certificate = await until_broken(admin, target, "certificate")
        assert certificate is not None
        assert "open-cluster-management-agent-addon" in (certificate.fix or "")
    await admin.delete(CLUSTER_MANAGEMENT_ADDONS, addon)


async def test_a_hostile_request_is_explained_as_denied(
    spoke: Spoke, admin: Client, run_hub: RunHub
) -> None:
    """The reason stands on the request; the explanation brings it to whoever asks."""
    async with run_hub():
        await spoke.register()
        request = await spoke.ask(usages=["digital signature", "server auth"])
        assert (await decision(admin, request))[0] == "Denied"
        link = await broken(admin, request)
        assert link is not None
        assert link.name == "decision"
        assert "UsagesNotAllowed" in link.found


async def test_who_may_see_little_is_told_what_it_takes_to_see_more(
    spoke: Spoke, admin: Client, run_hub: RunHub, hub_plane: ControlPlane
) -> None:
    """An agent's own credential can read its cluster and its lease, and no roles."""
    async with run_hub(), await join(spoke, admin) as agent:
        explainer = Explainer(agent, codec=V1Alpha1Codec(), rules=ApprovalRules())
        found = await explainer.cluster(spoke.cluster)
        unseen = {link.name: link.found for link in found.unseen}
        assert {"namespace", "rights"} <= unseen.keys()
        assert "the right to get namespaces" in unseen["namespace"]
        states = {link.name: link.state for link in found.links}
        assert states["acceptance"] is LinkState.HOLDS
    async with client_of(await hub_plane.kubeconfig_for("nobody-at-all")) as nobody:
        with pytest.raises(Forbidden):
            await broken(nobody, spoke.cluster)


async def test_the_command_ends_with_one_for_what_is_broken(
    spoke: Spoke,
    admin: Client,
    run_hub: RunHub,
    hub_plane: ControlPlane,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """So that a script can wait for a cluster."""
    kubeconfig = tmp_path / "admin.kubeconfig"
    kubeconfig.write_text(hub_plane.admin_kubeconfig())
    words = [f"cluster/{spoke.cluster}", "--kubeconfig", str(kubeconfig)]
    async with run_hub(auto_approve_groups=()):
        await spoke.register()
        assert await asyncio.to_thread(explain, words) == 1
        assert f"$ towline accept {spoke.cluster}" in capsys.readouterr().out
        assert await asyncio.to_thread(explain, [*words, "-o", "json"]) == 1
        assert '"broken": "acceptance"' in capsys.readouterr().out
        request = await spoke.ask()
        await accept_cluster(admin, spoke.cluster)
        await issued(admin, request)
        words[0] = f"csr/{request}"
        assert await asyncio.to_thread(explain, words) == 0
        assert "all is well" in capsys.readouterr().out
        await admin.delete(CERTIFICATE_SIGNING_REQUESTS, request)
        assert await asyncio.to_thread(explain, words) == 1
