"""The generated CRDs are ones an API server takes, and say what the models say."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from towline_api import crds as crds_module
from towline_api.crd_generation import KINDS as KINDS_BY_VERSION
from towline_api.crd_generation import format_crds, generate_crds, object_schema
from towline_api.crds import (
    CONVERTED_KINDS,
    CRDS_FILE,
    HUB_KINDS,
    SPOKE_KINDS,
    crds,
    service_conversion,
    url_conversion,
)
from towline_api.models import KubeKind

KINDS = tuple(kind for versions in KINDS_BY_VERSION for kind in versions)
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
    assert len(by_name) == len(HUB_KINDS + SPOKE_KINDS)
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
        "ClusterManagementAddOnV1Beta1.spec.installStrategy": {"type": "Manual"},
        "ClusterManagementAddOnV1Beta1.spec.installStrategy.type": "Manual",
        "ManagedClusterAddOnV1Beta1.status.healthCheck.mode": "Lease",
        "AddOnDeploymentConfigV1Beta1.spec.agentInstallNamespace": namespace,
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


def test_the_file_in_the_package_is_what_the_models_say():
    """Programs read the file; whoever changes a model writes it anew."""
    file = Path(crds_module.__file__).with_name(CRDS_FILE)
    assert file.read_text(encoding="utf-8") == format_crds(generate_crds()), (
        "run: python -m towline_api.crd_generation"
    )


def test_reading_the_crds_needs_no_models():
    """A third of a second at the start of every hub goes into importing them."""
    code = "import sys; from towline_api.crds import crds; crds(); print('pydantic' in sys.modules)"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


@pytest.mark.parametrize("kind", HUB_KINDS, ids=lambda kind: kind.plural)
def test_versions_that_nobody_converts_are_not_served(kind):
    """Who lists in a version that cannot be converted, such as the namespace controller, hangs."""
    (crd,) = crds((kind,))
    assert "conversion" not in crd["spec"]
    stored = [version["name"] for version in crd["spec"]["versions"] if version["storage"]]
    assert stored == [kind.version]
    names = [version["name"] for version in crd["spec"]["versions"]]
    assert (len(names) == 1) is (kind in CONVERTED_KINDS or kind.plural == "managedclusters")


def test_with_a_converter_both_versions_are_served():
    """The older one is stored, as OCM stores it, and the newer one has its own columns."""
    conversion = url_conversion("https://127.0.0.1:9/convert", ca_pem=b"ca")
    for crd in crds(HUB_KINDS, conversion=conversion):
        versions = {item["name"]: item for item in crd["spec"]["versions"]}
        if crd["metadata"]["name"].startswith("managedclusters."):
            assert list(versions) == ["v1"]
            continue
        assert {name: item["storage"] for name, item in versions.items()} == {
            "v1alpha1": True,
            "v1beta1": False,
        }
        assert all(item["served"] for item in versions.values())
        converts = crd["spec"]["names"]["kind"] != "AddOnDeploymentConfig"
        assert crd["spec"].get("conversion") == (conversion if converts else None)
        headings = [
            item["name"] for item in versions["v1beta1"].get("additionalPrinterColumns", ())
        ]
        assert "CRD NAME" not in headings
    assert yaml.safe_load(yaml.safe_dump_all(crds(HUB_KINDS, conversion=conversion)[:1]))


def test_a_converter_is_named_as_the_api_takes_it():
    """By URL or by Service, with its authorities in base64."""
    assert url_conversion("https://h:1/convert", ca_pem=b"pem") == {
        "strategy": "Webhook",
        "webhook": {
            "clientConfig": {"url": "https://h:1/convert", "caBundle": "cGVt"},
            "conversionReviewVersions": ["v1"],
        },
    }
    by_service = service_conversion("s", namespace="n", path="/convert")
    assert by_service["webhook"]["clientConfig"] == {
        "service": {"name": "s", "namespace": "n", "path": "/convert", "port": 443}
    }


def test_versions_of_a_kind_that_no_webhook_converts_are_the_same():
    """The API server changes nothing but the version, and would drop what only one of them has."""
    (crd,) = crds([kind for kind in HUB_KINDS if kind.plural == "addondeploymentconfigs"])
    first, second = ({**item, "name": "", "storage": None} for item in crd["spec"]["versions"])
    assert json.dumps(first) == json.dumps(second)
