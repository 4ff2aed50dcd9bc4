"""`kubectl create` and `kubectl run`: most of what they send is protobuf."""

import json
from typing import Any

import pytest

from conformance.api import Api
from conformance.kubectl.command import Kubectl
from conformance.objects import CONFIG_MAPS, config_map, deployment


async def read(kubectl: Kubectl, what: str) -> Any:
    """Return an object as kubectl reads it."""
    return json.loads((await kubectl("get", what, "-o", "json")).ok())


async def test_a_namespace_is_created(kubectl: Kubectl, name: str) -> None:
    """Once; and only if that can be its name."""
    (await kubectl("create", "namespace", name)).assert_said(f"namespace/{name} created")
    (await kubectl("create", "ns", name)).assert_failed(
        f'Error from server (AlreadyExists): namespaces "{name}" already exists'
    )
    assert (await kubectl("get", "ns", name)).table()[1] == [name, "Active", "AGE"]
    (await kubectl("create", "ns", "Bad_Name")).assert_failed(
        'The Namespace "Bad_Name" is invalid: metadata.name: Invalid value: "Bad_Name": a '
        "lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and "
        "must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex "
        "used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"
    )


async def test_data_is_created(kubectl: Kubectl) -> None:
    """ConfigMaps in plain text, Secrets encoded."""
    (await kubectl("create", "configmap", "c", "--from-literal=a=1")).assert_said(
        "configmap/c created"
    )
    (await kubectl("create", "secret", "generic", "s", "--from-literal=a=1")).assert_said(
        "secret/s created"
    )
    assert (await read(kubectl, "cm/c"))["data"] == {"a": "1"}
    secret = await read(kubectl, "secret/s")
    assert (secret["data"], secret["type"]) == ({"a": "MQ=="}, "Opaque")
    assert (await kubectl("get", "secret")).table()[1] == ["s", "Opaque", "1", "AGE"]


async def test_nothing_is_created_in_a_missing_namespace(kubectl: Kubectl, name: str) -> None:
    """What `-n` names has to be there."""
    (await kubectl("create", "cm", "c", "-n", name)).assert_failed(
        f'error: failed to create configmap: namespaces "{name}" not found'
    )


async def test_a_workload_is_created(kubectl: Kubectl) -> None:
    """With defaults."""
    words = ("create", "deployment", "web", "--image=nginx:1", "--replicas=3", "--port=80")
    (await kubectl(*words)).assert_said("deployment.apps/web created")
    spec = (await read(kubectl, "deploy/web"))["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (3, 10)
    container = spec["template"]["spec"]["containers"][0]
    assert (container["name"], container["image"]) == ("nginx", "nginx:1")
    assert container["ports"] == [{"containerPort": 80, "protocol": "TCP"}]


async def test_jobs_are_created(kubectl: Kubectl) -> None:
    """By hand, and from what makes them on schedule."""
    (await kubectl("create", "job", "j", "--image=busybox", "--", "date")).assert_said(
        "job.batch/j created"
    )
    schedule = "--schedule=0 3 * * *"
    (await kubectl("create", "cronjob", "nightly", "--image=busybox", schedule)).assert_said(
        "cronjob.batch/nightly created"
    )
    (await kubectl("create", "job", "now", "--from=cronjob/nightly")).assert_said(
        "job.batch/now created"
    )
    owner = (await read(kubectl, "job/now"))["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["name"], owner["controller"]) == ("CronJob", "nightly", True)
    rows = (await kubectl("get", "cronjob")).table()
    assert rows[1][:2] == ["nightly", "0 3 * * *"]


async def test_a_pod_is_run(kubectl: Kubectl) -> None:
    """It gets an account and its token, and stays pending: nobody schedules it."""
    (await kubectl("run", "p", "--image=busybox", "--restart=Never")).assert_said("pod/p created")
    assert (await kubectl("get", "pods")).table()[1] == ["p", "0/1", "Pending", "0", "AGE"]
    spec = (await read(kubectl, "pod/p"))["spec"]
    assert (spec["serviceAccountName"], spec["restartPolicy"]) == ("default", "Never")
    mounts = spec["containers"][0]["volumeMounts"]
    assert [mount["mountPath"] for mount in mounts] == [
        "/var/run/secrets/kubernetes.io/serviceaccount"
    ]


async def test_a_service_is_created(kubectl: Kubectl) -> None:
    """It gets an address."""
    (await kubectl("create", "service", "clusterip", "svc", "--tcp=80:8080")).assert_said(
        "service/svc created"
    )
    row = (await kubectl("get", "svc")).table()[1]
    assert [row[0], row[1], *row[3:]] == ["svc", "ClusterIP", "<none>", "80/TCP", "AGE"]
    assert row[2].startswith("10.0.0.")


async def test_roles_and_bindings_are_created(kubectl: Kubectl) -> None:
    """Kubectl finds the groups of resources in discovery."""
    rules = ("--verb=get,list", "--resource=configmaps,deployments", "--resource-name=a")
    (await kubectl("create", "role", "reader", *rules)).assert_said(
        "role.rbac.authorization.k8s.io/reader created"
    )
    words = ("rolebinding", "bound", "--role=reader", "--user=u", "--serviceaccount=ns:sa")
    (await kubectl("create", *words)).assert_said(
        "rolebinding.rbac.authorization.k8s.io/bound created"
    )
    assert (await read(kubectl, "role/reader"))["rules"] == [
        {
            "apiGroups": [group],
            "resourceNames": ["a"],
            "resources": [resource],
            "verbs": ["get", "list"],
        }
        for group, resource in (("", "configmaps"), ("apps", "deployments"))
    ]
    assert (await kubectl("get", "rolebinding", "-o", "wide")).table() == [
        ["NAME", "ROLE", "AGE", "USERS", "GROUPS", "SERVICEACCOUNTS"],
        ["bound", "Role/reader", "AGE", "u", "", "ns/sa"],
    ]
    (await kubectl("create", "role", "r", "--verb=get", "--resource=nonsense")).assert_failed(
        'the server doesn\'t have a resource type "nonsense"'
    )


async def test_a_name_is_made_on_request(kubectl: Kubectl) -> None:
    """`create -f` takes generateName, `apply` does not."""
    wanted = config_map("x")
    wanted["metadata"] = {"generateName": "made-"}
    ran = await kubectl("create", "-f", "-", "-o", "name", stdin=wanted)
    name = ran.ok().strip().removeprefix("configmap/")
    assert name.startswith("made-")
    assert len(name) == len("made-") + 5
    (await kubectl("apply", "-f", "-", stdin=wanted)).assert_failed(
        "error: from made-: cannot use generate name with apply"
    )


async def test_what_is_there_is_not_created(kubectl: Kubectl) -> None:
    """Of a list, the rest is."""
    (await kubectl("create", "cm", "a")).ok()
    ran = await kubectl("create", "-f", "-", stdin=[config_map("a"), config_map("b")])
    assert (ran.code, ran.out) == (1, "configmap/b created\n")
    assert ran.err == (
        'Error from server (AlreadyExists): error when creating "STDIN": '
        'configmaps "a" already exists\n'
    )


@pytest.mark.parametrize("how", ["server", "client"])
async def test_a_dry_run_creates_nothing(kubectl: Kubectl, api: Api, how: str) -> None:
    """Wherever it is run."""
    ran = await kubectl("create", "cm", "c", f"--dry-run={how}")
    ran.assert_said(
        "configmap/c created " + ("(server dry run)" if how == "server" else "(dry run)")
    )
    path = CONFIG_MAPS.path(namespace=kubectl.namespace, name="c")
    assert (await api.get(path)).status == 404


async def test_what_is_odd_is_created_with_warnings(kubectl: Kubectl) -> None:
    """They come in headers, and kubectl prints each."""
    wanted = deployment("web")
    ports = [{"containerPort": 80, "name": "web"}]
    containers = wanted["spec"]["template"]["spec"]["containers"]
    containers[:] = [{"name": n, "image": "app:1", "ports": ports} for n in ("one", "two")]
    ran = await kubectl("create", "-f", "-", stdin=wanted)
    assert (ran.code, ran.out) == (0, "deployment.apps/web created\n")
    first, second = (f"spec.template.spec.containers[{index}].ports[0]" for index in (0, 1))
    assert ran.err.splitlines() == [
        f"Warning: {second}: duplicate port definition with {first}",
        (
            f'Warning: {second}: duplicate port name "web" with {first}, services and probes that '
            f"select ports by name will use {first}"
        ),
    ]
