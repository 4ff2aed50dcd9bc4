"""kubectl changes what is there: patch, label, annotate, replace, edit, set, scale, rollout."""

import json
from pathlib import Path
from typing import Any

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment
from towline_api.resources import KubeObject

REJECTED = "The request is invalid: the server rejected our request due to an error in our request"


async def create(kubectl: Kubectl, wanted: KubeObject) -> None:
    """Store an object."""
    (await kubectl("create", "-f", "-", stdin=wanted)).ok()


async def read(kubectl: Kubectl, what: str) -> Any:
    """Return an object, with who owns its fields."""
    return json.loads((await kubectl("get", what, "-o", "json", "--show-managed-fields")).ok())


def managers(stored: KubeObject) -> set[tuple[str, str]]:
    """Return who owns fields, and by which subresource."""
    entries = stored["metadata"]["managedFields"]
    return {(entry["manager"], entry.get("subresource", "")) for entry in entries}


async def test_a_merge_patch(kubectl: Kubectl) -> None:
    """Null takes away; a patch that changes nothing says so."""
    await create(kubectl, config_map("c", {"a": "1", "b": "2"}))
    patch = ("patch", "cm", "c", "--type=merge", "-p", '{"data":{"a":null,"c":"3"}}')
    (await kubectl(*patch)).assert_said("configmap/c patched")
    first = await read(kubectl, "cm/c")
    assert first["data"] == {"b": "2", "c": "3"}
    (await kubectl(*patch)).assert_said("configmap/c patched (no change)")
    assert await read(kubectl, "cm/c") == first


async def test_a_json_patch(kubectl: Kubectl) -> None:
    """Whole or not at all."""
    await create(kubectl, config_map("c", {"a": "1"}))

    async def patch(*operations: KubeObject) -> Any:
        return await kubectl("patch", "cm", "c", "--type=json", "-p", json.dumps(operations))

    replace = {"op": "replace", "path": "/data/a", "value": "2"}
    (await patch(replace, {"op": "add", "path": "/data/b", "value": "x"})).assert_said(
        "configmap/c patched"
    )
    again = {**replace, "value": "3"}
    test = {"op": "test", "path": "/data/b", "value": "y"}
    (await patch(again, test)).assert_failed(REJECTED)
    (await patch(again, {"op": "remove", "path": "/data/none"})).assert_failed(REJECTED)
    assert (await read(kubectl, "cm/c"))["data"] == {"a": "2", "b": "x"}


async def test_a_strategic_patch(kubectl: Kubectl) -> None:
    """The default: lists are merged by their keys."""
    await create(kubectl, deployment("web"))
    container = {"name": "side", "image": "side:1"}
    patch = {"spec": {"template": {"spec": {"containers": [container]}}}}
    (await kubectl("patch", "deploy", "web", "-p", json.dumps(patch))).assert_said(
        "deployment.apps/web patched"
    )
    rows = (await kubectl("get", "deploy", "-o", "wide")).table()
    assert rows[1][5:7] == ["side,main", "side:1,app:1"]


async def test_what_is_not_there_cannot_be_patched(kubectl: Kubectl) -> None:
    """Kubectl looks first."""
    (await kubectl("patch", "cm", "c", "-p", "{}")).assert_failed(
        'Error from server (NotFound): configmaps "c" not found'
    )


async def test_a_status_is_patched(kubectl: Kubectl) -> None:
    """`--subresource` leaves the rest alone, and the rest leaves the status alone."""
    await create(kubectl, deployment("web", replicas=2))
    status = {"status": {"replicas": 2, "readyReplicas": 1, "updatedReplicas": 2}}
    patch = json.dumps({**status, "spec": {"replicas": 9}})
    words = ("patch", "deploy", "web", "--type=merge", "-p", patch)
    (await kubectl(*words, "--subresource=status")).assert_said("deployment.apps/web patched")
    assert (await kubectl("get", "deploy")).table()[1] == ["web", "1/2", "2", "0", "AGE"]
    stored = await read(kubectl, "deploy/web")
    assert managers(stored) == {("kubectl-create", ""), ("kubectl-patch", "status")}
    (await kubectl(*words)).assert_said("deployment.apps/web patched")
    changed = await read(kubectl, "deploy/web")
    assert (changed["spec"]["replicas"], changed["status"]) == (9, stored["status"])


async def test_a_status_is_edited(kubectl: Kubectl, tmp_path: Path) -> None:
    """The editor sees the whole object; only its status is written."""
    await create(kubectl, deployment("web", replicas=2))
    patch = '{"status":{"replicas":2,"readyReplicas":1}}'
    words = ("deploy", "web", "--subresource=status")
    (await kubectl("patch", *words, "--type=merge", "-p", patch)).ok()
    editor = tmp_path / "editor"
    editor.write_text(
        '#!/bin/sh\nsed -i "s/readyReplicas: 1/readyReplicas: 2/; s/app:1/app:2/" "$1"\n'
    )
    editor.chmod(0o700)
    (await kubectl("edit", *words, editor=str(editor))).assert_said("deployment.apps/web edited")
    stored = await read(kubectl, "deploy/web")
    assert stored["status"]["readyReplicas"] == 2
    assert stored["spec"]["template"]["spec"]["containers"][0]["image"] == "app:1"
    assert ("kubectl-edit", "status") in managers(stored)


async def test_an_edit_without_a_change_is_none(kubectl: Kubectl) -> None:
    """Nothing is sent."""
    await create(kubectl, config_map("c", {"a": "1"}))
    before = await read(kubectl, "cm/c")
    ran = await kubectl("edit", "cm", "c", editor="true")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err == "Edit cancelled, no changes made.\n"
    assert await read(kubectl, "cm/c") == before


async def test_labels_come_and_go(kubectl: Kubectl) -> None:
    """A value is only replaced on request."""
    await create(kubectl, config_map("c", labels={"a": "1"}))
    (await kubectl("label", "cm", "c", "a=2")).assert_failed(
        "error: 'a' already has a value (1), and --overwrite is false"
    )
    (await kubectl("label", "cm", "c", "a=2", "b=3", "--overwrite")).assert_said(
        "configmap/c labeled"
    )
    (await kubectl("label", "cm", "c", "b-")).assert_said("configmap/c unlabeled")
    stored = await read(kubectl, "cm/c")
    assert stored["metadata"]["labels"] == {"a": "2"}
    assert managers(stored) == {("kubectl-create", ""), ("kubectl-label", "")}
    (await kubectl("label", "cm", "c", "bad key=1")).assert_failed(
        'The ConfigMap "c" is invalid: metadata.labels: Invalid value: "bad key": name part must '
        "consist of alphanumeric characters, '-', '_' or '.', and must start and end with an "
        "alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for "
        "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')"
    )


async def test_labels_of_all(kubectl: Kubectl) -> None:
    """One call for each object."""
    await create(kubectl, config_map("c"))
    (await kubectl("label", "cm", "--all", "seen=yes")).assert_said(
        "configmap/c labeled", "configmap/kube-root-ca.crt labeled"
    )
    names = await kubectl("get", "cm", "-l", "seen=yes", "-o", "name")
    names.assert_said("configmap/c", "configmap/kube-root-ca.crt")


async def test_annotations_can_insist_on_a_version(kubectl: Kubectl) -> None:
    """What was changed in the meantime is a conflict."""
    await create(kubectl, config_map("c"))
    version = (await read(kubectl, "cm/c"))["metadata"]["resourceVersion"]
    words = ("annotate", "cm", "c", "--overwrite", f"--resource-version={version}")
    (await kubectl(*words, "note=first")).assert_said("configmap/c annotated")
    (await kubectl(*words, "note=second")).assert_failed(
        'Error from server (Conflict): Operation cannot be fulfilled on configmaps "c": the object '
        "has been modified; please apply your changes to the latest version and try again"
    )
    assert (await read(kubectl, "cm/c"))["metadata"]["annotations"] == {"note": "first"}


async def test_an_object_is_replaced(kubectl: Kubectl) -> None:
    """Whole; at a version, if one is given; and only what is there."""
    await create(kubectl, config_map("c", {"a": "1"}))
    old = await read(kubectl, "cm/c")
    (await kubectl("replace", "-f", "-", stdin=config_map("c", {"b": "2"}))).assert_said(
        "configmap/c replaced"
    )
    assert (await read(kubectl, "cm/c"))["data"] == {"b": "2"}
    (await kubectl("replace", "-f", "-", stdin=old)).assert_failed(
        'Error from server (Conflict): error when replacing "STDIN": Operation cannot be fulfilled '
        'on configmaps "c": the object has been modified; please apply your changes to the latest '
        "version and try again"
    )
    (await kubectl("replace", "-f", "-", stdin=config_map("absent"))).assert_failed(
        'Error from server (NotFound): error when replacing "STDIN": configmaps "absent" not found'
    )


async def test_an_object_is_replaced_by_another(kubectl: Kubectl) -> None:
    """`--force` deletes the old one first."""
    await create(kubectl, config_map("c", {"a": "1"}))
    old = await read(kubectl, "cm/c")
    ran = await kubectl("replace", "--force", "-f", "-", stdin=config_map("c", {"b": "2"}))
    ran.assert_said('configmap "c" deleted', "configmap/c replaced")
    new = await read(kubectl, "cm/c")
    assert new["data"] == {"b": "2"}
    assert new["metadata"]["uid"] != old["metadata"]["uid"]


async def test_an_image_is_set(kubectl: Kubectl) -> None:
    """Of one container among several; a change of the template is a new generation."""
    await create(kubectl, deployment("web"))
    (await kubectl("set", "image", "deploy/web", "main=app:2")).assert_said(
        "deployment.apps/web image updated"
    )
    (await kubectl("set", "env", "deploy/web", "MODE=quiet")).assert_said(
        "deployment.apps/web env updated"
    )
    stored = await read(kubectl, "deploy/web")
    (container,) = stored["spec"]["template"]["spec"]["containers"]
    assert (container["image"], container["env"]) == ("app:2", [{"name": "MODE", "value": "quiet"}])
    assert stored["metadata"]["generation"] == 3
    assert ("kubectl-set", "") in managers(stored)


async def test_a_workload_is_scaled(kubectl: Kubectl) -> None:
    """By its scale, which knows nothing but numbers."""
    await create(kubectl, deployment("web", replicas=2))
    (await kubectl("scale", "deploy", "web", "--replicas=5")).assert_said(
        "deployment.apps/web scaled"
    )
    (await kubectl("scale", "deploy", "web", "--replicas=6", "--current-replicas=3")).assert_failed(
        "error: Expected replicas to be 3, was 5"
    )
    stored = await read(kubectl, "deploy/web")
    assert stored["spec"]["replicas"] == 5
    assert ("kubectl", "scale") in managers(stored)
    words = ("get", "deploy", "web", "--subresource=scale", "-o", "json")
    scale = json.loads((await kubectl(*words)).ok())
    assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
    assert scale["spec"] == {"replicas": 5}
    assert scale["status"] == {"replicas": 0, "selector": "app=web"}


async def test_a_rollout_is_controlled(kubectl: Kubectl) -> None:
    """Nothing rolls out here, but kubectl asks and writes as it does anywhere."""
    await create(kubectl, deployment("web"))
    (await kubectl("rollout", "pause", "deploy/web")).assert_said("deployment.apps/web paused")
    (await kubectl("rollout", "restart", "deploy/web")).assert_failed(
        'error: deployments.apps "web" can\'t restart paused deployment (run rollout resume first)'
    )
    (await kubectl("rollout", "resume", "deploy/web")).assert_said("deployment.apps/web resumed")
    (await kubectl("rollout", "restart", "deploy/web")).assert_said("deployment.apps/web restarted")
    template = (await read(kubectl, "deploy/web"))["spec"]["template"]
    assert list(template["metadata"]["annotations"]) == ["kubectl.kubernetes.io/restartedAt"]
    (await kubectl("rollout", "history", "deploy/web")).assert_said(
        "deployment.apps/web ", "No rollout history found."
    )


async def test_a_rollout_is_waited_for(kubectl: Kubectl) -> None:
    """Until the status says that it is done."""
    await create(kubectl, deployment("web"))
    async with kubectl.going_on("rollout", "status", "deploy/web") as waiting:
        assert await waiting.lines(1) == ["Waiting for deployment spec update to be observed..."]
        done = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 1)
        patch = json.dumps({"status": {"observedGeneration": 1, "readyReplicas": 1, **done}})
        words = ("deploy", "web", "--subresource=status", "--type=merge", "-p", patch)
        (await kubectl("patch", *words)).ok()
        assert await waiting.lines(1) == ['deployment "web" successfully rolled out']


async def test_a_change_of_nothing_is_no_write(kubectl: Kubectl, api: Api) -> None:
    """Kubectl may send it, but the version stays."""
    await create(kubectl, config_map("c", {"a": "1"}, labels={"a": "1"}))
    path = CONFIG_MAPS.path(namespace=kubectl.namespace, name="c")
    before = (await api.get(path)).ok()
    (await kubectl("label", "cm", "c", "a=1")).assert_said("configmap/c not labeled")
    (await kubectl("replace", "-f", "-", stdin=before)).assert_said("configmap/c replaced")
    assert (await api.get(path)).ok() == before


async def test_an_impossible_status_is_refused(kubectl: Kubectl) -> None:
    """There are no more Pods of a sort than there are Pods at all."""
    await create(kubectl, deployment("web"))
    status = {"replicas": 1, "readyReplicas": 2, "availableReplicas": 3, "observedGeneration": -1}
    words = ("deploy", "web", "--subresource=status", "--type=merge", "-p")
    (await kubectl("patch", *words, json.dumps({"status": status}))).assert_failed(
        'The Deployment "web" is invalid: ',
        "* status.observedGeneration: Invalid value: -1: must be greater than or equal to 0",
        "* status.readyReplicas: Invalid value: 2: cannot be greater than status.replicas",
        "* status.availableReplicas: Invalid value: 3: cannot be greater than status.replicas",
        "* status.availableReplicas: Invalid value: 3: cannot be greater than readyReplicas",
    )
    fewer = '{"status":{"collisionCount":%d}}'
    (await kubectl("patch", *words, fewer % 2)).ok()
    (await kubectl("patch", *words, fewer % 1)).assert_failed(
        'The Deployment "web" is invalid: status.collisionCount: Invalid value: 1: cannot be '
        "decremented"
    )
