"""What an operator does with the folder `deploy`: build with kustomize, apply with kubectl."""

import asyncio
import copy
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration.channel.programs import WITHOUT_COLLECTOR, Outcome
from towline_api.resources import PODS, SERVICE_ACCOUNTS, KubeObject
from towline_kube.client import Client
from towline_kube.connection import Connection
from towline_kube.errors import Forbidden
from towline_sandbox.plane import ControlPlane

DEPLOY = Path(__file__).parents[3] / "deploy"
KUBECTL = shutil.which("kubectl")


async def kubectl(*words: str, stdin: str = "", kubeconfig: Path | None = None) -> Outcome:
    """Run kubectl to its end."""
    process = await asyncio.create_subprocess_exec(
        str(KUBECTL),
        *([f"--kubeconfig={kubeconfig}"] if kubeconfig else []),
        *words,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={"PATH": os.environ["PATH"], "HOME": tempfile.gettempdir(), **WITHOUT_COLLECTOR},
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin.encode())
    assert process.returncode is not None
    return Outcome(process.returncode, out.decode(), err.decode())


async def built(folder: Path) -> str:
    """Return what kustomize makes of a folder."""
    outcome = await kubectl("kustomize", str(folder))
    assert (outcome.status, outcome.err) == (0, ""), outcome
    return outcome.out


async def apply_strictly(text: str, *, kubeconfig: Path) -> None:
    """Apply manifests after the server has validated every field of them."""
    objects = list(yaml.safe_load_all(text))
    namespaces = yaml.safe_dump_all(obj for obj in objects if obj["kind"] == "Namespace")
    strict = ("--server-side", "--validate=strict")
    for words, stdin in (
        (strict, namespaces),  # without them, nothing inside can be tried
        ((*strict, "--dry-run=server"), text),
        (strict, text),
    ):
        outcome = await kubectl("apply", *words, "-f", "-", stdin=stdin, kubeconfig=kubeconfig)
        assert outcome.status == 0, outcome
        assert "warning" not in outcome.err.lower(), outcome.err


def identity(obj: KubeObject) -> tuple[str, str]:
    """Return an object's kind and name."""
    return obj["kind"], obj["metadata"]["name"]


def without_hashes(text: str, *, settings: str) -> dict[tuple[str, str], KubeObject]:
    """Return the objects in manifests as if kustomize put no hash behind the settings' name.

    Args:
        text: The manifests.
        settings: Name of the settings' ConfigMap.
    """
    found = {}
    for obj in yaml.safe_load_all(text):
        if obj["kind"] == "ConfigMap":
            obj["data"] = {key: yaml.safe_load(value) for key, value in obj["data"].items()}
            obj["metadata"]["name"] = settings
        if obj["kind"] == "Deployment":
            for volume in obj["spec"]["template"]["spec"]["volumes"]:
                if "configMap" in volume:
                    volume["configMap"]["name"] = settings
        found[identity(obj)] = obj
    return found


def deployment_in(text: str) -> KubeObject:
    """Return the one Deployment of manifests."""
    (found,) = [obj for obj in yaml.safe_load_all(text) if obj["kind"] == "Deployment"]
    return dict(found)


def settings_mounted_by(deployment: KubeObject) -> str:
    """Return the name of the ConfigMap that a Deployment mounts."""
    volumes = deployment["spec"]["template"]["spec"]["volumes"]
    (name,) = [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]
    return str(name)


async def check_admission(admin: Client, deployment: KubeObject) -> None:
    """Have the API server admit a pod of a Deployment, and refuse what is less restricted.

    Pod Security looks at pods: a Deployment that breaks the rules is applied without a word.
    """
    namespace = deployment["metadata"]["namespace"]
    pod = await admin.create(PODS, _pod_of(deployment, name="admitted"))
    assert pod["spec"]["serviceAccountName"] == deployment["metadata"]["name"]
    await admin.delete(PODS, "admitted", namespace=namespace)
    looser: list[dict[str, Any]] = [
        {"allowPrivilegeEscalation": True},
        {"capabilities": {"drop": []}},
        {"runAsNonRoot": False},
    ]
    for change in looser:
        # A twin: the namespace does refuse what is not restricted.
        refused = _pod_of(deployment, name="refused")
        refused["spec"]["containers"][0]["securityContext"].update(change)
        with pytest.raises(Forbidden, match="PodSecurity"):
            await admin.create(PODS, refused)


def _pod_of(deployment: KubeObject, *, name: str) -> KubeObject:
    template = copy.deepcopy(deployment["spec"]["template"])
    namespace = deployment["metadata"]["namespace"]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**template["metadata"], "name": name, "namespace": namespace},
        "spec": template["spec"],
    }


async def service_account_connection(
    plane: ControlPlane, admin: Client, *, name: str, namespace: str
) -> Connection:
    """Return the way to the API server as an installed service account."""
    answer = await admin.create(
        SERVICE_ACCOUNTS,
        {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": name, "namespace": namespace},
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
