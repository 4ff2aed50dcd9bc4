"""The manifests as an operator applies them, and the hub under exactly what they grant."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from integration.channel.programs import Program, run_command
from integration.deploy.kustomize import (
    DEPLOY,
    KUBECTL,
    built,
    check_admission,
    deployment_in,
    identity,
    kubectl,
    without_hashes,
)
from integration.hub.spoke import Spoke, decision, eventually, issued, until_condition
from support.pki import Pki
from support.plane_clients import client_of
from towline_api.condition_types import HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.crds import service_conversion
from towline_api.names import HUB_NAMESPACE
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
)
from towline_certs import generate_key
from towline_hub.decisions.accept import accept_cluster
from towline_hub.webhook.definitions import conversion_patch
from towline_kube.client import Client
from towline_sandbox.plane import ControlPlane

BASE = DEPLOY / "hub/base"
SETTINGS = "towline-hub"

pytestmark = [
    pytest.mark.planes("kube", because="only the real thing validates and admits all of it"),
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on PATH"),
    pytest.mark.timeout(240),
]


EXPECTED_WITHOUT_PODS = {"replicas", "conversion webhook"}


async def examine(*words: str) -> set[tuple[str, str]]:
    """Return what a doctor finds: each check with its verdict."""
    outcome = await run_command("doctor", "-o", "json", *words)
    assert outcome.err == "", outcome
    findings = json.loads(outcome.out)["findings"]
    return {(finding["check"], finding["verdict"]) for finding in findings}


async def test_every_overlay_can_be_built_and_changes_only_what_it_says() -> None:
    """An overlay that no longer fits its base fails when it is needed."""
    base = {identity(obj): obj for obj in yaml.safe_load_all(await built(BASE))}
    for overlay, expected in (
        ("prometheus", {"ServiceMonitor"}),
        ("auto-approve", {"ConfigMap", "Deployment"}),
    ):
        text = await built(DEPLOY / "hub/overlays" / overlay)
        found = {identity(obj): obj for obj in yaml.safe_load_all(text)}
        assert {key[0] for key, obj in found.items() if base.get(key) != obj} == expected


async def test_kustomize_and_the_printed_stream_are_the_same() -> None:
    """Two ways to install must not be two hubs."""
    printed = await run_command("manifests", "hub")
    assert printed.status == 0, printed
    with_kustomize, streamed = (
        without_hashes(text, settings=SETTINGS) for text in (await built(BASE), printed.out)
    )
    assert with_kustomize == streamed


async def test_an_overlay_may_move_the_hub_to_another_namespace(tmp_path: Path) -> None:
    """Everything has to move with it: subjects of bindings, and the webhook that the CRDs name."""
    shutil.copytree(BASE, tmp_path / "base")
    (tmp_path / "moved").mkdir()
    overlay = {"namespace": "my-hub", "resources": ["../base"]}
    (tmp_path / "moved" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    printed = await run_command("manifests", "hub", "--namespace", "my-hub")
    moved, streamed = (
        without_hashes(text, settings=SETTINGS)
        for text in (await built(tmp_path / "moved"), printed.out)
    )
    assert moved == streamed


async def test_its_pod_is_admitted_where_only_restricted_ones_are(
    installed: None, admin: Client
) -> None:
    """A pod that nobody admits is a Deployment that is ready never."""
    await check_admission(admin, deployment_in(await built(BASE)))


async def test_applying_again_keeps_what_the_hub_wrote_into_the_crds(
    installed: None, plane: ControlPlane, admin: Client, kubeconfig: Path
) -> None:
    """An upgrade must not take the webhook's authority away, nor stop at a conflict about it."""
    apply = ("apply", "--server-side", "-f", "-")
    text = await built(BASE)
    # Another test's hub is no pod and has its webhook elsewhere, where a Service is not.
    for crd in yaml.safe_load_all(text):
        if crd["kind"] == CUSTOM_RESOURCE_DEFINITIONS.kind and "conversion" in crd["spec"]:
            without = {"spec": {"conversion": {"strategy": "None", "webhook": None}}}
            await admin.patch(CUSTOM_RESOURCE_DEFINITIONS, crd["metadata"]["name"], without)
    forced = await kubectl(*apply, "--force-conflicts", stdin=text, kubeconfig=kubeconfig)
    assert forced.status == 0, forced
    name = MANAGED_CLUSTER_ADDONS.qualified
    live = await admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    wanted = service_conversion(
        "towline-hub-webhook",
        namespace=HUB_NAMESPACE,
        path="/convert",
        ca_pem=Pki("webhook").ca_pem,
    )
    patch = conversion_patch(live, conversion=wanted)
    assert patch is not None
    async with client_of(plane.admin_kubeconfig(), field_manager="towline-hub") as hub:
        await hub.patch(CUSTOM_RESOURCE_DEFINITIONS, name, patch)
    again = await kubectl(*apply, stdin=text, kubeconfig=kubeconfig)
    assert again.status == 0, again
    after = await admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    assert after["spec"]["conversion"] == wanted


async def test_a_cluster_joins_the_installed_hub_with_an_addon(
    hub: Program, plane: ControlPlane, admin: Client, cluster_name: str
) -> None:
    """Exactly the rights that are shipped: one less and a cluster never joins, in some silence."""
    async with client_of(await plane.bootstrap_kubeconfig()) as bootstrap:
        spoke = Spoke(plane, cluster_name, bootstrap)

        async def may_register() -> bool | None:
            allowed = await bootstrap.can_i(
                verb="create", group=MANAGED_CLUSTERS.group, resource=MANAGED_CLUSTERS.plural
            )
            return True if allowed else None

        # The API server takes a moment to heed the rights that the hub has just given.
        await eventually(may_register, what="the right to register")
        await spoke.register()
        request = await spoke.ask()
        assert (await accept_cluster(admin, cluster_name)).approved
        certificate = await issued(admin, request)
    await until_condition(admin, MANAGED_CLUSTERS, cluster_name, HUB_ACCEPTED, "True")
    await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "hello"}, "spec": {}})
    await admin.create(
        MANAGED_CLUSTER_ADDONS,
        {"metadata": {"name": "hello", "namespace": cluster_name}, "spec": {}},
    )
    await until_condition(
        admin,
        MANAGED_CLUSTER_ADDONS,
        "hello",
        REGISTRATION_APPLIED,
        "True",
        namespace=cluster_name,
    )
    async with Client(spoke.connection(certificate), field_manager="test-agent") as agent:
        asked = await spoke.ask_for_addon("hello", client=agent, key=generate_key())
        assert (await decision(admin, asked))[0] == "Approved"
        await issued(admin, asked)
        await spoke.beat(agent)
    # Leaving takes as many rights as coming.
    await admin.delete(MANAGED_CLUSTER_ADDONS, "hello", namespace=cluster_name)
    await admin.delete(MANAGED_CLUSTERS, cluster_name)
    denied = [line for line in hub.said.splitlines() if "not allowed to" in line]
    assert not denied


async def test_the_doctor_finds_the_installed_hub_well(
    hub: Program, admin: Client, kubeconfig: Path
) -> None:
    """What is shipped has to satisfy our own doctor, but for pods, which nothing runs here."""
    found = await examine("--kubeconfig", str(kubeconfig))
    assert {check for check, verdict in found if verdict == "fail"} <= EXPECTED_WITHOUT_PODS
    assert ("rights", "ok") in found
    assert ("rights beyond", "ok") in found
    assert ("acceptance guard", "ok") in found
    assert ("settings", "ok") in found
    assert ("leader", "ok") in found
