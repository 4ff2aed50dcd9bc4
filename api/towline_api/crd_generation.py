"""Making the CustomResourceDefinitions of the kinds from their models.

What pydantic says about a model is turned into what an API server calls a structural schema:
references written out, null left to the server, only the defaults that are the server's.
Descriptions are the docstrings of the models. A tenth of a second goes into it, and programs would
spend it at each start: `towline_api.crds` reads the outcome from a file, which

    python -m towline_api.crd_generation

writes anew when a model has changed.
"""

import inspect
import json
from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any

from towline_api.crds import CRDS_FILE
from towline_api.models import (
    AddOnDeploymentConfig,
    AddOnDeploymentConfigV1Beta1,
    ClusterClaim,
    ClusterManagementAddOn,
    ClusterManagementAddOnV1Beta1,
    KubeKind,
    ManagedCluster,
    ManagedClusterAddOn,
    ManagedClusterAddOnV1Beta1,
)
from towline_api.models.schema import SERVER_DEFAULT
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject

KINDS: tuple[tuple[type[KubeKind], ...], ...] = (
    (ManagedCluster,),
    (ClusterManagementAddOn, ClusterManagementAddOnV1Beta1),
    (ManagedClusterAddOn, ManagedClusterAddOnV1Beta1),
    (AddOnDeploymentConfig, AddOnDeploymentConfigV1Beta1),
    (ClusterClaim,),
)
"""Every kind, by its models: the version that is stored, then the others."""

_KEPT = (
    *("description", "type", "format", "nullable", "enum", "pattern", "anyOf"),
    *("minLength", "maxLength", "minimum", "maximum", "minItems", "maxItems"),
    *("x-kubernetes-int-or-string", "x-kubernetes-list-type", "x-kubernetes-list-map-keys"),
    "required",
)
"""What a structural schema takes over as it is, in the order it is written."""


def generate_crds() -> list[KubeObject]:
    """Return the CustomResourceDefinition of each kind with all its versions."""
    return [_crd(versions) for versions in KINDS]


def format_crds(definitions: list[KubeObject]) -> str:
    """Return definitions as they stand in the file of this package."""
    return json.dumps(definitions, indent=1, ensure_ascii=False) + "\n"


def _crd(versions: tuple[type[KubeKind], ...]) -> KubeObject:
    stored = versions[0]
    resource = stored.resource
    names: dict[str, Any] = {
        "kind": resource.kind,
        "listKind": f"{resource.kind}List",
        "plural": resource.plural,
        "singular": resource.kind.lower(),
    }
    if stored.short_names:
        names["shortNames"] = list(stored.short_names)
    return {
        "apiVersion": CUSTOM_RESOURCE_DEFINITIONS.api_version,
        "kind": CUSTOM_RESOURCE_DEFINITIONS.kind,
        "metadata": {"name": resource.qualified},
        "spec": {
            "group": resource.group,
            "names": names,
            "scope": "Namespaced" if resource.namespaced else "Cluster",
            "versions": [_version(kind, is_stored=kind is stored) for kind in versions],
        },
    }


def _version(kind: type[KubeKind], *, is_stored: bool) -> dict[str, Any]:
    version: dict[str, Any] = {
        "name": kind.resource.version,
        "served": True,
        "storage": is_stored,
        "schema": {"openAPIV3Schema": object_schema(kind)},
    }
    if "status" in kind.model_fields:
        version["subresources"] = {"status": {}}
    if kind.printer_columns:
        version["additionalPrinterColumns"] = [
            {"name": column.name, "type": column.type, "jsonPath": column.path}
            for column in kind.printer_columns
        ]
    return version


def object_schema(kind: type[KubeKind]) -> dict[str, Any]:
    """Return the structural schema of a kind's objects."""
    generated = kind.model_json_schema(by_alias=True, mode="validation")
    schema = _structural(generated, generated.get("$defs", {}))
    # The server knows metadata itself, and refuses most of what a CRD could say about it.
    schema["properties"]["metadata"] = {"type": "object"}
    return schema


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


if __name__ == "__main__":
    Path(str(files("towline_api"))).joinpath(CRDS_FILE).write_text(
        format_crds(generate_crds()), encoding="utf-8"
    )
