"""`kubectl wait`: for conditions, fields, and the end of objects."""

import asyncio
import json

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment
from towline_api.resources import KubeObject


def timed_out(what: str) -> str:
    """Return how kubectl says that nothing happened."""
    return f"error: timed out waiting for the condition on {what}"


async def test_a_condition_is_waited_for(kubectl: Kubectl) -> None:
    """It may be there, come later, or not come in time."""
    (await kubectl("create", "-f", "-", stdin=deployment("web"))).ok()
    wait = ("wait", "deploy/web", "--for=condition=Available")
    (await kubectl(*wait, "--timeout=300ms")).assert_failed(timed_out("deployments/web"))
    waiting = asyncio.create_task(kubectl(*wait, "--timeout=20s"), name="wait")
    condition = {"type": "Available", "status": "True"}
    patch = json.dumps({"status": {"conditions": [condition]}})
    words = ("deploy", "web", "--subresource=status", "--type=merge", "-p", patch)
    (await kubectl("patch", *words)).ok()
    (await waiting).assert_said("deployment.apps/web condition met")
    (await kubectl(*wait, "--timeout=20s")).assert_said("deployment.apps/web condition met")


async def test_a_field_is_waited_for(kubectl: Kubectl, api: Api) -> None:
    """Any, by JSONPath."""
    (await kubectl("create", "-f", "-", stdin=config_map("c", {"phase": "new"}))).ok()
    path = CONFIG_MAPS.path(namespace=kubectl.namespace, name="c")

    wait = ("wait", "cm/c", "--for=jsonpath={.data.phase}=done")
    waiting = asyncio.create_task(kubectl(*wait, "--timeout=20s"), name="wait")
    for phase in ("begun", "done"):
        (await api.patch(path, {"data": {"phase": phase}})).ok()
    (await waiting).assert_said("configmap/c condition met")
    (
        await kubectl("wait", "cm/c", "--for=jsonpath={.data.phase}=x", "--timeout=300ms")
    ).assert_failed(timed_out("configmaps/c"))


async def test_the_end_of_an_object_is_waited_for(kubectl: Kubectl, api: Api) -> None:
    """What is not there has ended."""
    (await kubectl("create", "-f", "-", stdin=config_map("c", finalizers=["a.b/c"]))).ok()
    wait = ("wait", "--for=delete", "cm/c")
    (await kubectl(*wait, "--timeout=300ms")).assert_failed(timed_out("configmaps/c"))
    (await kubectl("delete", "cm", "c", "--wait=false")).ok()
    waiting = asyncio.create_task(kubectl(*wait, "--timeout=20s"), name="wait")
    path = CONFIG_MAPS.path(namespace=kubectl.namespace, name="c")
    patch: KubeObject = {"metadata": {"finalizers": None}}
    (await api.patch(path, patch)).ok()
    ran = await waiting
    assert (ran.code, ran.err) == (0, "")  # nothing is printed if it was gone already
    (await kubectl(*wait)).assert_said()
