"""Both API versions of add-ons on one hub, whoever speaks which."""

import asyncio
import copy
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml
from hypothesis import HealthCheck, Phase, given, settings

from integration.conftest import MakePlane
from integration.hub.spoke import Spoke, eventually, issued, join, until_condition
from integration.hub.version_hub import CONVERTED, GROUP, VersionHub, version_hub
from support.drawn_addons import drawn
from support.tasks import background
from towline_agent.daemon import run as run_agent
from towline_api.condition_types import REGISTRATION_APPLIED
from towline_api.crds import HUB_KINDS, crds, url_conversion
from towline_api.resources import (
    ADDON_DEPLOYMENT_CONFIGS,
    ADDON_DEPLOYMENT_CONFIGS_V1BETA1,
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
    CLUSTER_ROLE_BINDINGS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTER_ADDONS_V1BETA1,
    NAMESPACES,
    SECRETS,
    KubeObject,
    Resource,
)
from towline_certs import generate_key
from towline_hub import daemon
from towline_hub.crd_installation import hub_crds, set_up_crds, wait_until_served
from towline_hub.metrics import HubMetrics
from towline_hub.permissions import CRD_INSTALLER_ROLE
from towline_hub.webhook.address import OnThisMachine
from towline_hub.webhook.certificate_stores import InProcess
from towline_hub.webhook.conversion_webhook import ConversionWebhook
from towline_hub.webhook.serving_certificate import Certificates, Lifetimes
from towline_kube.client import Client
from towline_kube.clock import SYSTEM_CLOCK
from towline_kube.errors import ApiError, Invalid, NotServed
from towline_kube.kubeconfig import parse_kubeconfig
from towline_sandbox.in_process import admin_client, prepare_agent, prepare_hub, running
from towline_sandbox.plane import ControlPlane
from towline_sandbox.ports import reserve_port

ANNOTATION = "addon.open-cluster-management.io/v1alpha1-install-namespace"
KUBE_CLIENT = "kubernetes.io/kube-apiserver-client"


@pytest_asyncio.fixture
async def hub(make_plane: MakePlane, tmp_path: Path) -> AsyncIterator[VersionHub]:
    """A hub cluster that nobody else has."""
    async with version_hub(await make_plane("versions"), tmp_path) as made:
        yield made


@pytest_asyncio.fixture
async def spoke(hub: VersionHub, cluster_name: str) -> AsyncIterator[Spoke]:
    """A managed cluster's agent that this hub does not know yet."""
    connection = parse_kubeconfig(await hub.plane.bootstrap_kubeconfig(), source="bootstrap")
    async with Client(connection, field_manager="test-bootstrap") as bootstrap:
        yield Spoke(hub.plane, cluster_name, bootstrap)


def form(
    kind: str, version: str, name: str, namespace: str | None = None, **spec: Any
) -> KubeObject:
    """Return what somebody writes into a file for kubectl."""
    metadata: dict[str, Any] = {"name": name} | ({"namespace": namespace} if namespace else {})
    return {
        "apiVersion": f"{GROUP}/{version}",
        "kind": kind,
        "metadata": metadata,
        "spec": spec,
    }


async def test_the_forms_of_the_guide_work_in_either_version(hub: VersionHub) -> None:
    """What people have in their files goes in as it is, and comes out in both versions."""
    async with hub.running():
        await hub.admin.create(NAMESPACES, {"metadata": {"name": "cluster1"}})
        written = [
            form(
                "ClusterManagementAddOn",
                "v1alpha1",
                "helloworld",
                addOnMeta={"displayName": "helloworld"},
            ),
            form(
                "ManagedClusterAddOn",
                "v1alpha1",
                "helloworld",
                "cluster1",
                installNamespace="helloworld",
            ),
        ]
        for obj in written:
            assert "created" in await hub.kubectl("apply", "-f", "-", stdin=obj)
        for obj in written:
            assert "unchanged" in await hub.kubectl("apply", "-f", "-", stdin=obj)
        new = await hub.read("managedclusteraddons", "v1beta1", "helloworld", "cluster1")
        assert new["metadata"]["annotations"][ANNOTATION] == "helloworld"
        assert "installNamespace" not in new["spec"]
        new = await hub.read("clustermanagementaddons", "v1beta1", "helloworld")
        assert new["spec"]["addOnMeta"] == {"displayName": "helloworld"}

        newer = [
            form(
                "ClusterManagementAddOn",
                "v1beta1",
                "newer",
                addOnMeta={"displayName": "newer"},
                defaultConfigs=[
                    {"group": GROUP, "resource": "addondeploymentconfigs", "name": "x"},
                    {"group": "", "resource": "configmaps", "name": "__reserved_no_default__"},
                ],
            ),
            form("ManagedClusterAddOn", "v1beta1", "newer", "cluster1"),
            form("AddOnDeploymentConfig", "v1beta1", "x", "cluster1"),
        ]
        newer[1]["metadata"]["annotations"] = {ANNOTATION: "elsewhere"}
        for obj in newer:
            assert "created" in await hub.kubectl("apply", "-f", "-", stdin=obj)
        for obj in newer:
            assert "unchanged" in await hub.kubectl("apply", "-f", "-", stdin=obj)
        old = await hub.read("managedclusteraddons", "v1alpha1", "newer", "cluster1")
        assert old["spec"]["installNamespace"] == "elsewhere"
        assert ANNOTATION not in old["metadata"]["annotations"]
        old = await hub.read("clustermanagementaddons", "v1alpha1", "newer")
        assert old["spec"]["supportedConfigs"] == [
            {
                "group": GROUP,
                "resource": "addondeploymentconfigs",
                "defaultConfig": {"name": "x"},
            },
            {"group": "", "resource": "configmaps"},
        ]
        # In the version an API server prefers, with its columns, and all namespaces at once.
        assert "helloworld" in await hub.kubectl("get", "mca", "--all-namespaces")
        assert "CRD NAME" not in await hub.kubectl("get", "cma")
        assert await hub.kubectl("get", f"addondeploymentconfigs.v1alpha1.{GROUP}", "-A")


async def test_who_speaks_the_newer_version_is_understood(hub: VersionHub, spoke: Spoke) -> None:
    """An add-on of OCM's present framework, with its agent, at our hub."""
    async with hub.running(), await join(spoke, hub.admin) as agent:
        await hub.admin.create(
            CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
            {
                "metadata": {"name": "newer"},
                "spec": {"defaultConfigs": [
                    {"group": GROUP, "resource": ADDON_DEPLOYMENT_CONFIGS.plural,
                     "namespace": "default", "name": "all"},
                ]},
            },
        )  # fmt: skip
        await hub.admin.create(
            MANAGED_CLUSTER_ADDONS_V1BETA1,
            {"metadata": {"name": "newer", "namespace": spoke.cluster}, "spec": {}},
        )
        # Through either endpoint the same: what our hub wrote as v1alpha1 is read as v1beta1.
        found = await until_condition(
            agent,
            MANAGED_CLUSTER_ADDONS_V1BETA1,
            "newer",
            REGISTRATION_APPLIED,
            "True",
            namespace=spoke.cluster,
        )
        (registration,) = copy.deepcopy(found["status"]["registrations"])
        assert registration["type"] == "kubeClient"
        assert registration["kubeClient"]["subject"]["groups"]
        registration["kubeClient"]["driver"] = "csr"
        declared = await agent.patch_status(
            MANAGED_CLUSTER_ADDONS_V1BETA1,
            found,
            {**found["status"], "registrations": [registration]},
        )
        assert declared["status"]["registrations"] == [registration]
        stored = await hub.admin.get(MANAGED_CLUSTER_ADDONS, "newer", namespace=spoke.cluster)
        assert stored["status"]["kubeClientDriver"] == "csr"
        assert stored["status"]["registrations"][0]["signerName"] == KUBE_CLIENT
        # And the hub goes on from there: it approves what such an agent asks for.
        name = await spoke.ask_for_addon("newer", client=agent, key=generate_key())
        assert await issued(hub.admin, name)


async def test_watching_in_the_newer_version_sees_every_change(hub: VersionHub) -> None:
    """Watches are converted event by event."""
    async with hub.running():
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
        seen: list[str] = []

        async def watch() -> None:
            async for event in hub.admin.watch(CLUSTER_MANAGEMENT_ADDONS_V1BETA1):
                if event.type in ("ADDED", "MODIFIED"):
                    assert event.object["apiVersion"] == f"{GROUP}/v1beta1"
                    seen.append(event.object["spec"].get("addOnMeta", {}).get("displayName", ""))
                if seen[-1:] == ["now"]:
                    return

        async with background(watch(), name="watch") as watching:
            await eventually(lambda: _there(seen), what="the first event")
            patch = {"spec": {"addOnMeta": {"displayName": "now"}}}
            await hub.admin.patch(CLUSTER_MANAGEMENT_ADDONS, "a", patch)
            async with asyncio.timeout(20):
                await watching


async def _there(seen: list[str]) -> bool | None:
    return bool(seen) or None


async def test_without_the_webhook_the_stored_version_goes_on(
    hub: VersionHub, spoke: Spoke
) -> None:
    """Clusters join and add-ons register; only who asks for the newer version has to wait."""
    async with hub.running():
        with reserve_port() as nobody:
            dead = f"https://127.0.0.1:{nobody.getsockname()[1]}/convert"
        for name in CONVERTED:
            crd = await hub.crd(name)
            crd["spec"]["conversion"]["webhook"]["clientConfig"]["url"] = dead
            await hub.admin.replace(CUSTOM_RESOURCE_DEFINITIONS, crd)
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})

        async def is_gone() -> bool | None:
            try:
                await hub.admin.get(CLUSTER_MANAGEMENT_ADDONS_V1BETA1, "a")
            except ApiError as error:
                return "conversion" in str(error) or None
            return None

        await eventually(is_gone, what="the end of conversion")
        async with await join(spoke, hub.admin) as agent:
            await hub.admin.create(
                MANAGED_CLUSTER_ADDONS,
                {"metadata": {"name": "a", "namespace": spoke.cluster}, "spec": {}},
            )
            await until_condition(
                agent,
                MANAGED_CLUSTER_ADDONS,
                "a",
                REGISTRATION_APPLIED,
                "True",
                namespace=spoke.cluster,
            )
            name = await spoke.ask_for_addon("a", client=agent, key=generate_key())
            assert await issued(hub.admin, name)


async def test_a_hub_that_starts_again_is_found_again(hub: VersionHub) -> None:
    """At its former place if that is free, and with certificates that are trusted now."""
    async with hub.running():
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
        before = (await hub.crd(CONVERTED[0]))["spec"]["conversion"]["webhook"]["clientConfig"]
        await hub.admin.get(CLUSTER_MANAGEMENT_ADDONS_V1BETA1, "a")
    async with hub.running():
        after = (await hub.crd(CONVERTED[0]))["spec"]["conversion"]["webhook"]["clientConfig"]
        assert after["url"] == before["url"]
        assert after["caBundle"] != before["caBundle"]
        await _until_converted(hub)
    port = int(before["url"].split(":")[2].split("/")[0])
    taken = await asyncio.start_server(lambda *_: None, "127.0.0.1", port)
    async with taken, hub.running():
        moved = (await hub.crd(CONVERTED[0]))["spec"]["conversion"]["webhook"]["clientConfig"]
        assert moved["url"] != before["url"]
        await _until_converted(hub)


async def _until_converted(hub: VersionHub) -> None:
    """Wait until the API server has heard of a changed CRD: it takes a moment."""

    async def converted() -> KubeObject | None:
        try:
            return await hub.admin.get(CLUSTER_MANAGEMENT_ADDONS_V1BETA1, "a")
        except ApiError:
            return None

    await eventually(converted, what="a conversion")


async def test_a_hub_told_to_do_without_withdraws_the_newer_version(hub: VersionHub) -> None:
    """A version that nobody converts would keep namespaces from ending."""
    async with hub.running():
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
    async with hub.running(webhook=False):
        for name in CONVERTED:
            spec = (await hub.crd(name))["spec"]
            assert [version["name"] for version in spec["versions"]] == ["v1alpha1"]
            assert spec["conversion"]["strategy"] == "None"
        assert await hub.admin.get(CLUSTER_MANAGEMENT_ADDONS, "a")
    async with hub.running():
        await _until_converted(hub)


async def test_a_hub_that_may_not_install_leads_printed_crds_to_its_webhook(
    hub: VersionHub,
) -> None:
    """An administrator applied what `towline crds` prints; the hub may only patch two of them."""
    for crd in hub_crds():
        await hub.admin.create(CUSTOM_RESOURCE_DEFINITIONS, crd)
    await hub.admin.delete(CLUSTER_ROLE_BINDINGS, CRD_INSTALLER_ROLE)
    async with hub.running(install_crds=False):
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
        await _until_converted(hub)


FOLDER = os.environ.get("OCM_CRDS")


def crds_of_ocm() -> list[KubeObject]:
    """Return the CRDs of a hub of OCM's, with all versions of add-on kinds."""
    folder = Path(FOLDER or "")
    files = [*folder.glob("addon-v1beta1-*.yaml"), *folder.glob("0000_0*")]
    return [yaml.safe_load(file.read_text()) for file in sorted(files)]


@pytest.mark.skipif(FOLDER is None, reason="OCM_CRDS does not name a folder with OCM's CRD files")
async def test_crds_of_ocm_and_their_webhook_stay_as_they_are(
    hub: VersionHub, spoke: Spoke
) -> None:
    """On such a hub the other program converts, and ours speaks the stored version."""
    conversion = {
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {
                "service": {
                    "name": "cluster-manager-addon-webhook",
                    "namespace": "open-cluster-management-hub",
                    "path": "/convert",
                    "port": 9443,
                }
            },
            "conversionReviewVersions": ["v1", "v1beta1"],
        },
    }
    before = []
    for crd in crds_of_ocm():
        if crd["metadata"]["name"] in CONVERTED:
            crd["spec"]["conversion"] = conversion
        made = await hub.admin.create(CUSTOM_RESOURCE_DEFINITIONS, crd)
        before.append((made["metadata"]["name"], made["spec"]))
    async with hub.running() as running:
        async with await join(spoke, hub.admin) as agent:
            await hub.admin.create(
                CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}}
            )
            await hub.admin.create(
                MANAGED_CLUSTER_ADDONS,
                {"metadata": {"name": "a", "namespace": spoke.cluster}, "spec": {}},
            )
            await until_condition(
                agent,
                MANAGED_CLUSTER_ADDONS,
                "a",
                REGISTRATION_APPLIED,
                "True",
                namespace=spoke.cluster,
            )
        for name, spec in before:
            assert (await hub.crd(name))["spec"] == spec
        assert not [
            call for call in running.calls
            if call.resource == CUSTOM_RESOURCE_DEFINITIONS.qualified and call.verb != "get"
        ]  # fmt: skip


async def serve_newer_alone(admin: Client) -> None:
    """Define the kinds as they may be one day."""
    conversion = url_conversion("https://127.0.0.1:1/convert", ca_pem=b"ca")
    for crd in crds(HUB_KINDS, conversion=conversion):
        spec = crd["spec"]
        spec.pop("conversion", None)
        spec["versions"] = [{**spec["versions"][-1], "storage": True}]
        await admin.create(CUSTOM_RESOURCE_DEFINITIONS, crd)


@pytest.mark.timeout(180)
async def test_our_agent_at_such_a_hub(
    hub: VersionHub, spoke_plane: ControlPlane, cluster_name: str, tmp_path: Path
) -> None:
    """It joins, earns the add-on's credential, and applies and reports its configuration."""
    await serve_newer_alone(hub.admin)
    where = f"addons-{cluster_name}"
    async with admin_client(spoke_plane) as spoke:
        await spoke.create(NAMESPACES, {"metadata": {"name": where}})
    hub_settings = await prepare_hub(hub.plane, folder=tmp_path, install_crds=False)
    agent_settings = await prepare_agent(
        hub.plane, spoke_plane, cluster=cluster_name, folder=tmp_path, addon_namespaces=(where,)
    )
    kind = {"group": GROUP, "resource": ADDON_DEPLOYMENT_CONFIGS.plural}
    await hub.admin.create(NAMESPACES, {"metadata": {"name": "configs"}})
    await hub.admin.create(
        ADDON_DEPLOYMENT_CONFIGS_V1BETA1,
        {
            "metadata": {"name": "all", "namespace": "configs"},
            "spec": {
                "agentInstallNamespace": where,
                "customizedVariables": [{"name": "A", "value": "b"}],
            },
        },
    )
    await hub.admin.create(
        CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
        {
            "metadata": {"name": "a"},
            "spec": {"defaultConfigs": [{**kind, "namespace": "configs", "name": "all"}]},
        },
    )
    async with (
        running("hub", lambda stop: daemon.run(hub_settings, stop)),
        running("agent", lambda stop: run_agent(agent_settings, stop)),
    ):

        async def accepted() -> bool | None:
            return await hub.admin.find(NAMESPACES, cluster_name) is not None or None

        await eventually(accepted, what="the cluster's namespace")
        metadata = {"name": "a", "namespace": cluster_name, "annotations": {ANNOTATION: where}}
        await hub.admin.create(MANAGED_CLUSTER_ADDONS_V1BETA1, {"metadata": metadata, "spec": {}})

        async def applied() -> KubeObject | None:
            found = await hub.admin.get(MANAGED_CLUSTER_ADDONS_V1BETA1, "a", namespace=cluster_name)
            status = found.get("status", {})
            (reference,) = status.get("configReferences") or [{}]
            (registration,) = status.get("registrations") or [{}]
            is_driven = registration.get("kubeClient", {}).get("driver") == "csr"
            return found if "lastAppliedConfig" in reference and is_driven else None

        found = await eventually(applied, what="the configuration", within=60)
        (reference,) = found["status"]["configReferences"]
        assert reference["lastAppliedConfig"] == reference["desiredConfig"]


async def test_a_hub_where_only_the_newer_version_is_served(hub: VersionHub, spoke: Spoke) -> None:
    """OCM may stop serving the older one some day; everything goes on in the newer."""
    await serve_newer_alone(hub.admin)
    async with hub.running(install_crds=False) as running:
        async with await join(spoke, hub.admin) as agent:
            kind = {"group": GROUP, "resource": ADDON_DEPLOYMENT_CONFIGS.plural}
            default = {**kind, "namespace": spoke.cluster, "name": "all"}
            await hub.admin.create(
                CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
                {"metadata": {"name": "a"}, "spec": {"defaultConfigs": [default]}},
            )
            await hub.admin.create(
                MANAGED_CLUSTER_ADDONS_V1BETA1,
                {"metadata": {"name": "a", "namespace": spoke.cluster}, "spec": {}},
            )
            found = await until_condition(
                agent,
                MANAGED_CLUSTER_ADDONS_V1BETA1,
                "a",
                REGISTRATION_APPLIED,
                "True",
                namespace=spoke.cluster,
            )
            assert found["status"]["registrations"][0]["type"] == "kubeClient"
            name = await spoke.ask_for_addon("a", client=agent, key=generate_key())
            assert await issued(hub.admin, name)
            with pytest.raises(NotServed):
                await hub.admin.list(MANAGED_CLUSTER_ADDONS)
        assert running.calls


@pytest.mark.timeout(180)
async def test_conversions_never_fail_while_certificates_and_authorities_change(
    hub: VersionHub,
) -> None:
    """Rotation has to be nobody's business."""
    store, metrics = _Recording(), HubMetrics()
    webhook = ConversionWebhook(
        hub.admin,
        address=OnThisMachine(),
        store=store,
        lifetimes=Lifetimes(
            leaf=timedelta(seconds=4),
            authority=timedelta(seconds=9),
            overlap=timedelta(seconds=2),
        ),
        metrics=metrics,
        clock=SYSTEM_CLOCK,
        look_again=timedelta(seconds=1),
    )
    async with background(webhook.serve(), name="serve"), background(webhook.keep(), name="keep"):
        await set_up_crds(hub.admin, install=True, webhook=webhook)
        await wait_until_served(hub.admin, limit=timedelta(seconds=20), clock=SYSTEM_CLOCK)
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
        await _until_converted(hub)
        asked = 0
        async with asyncio.timeout(120):
            while len(store.authorities) < 3 or len(store.shown) < 6:
                found = await hub.admin.get(CLUSTER_MANAGEMENT_ADDONS_V1BETA1, "a")
                assert found["apiVersion"] == f"{GROUP}/v1beta1"
                asked += 1
                await asyncio.sleep(0.03)
        assert asked > 20
    counted = metrics.registry.get_sample_value
    labels = {"to": "v1beta1", "outcome": "converted"}
    assert (counted("towline_hub_conversions_total", labels) or 0) >= asked
    ends = {"certificate": "webhook", "signer": ""}
    end = counted("towline_hub_own_certificate_expiry_timestamp_seconds", ends)
    assert end is not None
    # The last one that was shown: it lives for four seconds, and begins some minutes back.
    assert abs(end - SYSTEM_CLOCK.now().timestamp()) < 60


class _Recording(InProcess):
    """Remembers what was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: set[bytes] = set()
        self.authorities: set[bytes] = set()

    async def write(self, held: Certificates) -> None:
        await super().write(held)
        self.shown.add(held.certificate_pem)
        self.authorities.add(held.signing.certificate_pem)


async def test_replicas_share_their_certificates_in_a_secret(hub: VersionHub) -> None:
    """Whoever leads makes them, whoever is asked shows them; under the role that is shipped."""
    await hub.admin.create(NAMESPACES, {"metadata": {"name": "open-cluster-management-hub"}})
    await hub.permit(installs_crds=True, shares_webhook_certificates=True)
    with reserve_port() as reserved:
        port = reserved.getsockname()[1]
    where = {"webhook_url": f"https://127.0.0.1:{port}/convert", "webhook_port": port}
    async with hub.running(**where):
        await hub.admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "a"}, "spec": {}})
        await _until_converted(hub)
        secret = await hub.admin.get(
            SECRETS, "towline-hub-webhook", namespace="open-cluster-management-hub"
        )
        assert {"tls.crt", "tls.key", "ca.crt", "ca.key"} == secret["data"].keys()
    async with hub.running(**where) as again:
        await _until_converted(hub)
        kept = await hub.admin.get(
            SECRETS, "towline-hub-webhook", namespace="open-cluster-management-hub"
        )
        assert kept["data"] == secret["data"]
        writes = [resource for _, resource in again.writes()]
        assert CUSTOM_RESOURCE_DEFINITIONS.qualified not in writes
        assert SECRETS.qualified not in writes


def some(kind: str, version: str, count: int) -> list[KubeObject]:
    """Return objects that an API server accepts, drawn at random."""
    found: list[KubeObject] = []

    @settings(
        max_examples=count,
        database=None,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn(kind, version))
    def collect(obj: KubeObject) -> None:
        found.append(obj)

    collect()
    return found


VERSIONS: dict[tuple[str, str], Resource] = {
    (resource.kind, resource.version): resource
    for resource in (
        CLUSTER_MANAGEMENT_ADDONS,
        CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
        MANAGED_CLUSTER_ADDONS,
        MANAGED_CLUSTER_ADDONS_V1BETA1,
    )
}


@pytest.mark.parametrize(
    "written", VERSIONS.values(), ids=lambda resource: f"{resource.kind}-{resource.version}"
)
async def test_whatever_is_written_in_one_version_survives_being_written_in_the_other(
    hub: VersionHub, written: Resource
) -> None:
    """Through an API server, with its defaults, its pruning and its own checks in between."""
    other = VERSIONS[written.kind, "v1beta1" if written.version == "v1alpha1" else "v1alpha1"]
    # The hub would write into the same objects.
    webhook = ConversionWebhook(
        hub.admin,
        address=OnThisMachine(),
        store=InProcess(),
        lifetimes=Lifetimes.of_leaf(timedelta(hours=1)),
        metrics=HubMetrics(),
        clock=SYSTEM_CLOCK,
    )
    namespace = "default" if written.namespaced else None
    kept = 0
    async with background(webhook.serve(), name="serve"):
        await set_up_crds(hub.admin, install=True, webhook=webhook)
        await wait_until_served(hub.admin, limit=timedelta(seconds=20), clock=SYSTEM_CLOCK)
        for number, obj in enumerate(some(written.kind, written.version, 30)):
            name = f"a{number}"
            metadata = {key: value for key, value in obj["metadata"].items() if key != "uid"}
            place = {"name": name} | ({"namespace": namespace} if namespace else {})
            body = {**obj, "metadata": {**metadata, **place}}
            try:
                made = await hub.admin.create(written, body)
                made = await hub.admin.replace(
                    written, {**made, "status": obj.get("status", {})}, subresource="status"
                )
            except Invalid:
                continue  # two entries of one key, which no schema says and every server checks
            # Read again: what is stored gets the defaults of the stored version when it is read.
            made = await hub.admin.get(written, name, namespace=namespace)
            seen = await hub.admin.get(other, name, namespace=namespace)
            back = await hub.admin.replace(other, {**seen, "spec": seen["spec"]})
            touched = {**back, "status": back.get("status", {})}
            await hub.admin.replace(other, touched, subresource="status")
            after = await hub.admin.get(written, name, namespace=namespace)
            for part in ("spec", "status"):
                assert after.get(part, {}) == made.get(part, {}), (part, made, seen)
            notes = [item["metadata"].get("annotations", {}) for item in (made, after)]
            assert notes[0] == notes[1], seen
            kept += 1
    assert kept > 5
