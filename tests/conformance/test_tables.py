"""Tables: what `kubectl get` prints is computed by the server."""

import pytest

from conformance.api import Api
from conformance.crds import install, version, widget, widget_crd, widgets
from conformance.objects import CONFIG_MAPS, DEPLOYMENTS, config_map, deployment
from towline_api.resources import (
    CERTIFICATE_SIGNING_REQUESTS,
    LEASES,
    NAMESPACES,
    PODS,
    SECRETS,
    KubeObject,
    Resource,
)

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


async def table(api: Api, path: str, **query: object) -> KubeObject:
    """Return a collection or object as a table."""
    body = (await api.get(path, accept=TABLE, **query)).ok()
    assert (body["kind"], body["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    return body


def columns(body: KubeObject) -> list[str]:
    """Return the headings; those for `-o wide` in brackets."""
    return [
        column["name"] if column["priority"] == 0 else f"({column['name']})"
        for column in body["columnDefinitions"]
    ]


@pytest.mark.parametrize(
    ("resource", "expected"),
    [
        pytest.param(CONFIG_MAPS, ["Name", "Data", "Age"], id="config maps"),
        pytest.param(SECRETS, ["Name", "Type", "Data", "Age"], id="secrets"),
        pytest.param(LEASES, ["Name", "Holder", "Age"], id="leases"),
        pytest.param(NAMESPACES, ["Name", "Status", "Age"], id="namespaces"),
        pytest.param(
            PODS,
            [
                "Name",
                "Ready",
                "Status",
                "Restarts",
                "Age",
                "(IP)",
                "(Node)",
                "(Nominated Node)",
                "(Readiness Gates)",
            ],
            id="pods",
        ),
        pytest.param(
            DEPLOYMENTS,
            [
                "Name",
                "Ready",
                "Up-to-date",
                "Available",
                "Age",
                "(Containers)",
                "(Images)",
                "(Selector)",
            ],
            id="deployments",
        ),
        pytest.param(
            CERTIFICATE_SIGNING_REQUESTS,
            ["Name", "Age", "SignerName", "Requestor", "RequestedDuration", "Condition"],
            id="requests",
        ),
        pytest.param(
            Resource("", "v1", "services", "Service", namespaced=True),
            ["Name", "Type", "Cluster-IP", "External-IP", "Port(s)", "Age", "(Selector)"],
            id="services",
        ),
        pytest.param(
            Resource("", "v1", "nodes", "Node", namespaced=False),
            [
                "Name",
                "Status",
                "Roles",
                "Age",
                "Version",
                "(Internal-IP)",
                "(External-IP)",
                "(OS-Image)",
                "(Kernel-Version)",
                "(Container-Runtime)",
            ],
            id="nodes",
        ),
        pytest.param(
            Resource("", "v1", "serviceaccounts", "ServiceAccount", namespaced=True),
            ["Name", "Age"],
            id="service accounts",
        ),
        pytest.param(
            Resource(
                "rbac.authorization.k8s.io", "v1", "rolebindings", "RoleBinding", namespaced=True
            ),
            ["Name", "Role", "Age", "(Users)", "(Groups)", "(ServiceAccounts)"],
            id="role bindings",
        ),
        pytest.param(
            Resource("batch", "v1", "jobs", "Job", namespaced=True),
            [
                "Name",
                "Status",
                "Completions",
                "Duration",
                "Age",
                "(Containers)",
                "(Images)",
                "(Selector)",
            ],
            id="jobs",
        ),
    ],
)
async def test_columns_of_built_in_kinds(
    api: Api, namespace: str, resource: Resource, expected: list[str]
) -> None:
    """The ones people know."""
    path = resource.path(namespace=namespace if resource.namespaced else None)
    assert columns(await table(api, path)) == expected


async def test_a_row_has_cells_and_metadata(api: Api, namespace: str) -> None:
    """The metadata is there for labels and for deleting by name."""
    path = CONFIG_MAPS.path(namespace=namespace)
    made = (await api.post(path, config_map("a", {"k": "v", "l": "w"}))).ok(201)
    body = await table(api, f"{path}/a")
    assert body["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]
    (row,) = body["rows"]
    assert row["cells"][:2] == ["a", 2]
    assert row["cells"][2].endswith("s")
    assert row["object"]["kind"] == "PartialObjectMetadata"
    assert row["object"]["metadata"] == made["metadata"]
    name, data, age = body["columnDefinitions"]
    assert (name["type"], name["format"]) == ("string", "name")
    assert data["type"] == "integer" or data["type"] == "string"
    assert age["type"] == "string"


@pytest.mark.parametrize(
    ("include", "expected"),
    [("Object", "ConfigMap"), ("Metadata", "PartialObjectMetadata"), ("None", None)],
)
async def test_rows_include_what_is_asked_for(
    api: Api, namespace: str, include: str, expected: str | None
) -> None:
    """`includeObject`."""
    path = CONFIG_MAPS.path(namespace=namespace)
    (await api.post(path, config_map("a"))).ok(201)
    (row,) = (await table(api, f"{path}/a", includeObject=include))["rows"]
    found = row["object"]
    assert (None if found is None else found["kind"]) == expected


async def test_a_table_of_nothing_has_columns(api: Api, namespace: str) -> None:
    """Kubectl says `No resources found` by the rows."""
    body = await table(api, LEASES.path(namespace=namespace))
    assert body["rows"] == []
    assert columns(body) == ["Name", "Holder", "Age"]


async def test_cells_of_a_workload(api: Api, namespace: str) -> None:
    """Ready of wanted, and what is behind `-o wide`."""
    (await api.post(DEPLOYMENTS.path(namespace=namespace), deployment("a", replicas=2))).ok(201)
    (row,) = (await table(api, DEPLOYMENTS.path(namespace=namespace)))["rows"]
    assert row["cells"][:4] == ["a", "0/2", 0, 0]
    assert row["cells"][5:] == ["main", "app:1", "app=a"]


async def test_a_watch_can_be_a_table(api: Api, namespace: str) -> None:
    """`kubectl get --watch`: the columns come with the first event alone."""
    path = LEASES.path(namespace=namespace)
    for name in ("a", "b"):
        (await api.post(path, {"metadata": {"name": name}})).ok(201)
    async with api.watch(path, accept=TABLE, timeoutSeconds=1) as watch:
        events = await watch.rest()
    assert [event["type"] for event in events] == ["ADDED", "ADDED"]
    first, second = (event["object"] for event in events)
    assert columns(first) == ["Name", "Holder", "Age"]
    assert not second["columnDefinitions"]
    assert [row["cells"][0] for row in (*first["rows"], *second["rows"])] == ["a", "b"]


async def test_a_refusal_is_no_table(api: Api, namespace: str) -> None:
    """A Status stays a Status."""
    answer = await api.get(LEASES.path(namespace=namespace, name="none"), accept=TABLE)
    assert (answer.status, answer.body["kind"]) == (404, "Status")


async def test_columns_of_a_definition(api: Api, name: str, namespace: str) -> None:
    """By JSONPath, typed; dates are shown as ages."""
    printed: list[KubeObject] = [
        {"name": "Size", "type": "integer", "jsonPath": ".spec.size"},
        {"name": "Phase", "type": "string", "jsonPath": ".status.phase"},
        {
            "name": "Part",
            "type": "string",
            "jsonPath": '.spec.parts[?(@.name=="x")].count',
            "priority": 1,
        },
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
    ]
    await install(api, widget_crd(name, version("v1", additionalPrinterColumns=printed)))
    path = widgets(name).path(namespace=namespace)
    parts = [{"name": "y", "count": 7}, {"name": "x", "count": 4}]
    (await api.post(path, widget(name, "a", parts=parts))).ok(201)
    body = await table(api, path)
    assert columns(body) == ["Name", "Size", "Phase", "(Part)", "Age"]
    (row,) = body["rows"]
    assert row["cells"][:4] == ["a", 1, None, "4"] or row["cells"][:4] == ["a", 1, "", "4"]
    assert row["cells"][4].endswith("s")


async def test_a_definition_without_columns_shows_its_age(
    api: Api, widget_group: str, namespace: str
) -> None:
    """That much every object has."""
    path = widgets(widget_group).path(namespace=namespace)
    assert columns(await table(api, path)) == ["Name", "Age"]
