"""The agent as a platform engineer installs it, under exactly what its manifests grant."""

import re
import shutil
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio
import yaml

from integration.channel.programs import Program, run_command
from integration.deploy.kustomize import (
    DEPLOY,
    KUBECTL,
    apply_strictly,
    built,
    check_admission,
    deployment_in,
    service_account_connection,
    settings_mounted_by,
    without_hashes,
)
from integration.hub.spoke import until_condition
from support.waiting import until
from towline_agent.deploying.deployment import BOOTSTRAP_KUBECONFIG, SETTINGS_FILE
from towline_api.condition_types import AVAILABLE, CONFIGURED
from towline_api.names import (
    ADDON_NAMESPACE,
    AGENT_NAMESPACE,
    BOOTSTRAP_SECRET,
    KUBECONFIG_KEY,
)
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CONFIG_MAPS,
    MANAGED_CLUSTER_ADDONS,
    SECRETS,
    KubeObject,
)
from towline_certs.credentials import from_secret_data
from towline_kube.client import Client
from towline_kube.kubeconfig_writing import embed_kubeconfig
from towline_sandbox.plane import ControlPlane

BASE = DEPLOY / "agent/base"
CLUSTER = "cluster1"  # the name in the overlay

pytestmark = [
    pytest.mark.planes("kube", because="only the real thing validates and admits all of it"),
    pytest.mark.skipif(KUBECTL is None, reason="there is no kubectl on PATH"),
    pytest.mark.timeout(240),
]

SERVED = "metrics and health are served"
NOTHING_WRITABLE = textwrap.dedent(
    """
    # A root filesystem that is read-only, as far as Python opens files: nothing else of ours does.
    import os, sys

    def refuse(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            path, mode, flags = os.fsdecode(arguments[0]), arguments[1], arguments[2]
            writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if writes and not path.startswith(("/dev/", "/proc/self/fd/")):
                print(f"WRITES {path}", file=sys.stderr, flush=True)
                raise OSError(30, "Read-only file system", path)
        elif event in ("os.mkdir", "os.rename", "os.symlink"):
            print(f"WRITES {arguments}", file=sys.stderr, flush=True)

    sys.addaudithook(refuse)
    """
)


async def test_kustomize_and_the_printed_stream_are_the_same() -> None:
    """Two ways to install must not be two agents."""
    printed = await run_command("manifests", "agent")
    assert printed.status == 0, printed
    with_kustomize, streamed = (
        without_hashes(text, settings="towline-agent") for text in (await built(BASE), printed.out)
    )
    assert with_kustomize == streamed


async def test_the_overlay_of_a_cluster_cannot_be_built_without_its_credential(
    tmp_path: Path,
) -> None:
    """Better than a cluster that waits for a Secret with a placeholder in it."""
    assert not (DEPLOY / "agent/overlays/cluster1/bootstrap.kubeconfig").exists()
    text = await built(overlay_in(tmp_path, bootstrap="the credential"))
    (secret,) = [obj for obj in yaml.safe_load_all(text) if obj["kind"] == "Secret"]
    assert secret["metadata"]["name"] == BOOTSTRAP_SECRET
    assert secret["metadata"]["namespace"] == AGENT_NAMESPACE
    assert list(secret["data"]) == [KUBECONFIG_KEY]


def overlay_in(folder: Path, *, bootstrap: str) -> Path:
    """Copy the overlay of a cluster, put its credential beside it, and return where."""
    shutil.copytree(DEPLOY / "agent", folder / "agent")
    overlay = folder / "agent/overlays/cluster1"
    (overlay / "bootstrap.kubeconfig").write_text(bootstrap)
    return overlay


@pytest_asyncio.fixture
async def deployed(hub: Program, kubeconfig: Path, tmp_path: Path) -> KubeObject:
    """The overlay of a cluster, applied with what `towline join-command` gave; its Deployment."""
    words = ("join-command", "--cluster", CLUSTER, "-o", "kubeconfig")
    printed = await run_command(*words, "--kubeconfig", str(kubeconfig))
    assert printed.status == 0, printed
    text = await built(overlay_in(tmp_path, bootstrap=printed.out))
    await apply_strictly(text, kubeconfig=kubeconfig)
    return deployment_in(text)


@pytest_asyncio.fixture
async def agent(
    deployed: KubeObject, plane: ControlPlane, admin: Client, tmp_path: Path
) -> AsyncIterator[Program]:
    """The agent as its container runs it: arguments, environment, mounts, service account."""
    (container,) = deployed["spec"]["template"]["spec"]["containers"]
    connection = await service_account_connection(
        plane, admin, name="towline-agent", namespace=AGENT_NAMESPACE
    )
    spoke = tmp_path / "service-account.kubeconfig"
    spoke.write_text(embed_kubeconfig(connection))
    settings = await admin.get(
        CONFIG_MAPS, settings_mounted_by(deployed), namespace=AGENT_NAMESPACE
    )
    bootstrap = await admin.get(SECRETS, BOOTSTRAP_SECRET, namespace=AGENT_NAMESPACE)
    mounted = _mount(tmp_path / "bootstrap", from_secret_data(bootstrap["data"]))
    text = settings["data"][SETTINGS_FILE]
    assert text.count(BOOTSTRAP_KUBECONFIG) == 1
    (tmp_path / SETTINGS_FILE).write_text(
        text.replace(BOOTSTRAP_KUBECONFIG, str(mounted / KUBECONFIG_KEY))
    )
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(NOTHING_WRITABLE)
    environment = {item["name"]: item["value"] for item in container["env"]}
    environment["TOWLINE_CONFIG"] = str(tmp_path / SETTINGS_FILE)
    environment |= {
        # Not a pod of its own: neither its mounts nor its ports.
        "TOWLINE_SPOKE_KUBECONFIG": str(spoke),
        "TOWLINE_LISTEN": "127.0.0.1:0",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(tmp_path / "site"),
        "HOME": "/nonexistent",
        "TMPDIR": "/nonexistent",
    }
    program = Program(
        container["args"], log=tmp_path / "agent.log", environment=environment, cold=True
    )
    program.start()
    try:
        await program.until_said(SERVED)
        yield program
    finally:
        status = program.stop()
    assert status == 0, program.said[-2000:]


def _mount(folder: Path, files: dict[str, bytes]) -> Path:
    """Put files where a kubelet would put those of a Secret, links and all; return the mount."""
    (folder / "..generation").mkdir(parents=True)
    (folder / "..data").symlink_to("..generation")
    for name, content in files.items():
        (folder / "..generation" / name).write_bytes(content)
        (folder / name).symlink_to(f"..data/{name}")
    return folder


async def test_it_is_admitted_joins_and_serves_an_addon_with_the_rights_that_are_shipped(
    agent: Program, deployed: KubeObject, admin: Client
) -> None:
    """One right less and a cluster never joins, or its add-ons are never configured."""
    await check_admission(admin, deployed)
    # Other lines name other addresses, such as that of a hub which does not answer yet.
    (line,) = [line for line in agent.said.splitlines() if SERVED in line]
    (address,) = re.findall(r"127\.0\.0\.1:\d+", line)
    async with aiohttp.ClientSession(f"http://{address}") as kubelet:
        assert await _status(kubelet, "/healthz") == 200

        async def is_ready() -> bool:
            return await _status(kubelet, "/readyz") == 200

        await until(is_ready, what=lambda: agent.said[-2000:])
        await _enable_addon(admin)
        await _until_configured(admin)
        await until(is_ready, what=lambda: agent.said[-2000:])
    found = await admin.get(CONFIG_MAPS, "greeting", namespace=ADDON_NAMESPACE)
    assert found["data"] == {"message": "hello"}
    # Leaving takes as many rights as coming.
    await admin.delete(MANAGED_CLUSTER_ADDONS, "helloworld", namespace=CLUSTER)

    async def is_gone() -> bool:
        copy = await admin.find(CONFIG_MAPS, "greeting", namespace=ADDON_NAMESPACE)
        addon = await admin.find(MANAGED_CLUSTER_ADDONS, "helloworld", namespace=CLUSTER)
        return copy is None and addon is None

    await until(is_gone, what=lambda: agent.said[-2000:])
    assert "WRITES" not in agent.said
    refused = [line for line in agent.said.splitlines() if "not allowed to" in line]
    assert not refused


async def _status(kubelet: aiohttp.ClientSession, path: str) -> int:
    async with kubelet.get(path) as answer:
        return answer.status


async def _enable_addon(admin: Client) -> None:
    await admin.create(CLUSTER_MANAGEMENT_ADDONS, {"metadata": {"name": "helloworld"}, "spec": {}})
    greeting = {
        "metadata": {"name": "greeting", "namespace": CLUSTER},
        "data": {"message": "hello"},
    }
    await admin.create(CONFIG_MAPS, greeting)
    addon = {"metadata": {"name": "helloworld", "namespace": CLUSTER}, "spec": {}}
    await admin.create(MANAGED_CLUSTER_ADDONS, addon)


async def _until_configured(admin: Client) -> None:
    for condition in (CONFIGURED, AVAILABLE):
        await until_condition(
            admin, MANAGED_CLUSTER_ADDONS, "helloworld", condition, "True", namespace=CLUSTER
        )
