"""Replacing objects: optimistic concurrency, generations, and what never changes."""

import pytest

from conformance.api import Api
from conformance.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment, details
from towline_api.resources import LEASES, NAMESPACES, SECRETS, KubeObject, Resource

SERVICES = Resource("", "v1", "services", "Service", namespaced=True)
MODIFIED = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


async def created(api: Api, resource: Resource, namespace: str, body: KubeObject) -> KubeObject:
    """Create an object in a namespace."""
    return (await api.post(resource.path(namespace=namespace), body)).ok(201)


def path_of(resource: Resource, body: KubeObject) -> str:
    """Return where an object lives."""
    metadata = body["metadata"]
    return resource.path(namespace=metadata["namespace"], name=metadata["name"])


async def test_an_update_replaces_what_is_there(api: Api, namespace: str) -> None:
    """What is left out is gone, except for what is the server's."""
    made = await created(
        api, CONFIG_MAPS, namespace, config_map("a", {"k": "v"}, labels={"l": "1"})
    )
    answer = await api.put(path_of(CONFIG_MAPS, made), config_map("a", {"k2": "v2"}))
    body = answer.ok()
    assert body["data"] == {"k2": "v2"}
    assert "labels" not in body["metadata"]
    for kept in ("uid", "creationTimestamp", "namespace"):
        assert body["metadata"][kept] == made["metadata"][kept]
    assert int(body["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


async def test_an_update_of_a_stale_object_is_a_conflict(api: Api, namespace: str) -> None:
    """Two writers, one state: the second has to read again."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a", {"k": "v"}))
    path = path_of(CONFIG_MAPS, made)
    (await api.put(path, {**made, "data": {"k": "first"}})).ok()
    answer = await api.put(path, {**made, "data": {"k": "second"}})
    answer.assert_refused(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on configmaps "a": {MODIFIED}',
        details(CONFIG_MAPS, "a"),
    )
    assert (await api.get(path)).ok()["data"] == {"k": "first"}


async def test_a_status_update_of_a_stale_object_is_a_conflict(api: Api, namespace: str) -> None:
    """The status is a part of the same object and has the same version."""
    made = await created(api, DEPLOYMENTS, namespace, deployment("a"))
    path = path_of(DEPLOYMENTS, made)
    (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).ok()
    answer = await api.put(f"{path}/status", {**made, "status": {"observedGeneration": 1}})
    answer.assert_refused(
        409,
        "Conflict",
        f'Operation cannot be fulfilled on deployments.apps "a": {MODIFIED}',
        details(DEPLOYMENTS, "a"),
    )


async def test_nothing_new_is_no_change(api: Api, namespace: str) -> None:
    """Writing the same state again makes no event and no new version."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a", {"k": "v"}))
    path = path_of(CONFIG_MAPS, made)
    for again in (
        await api.put(path, made),
        await api.patch(path, {"data": {"k": "v"}}),
    ):
        assert again.ok()["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_an_update_of_what_is_not_there(api: Api, namespace: str) -> None:
    """ConfigMaps are not created by an update, Leases are: the real server's own choice."""
    answer = await api.put(CONFIG_MAPS.path(namespace=namespace, name="none"), config_map("none"))
    answer.assert_refused(
        404, "NotFound", 'configmaps "none" not found', details(CONFIG_MAPS, "none")
    )
    lease = {"metadata": {"name": "none", "namespace": namespace}}
    body = (await api.put(LEASES.path(namespace=namespace, name="none"), lease)).ok(201)
    assert body["metadata"]["name"] == "none"


async def test_an_update_of_another_incarnation_is_a_conflict(api: Api, namespace: str) -> None:
    """The uid in the body has to be that of the object; the name may have been taken again."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a"))
    other = "11111111-1111-4111-8111-111111111111"
    answer = await api.put(path_of(CONFIG_MAPS, made), config_map("a", uid=other))
    assert (answer.status, answer.body["reason"]) == (409, "Conflict")
    assert answer.body["details"] == details(CONFIG_MAPS, "a")
    assert answer.body["message"].startswith('Operation cannot be fulfilled on configmaps "a": ')
    assert answer.body["message"].endswith(  # between the two, where the real one stores it
        f"Precondition failed: UID in precondition: {other}, UID in object meta: "
        f"{made['metadata']['uid']}"
    )


async def test_the_name_in_the_body_has_to_be_that_of_the_path(api: Api, namespace: str) -> None:
    """An object cannot be renamed."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a"))
    answer = await api.put(path_of(CONFIG_MAPS, made), config_map("b"))
    answer.assert_refused(
        400,
        "BadRequest",
        "the name of the object (b) does not match the name on the URL (a)",
    )


async def test_the_generation_counts_changes_of_the_spec(api: Api, namespace: str) -> None:
    """Controllers say by it which wish they have fulfilled."""
    made = await created(api, DEPLOYMENTS, namespace, deployment("a", replicas=1))
    path = path_of(DEPLOYMENTS, made)
    assert made["metadata"]["generation"] == 1
    labelled = (await api.patch(path, {"metadata": {"labels": {"l": "1"}}})).ok()
    assert labelled["metadata"]["generation"] == 1
    scaled = (await api.patch(path, {"spec": {"replicas": 2}})).ok()
    assert scaled["metadata"]["generation"] == 2
    status = (await api.patch(f"{path}/status", {"status": {"observedGeneration": 2}})).ok()
    assert status["metadata"]["generation"] == 2


async def test_the_status_is_written_through_its_subresource_alone(
    api: Api, namespace: str
) -> None:
    """Whoever may write the wish may not claim its fulfilment, nor the other way round."""
    body = {**deployment("a", replicas=1), "status": {"replicas": 5}}
    made = await created(api, DEPLOYMENTS, namespace, body)
    assert made["status"] == {}
    path = path_of(DEPLOYMENTS, made)
    ignored = (await api.patch(path, {"status": {"replicas": 5}})).ok()
    assert ignored["status"] == {}
    changes = {"spec": {"replicas": 9}, "status": {"replicas": 5, "observedGeneration": 1}}
    written = (await api.patch(f"{path}/status", changes)).ok()
    assert written["spec"]["replicas"] == 1
    assert written["status"] == {"replicas": 5, "observedGeneration": 1}
    read = (await api.get(f"{path}/status")).ok()
    assert read == written


async def test_defaults_are_filled_in(api: Api, namespace: str) -> None:
    """What a workload does when nothing is said stands in it."""
    spec = (await created(api, DEPLOYMENTS, namespace, deployment("a")))["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"]) == (1, 10)
    assert spec["progressDeadlineSeconds"] == 600
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    pod = spec["template"]["spec"]
    assert (pod["restartPolicy"], pod["dnsPolicy"], pod["schedulerName"]) == (
        "Always",
        "ClusterFirst",
        "default-scheduler",
    )
    assert pod["containers"] == [
        {
            "name": "main",
            "image": "app:1",
            "resources": {},
            "terminationMessagePath": "/dev/termination-log",
            "terminationMessagePolicy": "File",
            "imagePullPolicy": "IfNotPresent",
        }
    ]


@pytest.mark.parametrize(
    ("resource", "body", "change", "field", "message"),
    [
        pytest.param(
            CONFIG_MAPS,
            {**config_map("a", {"k": "v"}), "immutable": True},
            {"data": {"k": "w"}},
            "data",
            "Forbidden: field is immutable when `immutable` is set",
            id="immutable config map",
        ),
        pytest.param(
            SECRETS,
            {"metadata": {"name": "a"}, "type": "Opaque"},
            {"type": "example.com/other"},
            "type",
            'Invalid value: "example.com/other": field is immutable',
            id="type of a secret",
        ),
        pytest.param(
            DEPLOYMENTS,
            deployment("a"),
            {
                "spec": {
                    "selector": {"matchLabels": {"app": "b"}},
                    "template": {"metadata": {"labels": {"app": "b"}}},
                }
            },
            "spec.selector",
            'Invalid value: {"matchLabels":{"app":"b"}}: field is immutable',
            id="selector of a deployment",
        ),
    ],
)
async def test_some_fields_never_change(
    api: Api,
    namespace: str,
    resource: Resource,
    body: KubeObject,
    change: KubeObject,
    field: str,
    message: str,
) -> None:
    """The kinds that the flows rely on keep what they promise."""
    made = await created(api, resource, namespace, body)
    answer = await api.patch(path_of(resource, made), change)
    kind = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
    answer.assert_refused(
        422,
        "Invalid",
        f'{kind} "a" is invalid: {field}: {message}',
        {
            "name": "a",
            **({"group": resource.group} if resource.group else {}),
            "kind": resource.kind,
            "causes": [
                {
                    "reason": "FieldValueForbidden"
                    if message.startswith("Forbidden")
                    else "FieldValueInvalid",
                    "message": message,
                    "field": field,
                }
            ],
        },
    )


@pytest.mark.parametrize(
    ("change", "status", "message"),
    [
        pytest.param(
            {"name": "b"},
            400,
            "the name of the object (b) does not match the name on the URL (a)",
            id="name",
        ),
        pytest.param(
            {"uid": "11111111-1111-4111-8111-111111111111"},
            422,
            'ConfigMap "a" is invalid: metadata.uid: Invalid value: '
            '"11111111-1111-4111-8111-111111111111": field is immutable',
            id="uid",
        ),
        pytest.param(
            {"namespace": "default"},
            400,
            "the namespace of the provided object does not match the namespace sent on the request",
            id="namespace",
        ),
    ],
)
async def test_identity_never_changes(
    api: Api, namespace: str, change: KubeObject, status: int, message: str
) -> None:
    """Name, namespace and uid are what the object is."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a"))
    answer = await api.patch(path_of(CONFIG_MAPS, made), {"metadata": change})
    assert (answer.status, answer.body["message"]) == (status, message)
    assert (await api.get(path_of(CONFIG_MAPS, made))).ok() == made


async def test_the_creation_time_never_changes(api: Api, namespace: str) -> None:
    """A caller's idea of it is passed over."""
    made = await created(api, CONFIG_MAPS, namespace, config_map("a"))
    change = {"metadata": {"creationTimestamp": "2001-01-01T00:00:00Z"}}
    body = (await api.patch(path_of(CONFIG_MAPS, made), change)).ok()
    assert body["metadata"]["creationTimestamp"] == made["metadata"]["creationTimestamp"]


async def test_a_service_has_an_address(api: Api, namespace: str) -> None:
    """Of the service network, as clients of a Service expect."""
    body = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}]}}
    made = await created(api, SERVICES, namespace, body)
    assert made["spec"]["clusterIP"].startswith("10.0.0.")
    assert made["spec"]["type"] == "ClusterIP"
    assert made["spec"]["ports"] == [{"protocol": "TCP", "port": 80, "targetPort": 80}]


async def test_a_namespace_has_its_finalizer(api: Api, namespace: str) -> None:
    """And its name as a label, by which policies select it."""
    body = (await api.get(NAMESPACES.path(name=namespace))).ok()
    assert body["spec"] == {"finalizers": ["kubernetes"]}
    assert body["status"] == {"phase": "Active"}
    assert body["metadata"]["labels"] == {"kubernetes.io/metadata.name": namespace}
