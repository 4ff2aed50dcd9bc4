"""The CustomResourceDefinitions of the kinds, generated from their models.

What pydantic says about a model is turned into what an API server calls a structural schema:
references written out, null left to the server, only the defaults that are the server's.
Descriptions are the docstrings of the models.
"""

import inspect
import json
from copy import deepcopy
from functools import cache
from typing import Any

from towline_api.models import (
    AddOnDeploymentConfig,
    ClusterClaim,
    ClusterManagementAddOn,
    KubeKind,
    ManagedCluster,
    ManagedClusterAddOn,
)
from towline_api.models.schema import SERVER_DEFAULT
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject

HUB_KINDS: tuple[type[KubeKind], ...] = (
    ManagedCluster,
    ClusterManagementAddOn,
    ManagedClusterAddOn,
    AddOnDeploymentConfig,
)
"""What lives on the hub."""
SPOKE_KINDS: tuple[type[KubeKind], ...] = (ClusterClaim,)
"""What lives on managed clusters."""

_KEPT = (
    *("description", "type", "format", "nullable", "enum", "pattern", "anyOf"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
    *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    "required",
)
"""What a structural schema takes over as it is, in the order it is written."""


def crds(kinds: tuple[type[KubeKind], ...] = HUB_KINDS + SPOKE_KINDS) -> list[KubeObject]:
    """Return the CustomResourceDefinition of each kind, ready to be applied."""
    return [_crd(kind) for kind in kinds]


def _crd(kind: type[KubeKind]) -> KubeObject:
    resource = kind.resource
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
    }
    if kind.short_names:
        names["shortNames"] = list(kind.short_names)
    version: dict[str, Any] = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": object_schema(kind)},
    }
    if "status" in kind.model_fields:
        version["subresources"] = {"status": {}}
    if kind.printer_columns:
        version["additionalPrinterColumns"] = [
            {"name": column.name, "type": column.type, "jsonPath": column.path}
            for column in kind.printer_columns
        ]
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [version],
        },
    }


def object_schema(kind: type[KubeKind]) -> dict[str, Any]:
    """Return the structural schema of a kind's objects, a copy of the caller's own."""
    schema: dict[str, Any] = json.loads(_schema_text(kind))
    return schema


@cache
def _schema_text(kind: type[KubeKind]) -> str:
    # pydantic takes a tenth of a second for all kinds, and a process may run several hubs.
    generated = kind.model_json_schema(by_alias=True, mode="validation")
    schema = _structural(generated, generated.get("$defs", {}))
    # The server knows metadata itself, and refuses most of what a CRD could say about it.
    schema["properties"]["metadata"] = {"type": "object"}
    return json.dumps(schema)


def _structural(generated: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return one generated schema as a structural one.

    Args:
        generated: What pydantic made of a type, a field or a model.
        definitions: The models it refers to.
    """
    written_out = _write_out(generated, definitions)
    # Copied, so that no two places of the result share a list, which YAML would write as an alias.
    schema: dict[str, Any] = {
        key: deepcopy(written_out[key]) for key in _KEPT if key in written_out
    }
    if "description" in schema:
        schema["description"] = inspect.cleandoc(schema["description"])
    if written_out.get(SERVER_DEFAULT):
        schema["default"] = written_out["default"]
    if "properties" in written_out:
        # Unknown members are the server's to prune, so additionalProperties stays out.
        schema["properties"] = {
            name: _structural(member, definitions)
            for name, member in written_out["properties"].items()
        }
    elif isinstance(written_out.get("additionalProperties"), dict):
        schema["additionalProperties"] = _structural(
            written_out["additionalProperties"], definitions
        )
    if "items" in written_out:
        schema["items"] = _structural(written_out["items"], definitions)
    return schema


def _write_out(generated: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without references, and without the null of an optional field.

    What stands beside a reference or an alternative, such as a field's description, goes before
    what stands in it.
    """
    outer = dict(generated)
    if "$ref" in outer:
        inner = definitions[outer.pop("$ref").removeprefix("#/$defs/")]
        return _write_out(inner, definitions) | outer
    alternatives = [item for item in outer.get("anyOf", ()) if item != {"type": "null"}]
    if len(alternatives) == 1:
        del outer["anyOf"]
        return _write_out(alternatives[0], definitions) | outer
    return outer
