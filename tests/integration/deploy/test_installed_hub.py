"""The manifests as an operator applies them, and the hub under exactly what they grant."""

import asyncio
import copy
import json
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import yaml

from integration.channel.programs import Outcome, Program, run_command
from integration.hub.spoke import Spoke, decision, eventually, issued, until_condition
from support.pki import Pki
from support.plane_clients import admin_client, client_of
from support.planes import Flavor, open_plane
from support.planes_plugin import record_plane
from towline_api.condition_types import HUB_ACCEPTED, REGISTRATION_APPLIED
from towline_api.crds import service_conversion
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    CUSTOM_RESOURCE_DEFINITIONS,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTERS,
    PODS,
    SERVICE_ACCOUNTS,
    KubeObject,
)
from towline_certs import generate_key
from towline_hub.decisions.accept import accept_cluster
from towline_hub.deploying.deployment import SETTINGS_FILE, hub_arguments
from towline_hub.webhook.definitions import conversion_patch
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import Forbidden
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_sandbox.plane import ControlPlane

DEPLOY = Path(__file__).parents[3] / "deploy" / "hub"
NAMESPACE = "open-cluster-management-hub"
KUBECTL = shutil.which("kubectl")

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


async def kubectl(*words: str, stdin: str = "", kubeconfig: Path | None = None) -> Outcome:
    """Run kubectl to its end."""
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL),
        *([f"--kubeconfig={kubeconfig}"] if kubeconfig else []),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir()},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


async def built(folder: str) -> str:
    outcome = await kubectl("kustomize", str(DEPLOY / folder))
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome.out


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def plane(request: pytest.FixtureRequest, flavor: Flavor) -> AsyncIterator[ControlPlane]:
    """A plane of our own: what is installed here has fixed names."""
    async with open_plane(flavor, "deploy") as opened:
        record_plane(request.config, opened)
        yield opened


@pytest.fixture(scope="module")
def kubeconfig(plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The administrator's."""
    path = tmp_path_factory.mktemp("admin") / "admin.kubeconfig"
    path.write_text(plane.admin_kubeconfig())
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def installed(plane: ControlPlane, kubeconfig: Path) -> None:
    """The base, applied as the README says, after the server has validated every field of it."""
    text = await built("base")
    namespace = yaml.safe_dump(yaml.safe_load((DEPLOY / "base/namespace.yaml").read_text()))
    strict = ("--server-side", "--validate=strict")
    applied = [
        await kubectl("apply", *words, "-f", "-", stdin=stdin, kubeconfig=kubeconfig)
        for words, stdin in (
            (strict, namespace),  # without it, nothing inside can be tried
            ((*strict, "--dry-run=server"), text),
            (strict, text),
        )
    ]
    for outcome in applied:
        assert outcome.status == 0, outcome
        assert "warning" not in outcome.err.lower(), outcome.err


@pytest.fixture
async def admin(plane: ControlPlane) -> AsyncIterator[Client]:
    async with admin_client(plane) as client:
        yield client


def pod_of(deployment: KubeObject, *, name: str) -> KubeObject:
    template = copy.deepcopy(deployment["spec"]["template"])
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name, "namespace": NAMESPACE},
        "spec": template["spec"],
    }


def deployment_in(text: str) -> KubeObject:
    (found,) = [obj for obj in yaml.safe_load_all(text) if obj["kind"] == "Deployment"]
    return dict(found)


async def test_every_overlay_can_be_built_and_changes_only_what_it_says() -> None:
    """An overlay that no longer fits its base fails when it is needed."""
    base = {_key(obj): obj for obj in yaml.safe_load_all(await built("base"))}
    for overlay in ("prometheus", "auto-approve"):
        found = {_key(obj): obj for obj in yaml.safe_load_all(await built(f"overlays/{overlay}"))}
        changed = {key[0] for key, obj in found.items() if base.get(key) != obj}
        assert (
            changed
            == {"prometheus": {"ServiceMonitor"}, "auto-approve": {"ConfigMap", "Deployment"}}[
                overlay
            ]
        )


def _key(obj: KubeObject) -> tuple[str, str]:
    return obj["kind"], obj["metadata"]["name"]


async def test_kustomize_and_the_printed_stream_are_the_same() -> None:
    """Two ways to install must not be two hubs."""
    printed = await run_command("manifests", "hub")
    assert printed.status == 0, printed
    with_kustomize, streamed = (
        {_without_hash(obj): _content(obj) for obj in yaml.safe_load_all(text)}
        for text in (await built("base"), printed.out)
    )
    assert with_kustomize == streamed


async def test_an_overlay_may_move_the_hub_to_another_namespace(tmp_path: Path) -> None:
    """Everything has to move with it: subjects of bindings, and the webhook that the CRDs name."""
    shutil.copytree(DEPLOY / "base", tmp_path / "base")
    (tmp_path / "moved").mkdir()
    overlay = {"namespace": "my-hub", "resources": ["../base"]}
    (tmp_path / "moved" / "kustomization.yaml").write_text(yaml.safe_dump(overlay))
    outcome = await kubectl("kustomize", str(tmp_path / "moved"))
    printed = await run_command("manifests", "hub", "--namespace", "my-hub")
    moved, streamed = (
        {_without_hash(obj): _content(obj) for obj in yaml.safe_load_all(text)}
        for text in (outcome.out, printed.out)
    )
    assert moved == streamed


def _without_hash(obj: KubeObject) -> tuple[str, str]:
    kind, name = _key(obj)
    return kind, "towline-hub" if kind == "ConfigMap" else name


def _content(obj: KubeObject) -> KubeObject:
    copied = copy.deepcopy(obj)
    if copied["kind"] == "ConfigMap":
        copied["data"] = {key: yaml.safe_load(value) for key, value in copied["data"].items()}
        copied["metadata"]["name"] = "towline-hub"
    if copied["kind"] == "Deployment":
        for volume in copied["spec"]["template"]["spec"]["volumes"]:
            if "configMap" in volume:
                volume["configMap"]["name"] = "towline-hub"
    return dict(copied)


async def test_its_pod_is_admitted_where_only_restricted_ones_are(
    installed: None, admin: Client
) -> None:
    """Pod Security looks at pods: a Deployment that breaks the rules is applied without a word."""
    deployment = deployment_in(await built("base"))
    pod = await admin.create(PODS, pod_of(deployment, name="admitted"))
    assert pod["spec"]["serviceAccountName"] == "towline-hub"
    await admin.delete(PODS, "admitted", namespace=NAMESPACE)
    looser: list[dict[str, Any]] = [
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": []}},
        {"runAsNonRoot": False},
    ]
    for change in looser:
        # A twin: the namespace does refuse what is not restricted.
        refused = pod_of(deployment, name="refused")
        refused["spec"]["containers"][0]["securityContext"].update(change)
        with pytest.raises(Forbidden, match="PodSecurity"):
            await admin.create(PODS, refused)


async def test_applying_again_keeps_what_the_hub_wrote_into_the_crds(
    installed: None, plane: ControlPlane, admin: Client, kubeconfig: Path
) -> None:
    """An upgrade must not take the webhook's authority away, nor stop at a conflict about it."""
    apply = ("apply", "--server-side", "-f", "-")
    text = await built("base")
    # Another test's hub is no pod and has its webhook elsewhere.
    forced = await kubectl(*apply, "--force-conflicts", stdin=text, kubeconfig=kubeconfig)
    assert forced.status == 0, forced
    name = MANAGED_CLUSTER_ADDONS.qualified
    live = await admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    wanted = service_conversion(
        "towline-hub-webhook", namespace=NAMESPACE, path="/convert", ca_pem=Pki("webhook").ca_pem
    )
    patch = conversion_patch(live, conversion=wanted)
    assert patch is not None
    async with client_of(plane.admin_kubeconfig(), field_manager="towline-hub") as hub:
        await hub.patch(CUSTOM_RESOURCE_DEFINITIONS, name, patch)
    again = await kubectl(*apply, stdin=text, kubeconfig=kubeconfig)
    assert again.status == 0, again
    after = await admin.get(CUSTOM_RESOURCE_DEFINITIONS, name)
    assert after["spec"]["conversion"] == wanted


async def hub_connection(plane: ControlPlane, admin: Client) -> Connection:
    """Return the way to the API server as the installed service account."""
    answer = await admin.create(
        SERVICE_ACCOUNTS,
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": "towline-hub", "namespace": NAMESPACE},
            "spec": {"expirationSeconds": 3600},
        },
        subresource="token",
    )
    return Connection(
        server=plane.server,
        ca_pem=plane.ca_pem,
        token=str(answer["status"]["token"]),
        source="the service account",
    )


@pytest_asyncio.fixture
async def hub(
    installed: None, plane: ControlPlane, admin: Client, tmp_path: Path
) -> AsyncIterator[Program]:
    """The hub as its container runs it: its arguments, its settings, its service account."""
    deployment = deployment_in(await built("base"))
    pod = deployment["spec"]["template"]["spec"]
    (mounted,) = [item["configMap"]["name"] for item in pod["volumes"] if "configMap" in item]
    settings = await admin.get(CONFIG_MAPS, mounted, namespace=NAMESPACE)
    (tmp_path / SETTINGS_FILE).write_text(settings["data"][SETTINGS_FILE])
    (tmp_path / "hub.kubeconfig").write_text(embed_kubeconfig(await hub_connection(plane, admin)))
    assert pod["containers"][0]["args"] == hub_arguments()
    program = Program(
        [
            *hub_arguments(folder=str(tmp_path)),
            *("--kubeconfig", str(tmp_path / "hub.kubeconfig")),
            # Not a pod of its own, so not its ports either.
            *("--listen", "127.0.0.1:0"),
        ],
        log=tmp_path / "hub.log",
    )
    program.start()
    try:
        await program.until_said("hub runs")
        yield program
    finally:
        status = program.stop()
    assert status == 0, program.said[-2000:]


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
