"""The generated CRDs are ones an API server takes, and say what the models say."""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import yaml

from towline_api.crds import HUB_KINDS, SPOKE_KINDS, crds, object_schema
from towline_api.models import KubeKind

KINDS = HUB_KINDS + SPOKE_KINDS
# What the API server's structural schemas may hold and these CRDs use.
WORDS = {
    "additionalProperties",
    "anyOf",
    "default",
    "description",
    "enum",
    "format",
    "items",
    "maxLength",
    "minLength",
    "minimum",
    "nullable",
    "pattern",
    "properties",
    "required",
    "type",
    "x-kubernetes-int-or-string",
    "x-kubernetes-list-map-keys",
    "x-kubernetes-list-type",
}


def schemas_in(
    schema: Mapping[str, Any], path: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every schema inside a schema with its path."""
    yield path, schema
    for name, member in schema.get("properties", {}).items():
        yield from schemas_in(member, f"{path}.{name}")
    for word in ("items", "additionalProperties"):
        if word in schema:
            yield from schemas_in(schema[word], f"{path}[]")


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_schema_is_structural(kind: type[KubeKind]):
    """An API server refuses a CRD with a reference, a null type or an untyped member."""
    for path, schema in schemas_in(object_schema(kind)):
        assert schema.keys() <= WORDS, path
        if schema.get("x-kubernetes-int-or-string"):
            assert "type" not in schema, path
            assert schema["anyOf"] == [{"type": "integer"}, {"type": "string"}], path
        else:
            assert schema["type"] in {"object", "array", "string", "integer", "boolean"}, path
            assert "anyOf" not in schema, path
        assert ("items" in schema) is (schema.get("type") == "array"), path
        assert set(schema.get("required", ())) <= schema.get("properties", {}).keys(), path
        assert not ("properties" in schema and "additionalProperties" in schema), path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_keys_of_map_lists_are_required_or_defaulted(kind: type[KubeKind]):
    """An API server refuses a map list whose entries might lack their key."""
    for path, schema in schemas_in(object_schema(kind)):
        for key in schema.get("x-kubernetes-list-map-keys", ()):
            items = schema["items"]
            assert key in items["required"] or "default" in items["properties"][key], path


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_described(kind: type[KubeKind]):
    """`kubectl explain` is where people look first."""
    for path, schema in schemas_in(object_schema(kind)):
        if not path.endswith("[]") and path != ".metadata":
            assert schema.get("description"), path
            assert not schema["description"].startswith(" "), path


def test_a_crd_says_where_the_kind_lives():
    """Names, scope, subresource and columns come from the kind."""
    by_name = {crd["metadata"]["name"]: crd for crd in crds()}
    assert len(by_name) == len(KINDS)
    cluster = by_name["managedclusters.cluster.open-cluster-management.io"]
    assert cluster["apiVersion"] == "apiextensions.k8s.io/v1"
    assert cluster["spec"]["scope"] == "Cluster"
    assert cluster["spec"]["names"] == {
        "kind": "ManagedCluster",
        "listKind": "ManagedClusterList",
        "plural": "managedclusters",
        "singular": "managedcluster",
        "shortNames": ["mcl", "mcls"],
    }
    (version,) = cluster["spec"]["versions"]
    assert version["subresources"] == {"status": {}}
    assert {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"} in (
        version["additionalPrinterColumns"]
    )
    config = by_name["addondeploymentconfigs.addon.open-cluster-management.io"]
    assert config["spec"]["scope"] == "Namespaced"
    assert "subresources" not in config["spec"]["versions"][0]


def test_only_server_defaults_become_defaults():
    """A default in a CRD is written into objects, and so into their hash."""
    defaults = {
        f"{kind.__name__}{path}": schema["default"]
        for kind in KINDS
        for path, schema in schemas_in(object_schema(kind))
        if "default" in schema and "rollout" not in path and not path.endswith(".group")
    }
    namespace = "open-cluster-management-agent-addon"
    assert defaults == {
        "ManagedCluster.spec.leaseDurationSeconds": 60,
        "ClusterManagementAddOn.spec.installStrategy": {"type": "Manual"},
        "ClusterManagementAddOn.spec.installStrategy.type": "Manual",
        "ManagedClusterAddOn.spec.installNamespace": namespace,
        "ManagedClusterAddOn.status.healthCheck.mode": "Lease",
        "AddOnDeploymentConfig.spec.agentInstallNamespace": namespace,
    }


def test_crds_are_fresh_and_plain():
    """Callers may change what they get, and print it without YAML aliases."""
    first = crds()
    text = yaml.safe_dump_all(first)
    assert "&id" not in text
    assert list(yaml.safe_load_all(text)) == first
    before = copy.deepcopy(first)
    for crd in first:
        crd["spec"]["versions"][0]["schema"].clear()
    assert crds() == before


def test_crds_can_be_asked_for_by_side():
    """A managed cluster gets no hub kinds."""
    names = [crd["spec"]["names"]["kind"] for crd in crds(SPOKE_KINDS)]
    assert names == ["ClusterClaim"]
