"""`kubectl get`: what it prints comes from the server's tables, or from objects."""

import json

import pytest
import yaml

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment
from towline_api.resources import KubeObject

ROOT_CA = ["kube-root-ca.crt", "1", "AGE"]


@pytest.fixture
async def front(api: Api, namespace: str) -> KubeObject:
    """A ConfigMap `front` with two entries and a label, beside the namespace's own one."""
    path = CONFIG_MAPS.path(namespace=namespace)
    labels = {"tier": "front"}
    made = await api.post(path, config_map("front", {"x": "1", "y": "2"}, labels=labels))
    return made.ok(201)


async def test_objects_are_listed(kubectl: Kubectl, front: KubeObject) -> None:
    """With and without labels, and as names, for scripts."""
    assert (await kubectl("get", "cm", "front")).table() == [
        ["NAME", "DATA", "AGE"],
        ["front", "2", "AGE"],
    ]
    assert (await kubectl("get", "cm", "-l", "tier", "-L", "tier", "-o", "wide")).table() == [
        ["NAME", "DATA", "AGE", "TIER"],
        ["front", "2", "AGE", "front"],
    ]
    assert (await kubectl("get", "cm/front", "--show-labels")).table() == [
        ["NAME", "DATA", "AGE", "LABELS"],
        ["front", "2", "AGE", "tier=front"],
    ]
    (await kubectl("get", "cm", "-l", "tier=front", "-o", "name")).assert_said("configmap/front")


async def test_several_kinds_are_listed_at_once(kubectl: Kubectl, front: KubeObject) -> None:
    """Each with a table of its own."""
    ran = await kubectl("get", "cm,serviceaccounts,secrets", "-l", "tier!=none")
    tables = [part.splitlines() for part in ran.ok().split("\n\n")]
    assert [[row.split()[0] for row in table] for table in tables] == [
        ["NAME", "configmap/front", "configmap/kube-root-ca.crt"],
        ["NAME", "serviceaccount/default"],
    ]


async def test_all_namespaces_are_listed(
    kubectl: Kubectl, front: KubeObject, namespace: str
) -> None:
    """A column more."""
    rows = (await kubectl("get", "cm", "-A", "--field-selector", "metadata.name=front")).table()
    assert rows[0] == ["NAMESPACE", "NAME", "DATA", "AGE"]
    assert [namespace, "front", "2", "AGE"] in rows


async def test_an_object_is_printed_whole(
    kubectl: Kubectl, front: KubeObject, namespace: str
) -> None:
    """As YAML and as JSON; who owns which fields is shown on request only."""
    expected = {**front, "metadata": {**front["metadata"]}}
    del expected["metadata"]["managedFields"]
    assert yaml.safe_load((await kubectl("get", "cm", "front", "-o", "yaml")).ok()) == expected
    listed = json.loads((await kubectl("get", "cm", "-l", "tier=front", "-o", "json")).ok())
    assert listed == {
        "apiVersion": "v1",
        "kind": "List",
        "metadata": {"resourceVersion": ""},
        "items": [expected],
    }
    shown = await kubectl("get", "cm", "front", "-o", "yaml", "--show-managed-fields")
    assert yaml.safe_load(shown.ok()) == front


async def test_fields_are_picked(kubectl: Kubectl, front: KubeObject) -> None:
    """By JSONPath, as columns, by a template, and sorted by one."""
    (await kubectl("get", "cm", "front", "-o", "jsonpath={.data.x} {.data.y}")).assert_said("1 2")
    columns = "-o=custom-columns=NAME:.metadata.name,X:.data.x"
    (await kubectl("get", "cm", columns)).assert_said(
        "NAME               X", "front              1", "kube-root-ca.crt   <none>"
    )
    template = "-o=go-template={{range .items}}{{.metadata.name}} {{end}}"
    (await kubectl("get", "cm", template, "--sort-by={.data.x}")).assert_said(
        "kube-root-ca.crt front "
    )


async def test_long_lists_come_in_pieces(kubectl: Kubectl, front: KubeObject) -> None:
    """Kubectl puts them together."""
    names = await kubectl("get", "cm", "--chunk-size=1", "-o", "name")
    names.assert_said("configmap/front", "configmap/kube-root-ca.crt")


async def test_what_is_not_there_is_told(kubectl: Kubectl, namespace: str) -> None:
    """An object, all objects, a kind."""
    (await kubectl("get", "cm", "missing")).assert_failed(
        'Error from server (NotFound): configmaps "missing" not found'
    )
    (await kubectl("get", "cm", "missing", "--ignore-not-found")).assert_said()
    nothing = await kubectl("get", "secrets")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err == f"No resources found in {namespace} namespace.\n"
    (await kubectl("get", "nonsense")).assert_failed(
        'error: the server doesn\'t have a resource type "nonsense"'
    )


async def test_bad_selectors_are_refused(kubectl: Kubectl) -> None:
    """By the server, in its words."""
    (await kubectl("get", "cm", "-l", "a in (b")).assert_failed(
        'Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match '
        'label selector "a in (b", field selector "": unable to parse requirement: found \'\', '
        "expected: ',' or ')'"
    )
    (await kubectl("get", "cm", "--field-selector", "data.x=1")).assert_failed(
        'Error from server (BadRequest): Unable to find "/v1, Resource=configmaps" that match '
        'label selector "", field selector "data.x=1": "data.x" is not a known field selector: '
        'only "metadata.name", "metadata.namespace"'
    )


async def test_workloads_are_listed(kubectl: Kubectl, api: Api, namespace: str) -> None:
    """`all` is a category, which discovery tells."""
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments"
    (await api.post(path, deployment("web", image="nginx:1", replicas=2))).ok(201)
    assert (await kubectl("get", "all")).table() == [
        ["NAME", "READY", "UP-TO-DATE", "AVAILABLE", "AGE"],
        ["deployment.apps/web", "0/2", "0", "0", "AGE"],
    ]
    assert (await kubectl("get", "deploy", "-o", "wide")).table()[1] == [
        *("web", "0/2", "0", "0", "AGE"),
        *("main", "nginx:1", "app=web"),
    ]


async def test_paths_are_read_as_they_are(kubectl: Kubectl, front: KubeObject) -> None:
    """`--raw` prints what the server sent."""
    path = f"/api/v1/namespaces/{kubectl.namespace}/configmaps"
    assert json.loads((await kubectl("get", "--raw", f"{path}/front")).ok()) == front
    (await kubectl("get", "--raw", "/livez")).assert_said("ok")
    (await kubectl("get", "--raw", f"{path}/missing")).assert_failed(
        'Error from server (NotFound): configmaps "missing" not found'
    )


async def test_a_watch_tells_what_happens(kubectl: Kubectl, front: KubeObject, api: Api) -> None:
    """A table that grows; what else happens in the namespace is not in it."""
    path = CONFIG_MAPS.path(namespace=kubectl.namespace)
    words = ("get", "cm", "-l", "tier=front", "--watch", "--output-watch-events")
    async with kubectl.going_on(*words) as watch:
        lines = await watch.lines(2)
        (await api.patch(f"{path}/front", {"data": {"z": "3"}})).ok()
        (await api.post(path, config_map("other"))).ok(201)
        (await api.post(path, config_map("late", labels={"tier": "front"}))).ok(201)
        (await api.patch(f"{path}/late", {"metadata": {"labels": None}})).ok()
        (await api.delete(f"{path}/front")).ok()
        lines += await watch.lines(4)
    assert [line.split()[:3] for line in lines] == [
        ["EVENT", "NAME", "DATA"],
        ["ADDED", "front", "2"],
        ["MODIFIED", "front", "3"],
        ["ADDED", "late", "0"],
        ["DELETED", "late", "0"],
        ["DELETED", "front", "3"],
    ]
