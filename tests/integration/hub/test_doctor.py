"""`towline doctor` on a hub that is well, and after somebody broke it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from integration.conftest import MakePlane
from integration.hub.conftest import HUB_USER, hub_settings
from integration.hub.spoke import eventually
from support.plane_clients import admin_client, client_of
from support.tasks import background
from towline_api import names
from towline_api.bootstrap_tokens import TOKEN_NAMESPACE, BootstrapToken
from towline_api.rbac_subjects import user_subject
from towline_api.resources import (
    CLUSTER_ROLE_BINDINGS,
    CLUSTER_ROLES,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTERS,
    NAMESPACES,
    SECRETS,
)
from towline_hub import daemon
from towline_hub.clusters.acceptance_guard import GUARD_NAME, POLICY_BINDINGS
from towline_hub.clusters.rbac import cluster_role_binding
from towline_hub.deploying.installed_settings import DEPLOYMENTS
from towline_hub.deploying.manifest_files import manifests_of
from towline_hub.deploying.manifests import HubInstallation
from towline_hub.doctor.commands import doctor
from towline_hub.doctor.findings import Diagnosis, Verdict
from towline_hub.doctor.gathering import Doctor
from towline_hub.permissions import HUB_ROLE
from towline_kube.client import Client
from towline_kube.errors import ApiError
from towline_sandbox.plane import ControlPlane


@pytest_asyncio.fixture
async def plane(make_plane: MakePlane) -> ControlPlane:
    """A plane of our own: what is broken here, others stand on."""
    return await make_plane("doctor")


@pytest_asyncio.fixture
async def admin(plane: ControlPlane, tmp_path: Path) -> AsyncIterator[Client]:
    """The administrator of a hub that has been at work."""
    async with admin_client(plane) as client:
        settings = await hub_settings(plane, client, tmp_path)
        stop = asyncio.Event()
        async with background(daemon.run(settings, stop), name="run-hub") as task:

            async def is_prepared() -> bool | None:
                try:
                    await client.list(MANAGED_CLUSTERS)
                except ApiError:
                    return None
                found = await client.find(
                    CLUSTER_ROLE_BINDINGS, names.BOOTSTRAP_CLUSTER_ROLE_BINDING
                )
                return True if found is not None else None

            await eventually(is_prepared, what="what a hub puts in place")
            stop.set()
            await asyncio.wait([task])
        yield client


async def examined(client: Client) -> dict[str, Verdict]:
    """Return the worst verdict of each check."""
    order = list(Verdict)
    found: dict[str, Verdict] = {}
    for finding in (await diagnosed(client)).findings:
        before = found.get(finding.check, Verdict.OK)
        found[finding.check] = max(before, finding.verdict, key=order.index)
    return found


async def diagnosed(client: Client) -> Diagnosis:
    return await Doctor(client, namespace=names.HUB_NAMESPACE, hub_user=HUB_USER).examine()


async def test_each_fault_is_found_and_nothing_else(admin: Client) -> None:
    """What is broken turns red alone, so that the colour means something."""
    well = await examined(admin)
    # Nothing runs in pods here, and nobody made a token.
    assert {check for check, verdict in well.items() if verdict is not Verdict.OK} <= {
        "replicas",
        "settings",
        "leader",
        "bootstrap tokens",
    }
    assert Verdict.FAIL not in well.values()

    role = await admin.get(CLUSTER_ROLES, HUB_ROLE)
    await admin.patch(CLUSTER_ROLES, HUB_ROLE, {"rules": role["rules"][1:]})
    assert await changed(admin, well) == {"rights": Verdict.FAIL}
    await admin.patch(CLUSTER_ROLES, HUB_ROLE, {"rules": role["rules"]})

    too_much = cluster_role_binding(
        "far-too-much", role="cluster-admin", subjects=[user_subject(HUB_USER)], labels={}
    )
    await admin.apply(CLUSTER_ROLE_BINDINGS, too_much)
    assert await changed(admin, well) == {"rights beyond": Verdict.FAIL}
    await admin.delete(CLUSTER_ROLE_BINDINGS, "far-too-much")

    harmless = cluster_role_binding(
        "not-shipped", role="view", subjects=[user_subject(HUB_USER)], labels={}
    )
    await admin.apply(CLUSTER_ROLE_BINDINGS, harmless)
    assert (await changed(admin, well))["rights beyond"] in (Verdict.WARN, Verdict.FAIL)
    await admin.delete(CLUSTER_ROLE_BINDINGS, "not-shipped")

    await admin.delete(POLICY_BINDINGS, GUARD_NAME)
    await admin.delete(CLUSTER_ROLES, names.BOOTSTRAP_CLUSTER_ROLE)
    await admin.delete(
        CUSTOM_RESOURCE_DEFINITIONS, "addondeploymentconfigs.addon.open-cluster-management.io"
    )
    assert await changed(admin, well) == {
        "acceptance guard": Verdict.FAIL,
        "bootstrap role": Verdict.FAIL,
        "CRD addondeploymentconfigs": Verdict.FAIL,
    }


async def changed(admin: Client, before: dict[str, Verdict]) -> dict[str, Verdict]:
    now = await examined(admin)
    return {check: verdict for check, verdict in now.items() if before.get(check) is not verdict}


async def test_a_token_for_any_cluster_that_lasts_a_year_is_told(admin: Client) -> None:
    """Somebody made it for a demonstration."""
    secret = BootstrapToken.create().as_secret(
        groups=[names.BOOTSTRAP_GROUP], expires=datetime.now(UTC) + timedelta(days=365)
    )
    await admin.create(SECRETS, secret)
    finding = next(
        item for item in (await diagnosed(admin)).findings if item.check == "bootstrap tokens"
    )
    assert finding.verdict is Verdict.WARN
    assert secret["metadata"]["name"] in finding.found
    assert secret["stringData"]["token-secret"] not in finding.found
    await admin.delete(SECRETS, secret["metadata"]["name"], namespace=TOKEN_NAMESPACE)


async def install(client: Client, **settings: object) -> None:
    """Put the Deployment and the settings of a hub in place; nothing runs them."""
    manifests = manifests_of(HubInstallation())
    await client.apply(NAMESPACES, manifests.objects["namespace.yaml"][0])
    config_map = manifests.settings.as_config_map()
    config_map["data"] = {manifests.settings.name: yaml.safe_dump(settings)}
    await client.apply(CONFIG_MAPS, config_map)
    await client.apply(DEPLOYMENTS, manifests.objects[manifests.workload][0])


async def test_the_settings_of_the_installed_hub_decide_what_is_looked_at(admin: Client) -> None:
    """A hub beside another's is not to guard what is the other's."""
    await install(admin, **{"auto-aprove": ["x"]})
    found = {item.check: item for item in (await diagnosed(admin)).findings}
    assert found["settings"].verdict is Verdict.FAIL
    assert "auto-aprove" in found["settings"].found
    assert found["replicas"].verdict is Verdict.FAIL, "nothing runs pods here"
    await install(admin, **{"addons-only": True, "addons": ["hello"]})
    found = {item.check: item for item in (await diagnosed(admin)).findings}
    assert found["settings"].verdict is Verdict.OK
    assert "towline-addons" in found["leader"].found
    assert not {"acceptance guard", "bootstrap role", "other hubs"} & found.keys()


async def test_the_hub_may_examine_itself_and_a_stranger_learns_what_it_takes(
    admin: Client,
    plane: ControlPlane,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Never a traceback where rights are missing, and no change to anything."""
    versions = [obj["metadata"]["resourceVersion"] for obj in (await admin.list(NAMESPACES)).items]
    async with client_of(await plane.kubeconfig_for(HUB_USER)) as hub:
        own = await examined(hub)
    assert own["rights"] is Verdict.OK
    assert own["bootstrap tokens"] is Verdict.UNSEEN
    assert Verdict.FAIL not in own.values()
    kubeconfig = tmp_path / "nobody.kubeconfig"
    kubeconfig.write_text(await plane.kubeconfig_for("nobody-at-all"))
    words = ["--kubeconfig", str(kubeconfig), "--hub-user", HUB_USER]
    assert await asyncio.to_thread(doctor, words) == 0
    said = capsys.readouterr().out
    assert "the right to list" in " ".join(said.split())
    assert "0 wrong" in said
    kubeconfig.write_text(plane.admin_kubeconfig())
    assert await asyncio.to_thread(doctor, [*words, "-o", "json"]) == 0
    assert '"well": true' in capsys.readouterr().out
    assert versions == [
        obj["metadata"]["resourceVersion"] for obj in (await admin.list(NAMESPACES)).items
    ]
