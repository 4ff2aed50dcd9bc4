"""What the embedded plane tells about kinds and objects is what a real server tells about them.

The conformance suite asks both planes the same questions; this shows the embedded plane's views
everything that a real server serves, and reads everything that it writes.
"""

import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import aiohttp
import orjson
import pytest

from support.waiting import until
from towline_api.resources import KubeObject
from towline_kube.kubeconfig import parse_kubeconfig
from towline_kube.tls import ssl_context
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.model.kinds import Catalog, Kind
from towline_sandbox.embedded.protobuf import PROTOBUF, decode_object
from towline_sandbox.embedded.views.discovery import Discovery
from towline_sandbox.embedded.views.openapi import OpenApi
from towline_sandbox.embedded.views.table import IncludeObject, as_table
from towline_sandbox.kube_plane import KubePlane

pytestmark = pytest.mark.planes("kube", because="the embedded plane is held against it")

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
KINDS = built_in.kinds()
FACTS = ("operationId", "x-kubernetes-action", "x-kubernetes-group-version-kind")

_TEMPLATE = {
    "metadata": {"labels": {"a": "b"}},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "ports": [{"containerPort": 80}],
                "env": [{"name": "e", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}],
                "livenessProbe": {"httpGet": {"path": "/", "port": "web"}},
                "resources": {"limits": {"memory": "1Gi"}},
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}, {"name": "s", "secret": {"secretName": "s"}}],
        "restartPolicy": "Always",
    },
}
_SELECTOR = {"matchLabels": {"a": "b"}}
OBJECTS: dict[str, KubeObject] = {
    "/api/v1/{}/secrets": {"data": {"k": "AP8="}, "immutable": False},
    "/api/v1/{}/services": {"spec": {"ports": [{"port": 80, "targetPort": "web"}]}},
    "/apis/apps/v1/{}/deployments": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "/apis/apps/v1/{}/daemonsets": {"spec": {"selector": _SELECTOR, "template": _TEMPLATE}},
    "/apis/coordination.k8s.io/v1/{}/leases": {"spec": {"holderIdentity": "h"}},
    "/apis/networking.k8s.io/v1/{}/networkpolicies": {"spec": {"podSelector": _SELECTOR}},
    "/apis/policy/v1/{}/poddisruptionbudgets": {"spec": {"minAvailable": "50%"}},
}


class Server:
    """A real API server, asked as its administrator.

    Args:
        session: Carries the certificate.
        address: Of the server.
    """

    def __init__(self, session: aiohttp.ClientSession, address: str) -> None:
        self._session = session
        self._address = address

    async def read(self, path: str, *, accept: str = "application/json") -> bytes:
        """Return what stands at a path."""
        async with self._session.get(self._address + path, headers={"Accept": accept}) as response:
            assert response.status == 200, f"{path}: {await response.text()}"
            return await response.read()

    async def get(self, path: str, *, accept: str = "application/json") -> Any:
        """Return the JSON that stands at a path."""
        return orjson.loads(await self.read(path, accept=accept))

    async def create(self, path: str, obj: KubeObject) -> None:
        """Store an object."""
        async with self._session.post(self._address + path, json=obj) as response:
            assert response.status == 201, f"{path}: {await response.text()}"


@pytest.fixture
async def server(hub_plane: KubePlane) -> AsyncIterator[Server]:
    """Return a real API server with an object of each sort."""
    connection = parse_kubeconfig(hub_plane.admin_kubeconfig(), source="test")
    connector = aiohttp.TCPConnector(ssl=ssl_context(connection))
    async with aiohttp.ClientSession(connector=connector) as session:
        server = Server(session, connection.server)
        namespace = f"views-{secrets.token_hex(4)}"
        await server.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        for path, obj in OBJECTS.items():
            where = path.format(f"namespaces/{namespace}")
            await server.create(where, {"metadata": {"name": "x"}, **obj})
        yield server


def own_catalog() -> Catalog:
    """Return what the embedded plane serves from the start."""
    catalog = Catalog()
    catalog.put("built-in", KINDS)
    return catalog


def root_of(kind: Kind) -> str:
    """Return the path of a kind's group version."""
    return f"/{'apis' if kind.resource.group else 'api'}/{kind.group_version}"


async def test_kinds_are_discovered_as_on_a_real_server(server: Server) -> None:
    """Apart from those that are not served here."""
    discovery = Discovery(own_catalog(), address="x")
    for root in sorted({root_of(kind) for kind in KINDS}):
        document = discovery.answer(root)
        assert document is not None
        found, real = orjson.loads(document.body), await server.get(root)
        served = {each["name"] for each in found["resources"]}
        real["resources"] = [each for each in real["resources"] if each["name"] in served]
        assert found == real


async def test_kinds_are_discovered_at_once_as_on_a_real_server(server: Server) -> None:
    """Apart from those that are not served here."""
    discovery = Discovery(own_catalog(), address="x")
    for root in ("/api", "/apis"):
        document = discovery.answer(root, accept=AGGREGATED)
        assert document is not None
        found = entries(orjson.loads(document.body))
        real = entries(await server.get(root, accept=AGGREGATED))
        for key, entry in found.items():
            known = {each["subresource"] for each in entry.get("subresources", ())}
            below = [
                each for each in real[key].pop("subresources", ()) if each["subresource"] in known
            ]
            assert entry == {**real[key], **({"subresources": below} if below else {})}


def entries(discovered: KubeObject) -> dict[tuple[str, str, str], KubeObject]:
    """Return the kinds of an aggregated document by group, version and plural."""
    return {
        (group["metadata"].get("name", ""), version["version"], kind["resource"]): kind
        for group in discovered["items"]
        for version in group["versions"]
        for kind in version["resources"]
    }


async def test_tables_are_those_of_a_real_server(server: Server) -> None:
    """Headings, types and cells of whatever there is."""
    seen: list[KubeObject] = []

    async def is_same(kind: Kind) -> bool:
        path = f"{root_of(kind)}/{kind.resource.plural}"
        listed = await server.get(path)
        real = await server.get(f"{path}?includeObject=None", accept=TABLE)
        made = as_table(
            kind,
            listed["items"],
            list_metadata=listed["metadata"],
            now=datetime.now(UTC),
            include_object=IncludeObject.NONE,
        )
        real["rows"] = real["rows"] or []
        seen[:] = [without_descriptions(real), without_descriptions(made)]
        return seen[0] == seen[1]

    for kind in KINDS:
        if "list" in kind.verbs:
            # An age may go up between the two questions, and objects may come and go.
            await until(partial(is_same, kind), what=lambda: seen)


def without_descriptions(table: KubeObject) -> KubeObject:
    """Return columns and rows of a table."""
    columns = [
        {key: value for key, value in each.items() if key != "description"}
        for each in table["columnDefinitions"]
    ]
    return {"columns": columns, "rows": table["rows"]}


async def test_schemas_and_patches_are_described_as_on_a_real_server(server: Server) -> None:
    """Kubectl looks for the kind of a path, and for parameters of patches."""
    described = OpenApi(own_catalog(), definitions=built_in.definitions(), version="v1.37.2")
    for root in sorted({root_of(kind) for kind in KINDS}):
        document = described.answer(f"/openapi/v3{root}")
        assert document is not None
        found, real = orjson.loads(document.body), await server.get(f"/openapi/v3{root}")
        assert found["info"] == real["info"]
        assert found["paths"].keys() <= real["paths"].keys()
        for path, item in found["paths"].items():
            for method in item.keys() - {"parameters"}:
                one, other = item[method], real["paths"][path][method]
                for fact in (
                    "operationId",
                    "x-kubernetes-action",
                    "x-kubernetes-group-version-kind",
                ):
                    assert one[fact] == other[fact], (path, method)
                if method == "patch":
                    assert one["parameters"] == [
                        {key: value for key, value in each.items() if key != "description"}
                        for each in other["parameters"]
                    ]


async def test_everything_a_real_server_writes_in_protobuf_is_read(server: Server) -> None:
    """As the JSON that it writes of the same object."""
    read = 0
    for kind in KINDS:
        if "get" not in kind.verbs:
            continue
        listed = await server.get(f"{root_of(kind)}/{kind.resource.plural}?limit=20")
        for item in listed["items"]:
            metadata = item["metadata"]
            path = kind.resource.path(namespace=metadata.get("namespace"), name=metadata["name"])
            in_json = without_nulls(await server.get(path))
            in_protobuf = decode_object(await server.read(path, accept=PROTOBUF))
            assert without_nulls(in_protobuf) == in_json
            read += 1
    assert read > len(OBJECTS)


def without_nulls(value: Any) -> Any:
    """Return JSON without what is not there."""
    if isinstance(value, dict):
        return {key: without_nulls(each) for key, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value
