"""`kubectl delete`: by name, by label, waiting or not, with what belongs to it or without."""

import asyncio
from typing import Any

import pytest

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment

HELD = {"finalizers": ["example.com/hold"]}


async def create(api: Api, kubectl: Kubectl, name: str, **metadata: Any) -> str:
    """Store a ConfigMap and return where it is."""
    path = CONFIG_MAPS.path(namespace=kubectl.namespace)
    (await api.post(path, config_map(name, **metadata))).ok(201)
    return f"{path}/{name}"


async def test_an_object_is_deleted_once(kubectl: Kubectl, api: Api) -> None:
    """What is gone is a mistake, unless that does not matter."""
    path = await create(api, kubectl, "c")
    (await kubectl("delete", "cm", "c")).assert_said('configmap "c" deleted')
    assert (await api.get(path)).status == 404
    (await kubectl("delete", "cm", "c")).assert_failed(
        'Error from server (NotFound): configmaps "c" not found'
    )
    (await kubectl("delete", "cm", "c", "--ignore-not-found")).assert_said()


async def test_objects_are_deleted_by_label(kubectl: Kubectl, api: Api) -> None:
    """The others stay."""
    for name, app in (("a", "x"), ("b", "x"), ("c", "y")):
        await create(api, kubectl, name, labels={"app": app})
    (await kubectl("delete", "cm", "-l", "app=x")).assert_said(
        'configmap "a" deleted', 'configmap "b" deleted'
    )
    (await kubectl("get", "cm", "-l", "app", "-o", "name")).assert_said("configmap/c")


async def test_a_deletion_waits_for_finalizers(kubectl: Kubectl, api: Api) -> None:
    """The command ends when the object is gone."""
    path = await create(api, kubectl, "c", **HELD)
    deletion = asyncio.create_task(kubectl("delete", "cm", "c"), name="delete")
    async with api.watch(path.rpartition("/")[0], fieldSelector="metadata.name=c") as watch:
        while "deletionTimestamp" not in (await watch.next())["object"]["metadata"]:
            assert not deletion.done()
    assert not deletion.done()
    (await api.patch(path, {"metadata": {"finalizers": None}})).ok()
    (await deletion).assert_said('configmap "c" deleted')


async def test_a_deletion_gives_up_waiting(kubectl: Kubectl, api: Api) -> None:
    """And with `--wait=false` it does not begin to; the object is only marked."""
    path = await create(api, kubectl, "c", **HELD)
    ran = await kubectl("delete", "cm", "c", "--timeout=300ms")
    assert (ran.code, ran.out) == (1, 'configmap "c" deleted\n')
    assert ran.err == "error: timed out waiting for the condition on configmaps/c\n"
    marked = (await api.get(path)).ok()
    (await kubectl("delete", "cm", "c", "--wait=false")).assert_said('configmap "c" deleted')
    assert (await api.get(path)).ok() == marked
    assert "deletionTimestamp" in marked["metadata"]


@pytest.mark.parametrize(
    ("cascade", "left"), [("foreground", []), ("orphan", ["configmap/first", "configmap/second"])]
)
async def test_what_belongs_to_an_object(
    kubectl: Kubectl, api: Api, cascade: str, left: list[str]
) -> None:
    """Goes first and is waited for, or stays and belongs to nobody."""
    path = f"/apis/apps/v1/namespaces/{kubectl.namespace}/deployments"
    owner = (await api.post(path, deployment("own"))).ok(201)
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "own",
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": True,
    }
    for name in ("first", "second"):
        await create(api, kubectl, name, ownerReferences=[reference], labels={"of": "own"})
    (await kubectl("delete", "deploy", "own", f"--cascade={cascade}")).assert_said(
        'deployment.apps "own" deleted'
    )
    (await kubectl("get", "cm", "-l", "of=own", "-o", "name")).assert_said(*left)
    for item in left:
        ran = await kubectl("get", item, "-o", "jsonpath={.metadata.ownerReferences}")
        ran.assert_said()


async def test_a_namespace_goes_with_all_in_it(kubectl: Kubectl, api: Api) -> None:
    """`delete` waits until the last object is gone."""
    path = await create(api, kubectl, "c", **HELD)
    (await kubectl("delete", "ns", kubectl.namespace, "--wait=false")).assert_said(
        f'namespace "{kubectl.namespace}" deleted'
    )
    row = (await kubectl("get", "ns", kubectl.namespace)).table()[1]
    assert row[:2] == [kubectl.namespace, "Terminating"]
    refused = await kubectl("create", "cm", "late")
    assert refused.err == (
        'error: failed to create configmap: configmaps "late" is forbidden: unable to create new '
        f"content in namespace {kubectl.namespace} because it is being terminated\n"
    )
    (await api.patch(path, {"metadata": {"finalizers": None}})).ok()
    (await kubectl("wait", "--for=delete", f"ns/{kubectl.namespace}", "--timeout=20s")).ok()
    assert (await api.get(path)).status == 404
