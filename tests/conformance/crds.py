"""CustomResourceDefinitions for tests."""

import copy
from typing import Any

from conformance.api import Api
from support.waiting import until
from towline_api.resources import CUSTOM_RESOURCE_DEFINITIONS, KubeObject, Resource

WIDGET_SCHEMA: KubeObject = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "required": ["size"],
            "properties": {
                "size": {"type": "integer", "minimum": 1, "maximum": 9},
                "color": {"type": "string", "enum": ["red", "green"], "default": "red"},
                "tag": {"type": "string", "pattern": "^[a-z]+$", "maxLength": 5},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
                "parts": {
                    "type": "array",
                    "maxItems": 3,
                    "items": {
                        "type": "object",
                        "required": ["name"],
                        "properties": {
                            "name": {"type": "string"},
                            "count": {"type": "integer", "default": 1},
                        },
                    },
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["name"],
                },
                "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                "port": {"x-kubernetes-int-or-string": True},
                "notes": {"type": "object", "additionalProperties": {"type": "string"}},
                "fixed": {
                    "type": "string",
                    "x-kubernetes-validations": [
                        {"rule": "self == oldSelf", "message": "fixed never changes"}
                    ],
                },
            },
        },
        "status": {
            "type": "object",
            "properties": {"phase": {"type": "string"}, "count": {"type": "integer"}},
        },
    },
}


def version(name: str, *, schema: KubeObject | None = None, **more: Any) -> KubeObject:
    """Return one version of a definition: served, and stored if it is `v1`."""
    return {
        "name": name,
        "served": True,
        "storage": name == "v1",
        "schema": {"openAPIV3Schema": copy.deepcopy(schema or WIDGET_SCHEMA)},
        "subresources": {"status": {}},
        **more,
    }


def widget_crd(name: str, *versions: KubeObject, **spec: Any) -> KubeObject:
    """Return a definition of Widgets in a group that is the test's alone.

    Args:
        name: The test's name.
        versions: By default `v1` as `WIDGET_SCHEMA` says.
        spec: More fields of the spec.
    """
    group = f"{name}.example.com"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"widgets.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced",
            "names": {
                "plural": "widgets",
                "singular": "widget",
                "kind": "Widget",
                "shortNames": ["wd"],
                "categories": ["conformance"],
            },
            "versions": list(versions) or [version("v1")],
            **spec,
        },
    }


def widgets(name: str, *, version: str = "v1", namespaced: bool = True) -> Resource:
    """Return where the Widgets of a test are served."""
    return Resource(f"{name}.example.com", version, "widgets", "Widget", namespaced=namespaced)


def widget(crd_name: str, name: str, *, version: str = "v1", **spec: Any) -> KubeObject:
    """Return a Widget of size 1, with these fields of its spec besides."""
    return {
        "apiVersion": f"{crd_name}.example.com/{version}",
        "kind": "Widget",
        "metadata": {"name": name},
        "spec": {"size": 1, **spec},
    }


def _conditions(crd: KubeObject) -> list[KubeObject]:
    return crd.get("status", {}).get("conditions") or []  # null until somebody looked at it


async def install(api: Api, crd: KubeObject) -> KubeObject:
    """Create a definition, and wait until its objects are served in every version."""
    (await api.post(CUSTOM_RESOURCE_DEFINITIONS.path(), crd)).ok(201)
    return await until_served(api, crd)


async def until_served(api: Api, crd: KubeObject) -> KubeObject:
    """Wait until a definition's objects are served in every version; return it as it is then."""
    name = crd["metadata"]["name"]
    group, plural = crd["spec"]["group"], crd["spec"]["names"]["plural"]

    async def served() -> KubeObject | None:
        found = (await api.get(CUSTOM_RESOURCE_DEFINITIONS.path(name=name))).ok()
        states = {c["type"]: c["status"] for c in _conditions(found)}
        if states.get("Established") != "True":
            return None
        for item in crd["spec"]["versions"]:
            path = f"/apis/{group}/{item['name']}/{plural}"
            if item["served"] and (await api.get(path)).status != 200:
                return None
        return found

    found = await until(served, what=lambda: f"{name} to be served")
    assert found is not None
    return found
