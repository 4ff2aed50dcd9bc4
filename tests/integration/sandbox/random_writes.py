"""Writes drawn at random, such as several managers make to one object that they share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from towline_api.resources import KubeObject, Resource
from towline_sandbox.embedded import built_in
from towline_sandbox.embedded.model.kinds import Kind, Subresource
from towline_sandbox.embedded.model.schema import Schema
from towline_sandbox.embedded.patches.media_types import (
    APPLY,
    JSON_PATCH,
    MERGE_PATCH,
    STRATEGIC_MERGE,
)

MANAGERS = ("one", "two", "three")
UPDATE = "application/json"

WIDGET_SCHEMA: KubeObject = {
    "type": "object",
    "properties": {
        "spec": {
            "type": "object",
            "properties": {
                "size": {"type": "integer"},
                "tags": {
                    "type": "array",
                    "items": {"type": "string"},
                    "x-kubernetes-list-type": "set",
                },
                "parts": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["id", "zone"],
                    "items": {
                        "type": "object",
                        "required": ["id"],
                        "properties": {
                            "id": {"type": "integer"},
                            "zone": {"type": "string", "default": "a"},
                            "color": {"type": "string"},
                            "sub": {
                                "type": "object",
                                "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
                            },
                        },
                    },
                },
                "plain": {"type": "array", "items": {"type": "string"}},
                "options": {"type": "object", "additionalProperties": {"type": "string"}},
                "frozen": {
                    "type": "object",
                    "x-kubernetes-map-type": "atomic",
                    "additionalProperties": {"type": "string"},
                },
                "anything": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
            },
        },
        "status": {
            "type": "object",
            "properties": {
                "ready": {"type": "boolean"},
                "conditions": {
                    "type": "array",
                    "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["type"],
                    "items": {
                        "type": "object",
                        "required": ["type"],
                        "properties": {"type": {"type": "string"}, "status": {"type": "string"}},
                    },
                },
            },
        },
    },
}

WIDGETS = Resource("patching.towline.test", "v1", "widgets", "Widget", namespaced=True)
WIDGET_DEFINITION: KubeObject = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": WIDGETS.qualified},
    "spec": {
        "group": WIDGETS.group,
        "names": {"plural": "widgets", "singular": "widget", "kind": "Widget"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": WIDGET_SCHEMA},
            }
        ],
    },
}


@dataclass(frozen=True, slots=True)
class Write:
    """One write.

    Args:
        manager: Who makes it.
        media_type: Its form; `UPDATE` for a create or update.
        body: What is sent.
        subresource: What is written to.
        force: Whether an apply takes fields from others.
    """

    manager: str
    media_type: str
    body: Any
    subresource: str = ""
    force: bool = False


@dataclass(frozen=True, slots=True)
class Sort:
    """A kind whose objects are written to.

    Args:
        kind: The kind.
        content: Draws what an object holds besides metadata.
        status: Draws a status, if there is one.
        full_update: Whether an update may send drawn content alone. Where not, it is laid over
            what is stored.
    """

    kind: Kind
    content: Callable[[Random], KubeObject]
    status: Callable[[Random], KubeObject] | None = None
    full_update: bool = field(default=True)


def draw_write(sort: Sort, live: KubeObject | None, name: str, *, chance: Random) -> Write:
    """Draw the next write to an object; the first makes it."""
    resource = sort.kind.resource
    manager = chance.choice(MANAGERS)
    whole = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {"name": name, **_metadata(chance)},
        **sort.content(chance),
    }
    force = chance.random() < 0.6
    if live is None:
        return Write(manager, chance.choice((UPDATE, APPLY)), whole, force=force)
    if sort.status is not None and chance.random() < 0.25:
        body = {**whole, "metadata": {"name": name}, "status": sort.status(chance)}
        media_type = chance.choice((APPLY, MERGE_PATCH))
        return Write(manager, media_type, body, "status", force=force)
    form = chance.choice((APPLY, APPLY, APPLY, UPDATE, MERGE_PATCH, STRATEGIC_MERGE, JSON_PATCH))
    match form:
        case _ if form == APPLY:
            return Write(manager, form, whole, force=force)
        case _ if form == JSON_PATCH:
            labels = _some(chance, a="12", b="12")
            return Write(
                manager, form, [{"op": "add", "path": "/metadata/labels", "value": labels}]
            )
        case _ if form == UPDATE:
            return Write(manager, form, _update(sort, live, whole, chance))
        case _:
            body = {"metadata": _metadata(chance), **sort.content(chance)}
            if chance.random() < 0.1:
                body["metadata"]["managedFields"] = [{}]
            plain = sort.kind.custom or form == MERGE_PATCH
            return Write(manager, MERGE_PATCH if plain else form, body)


def _update(sort: Sort, live: KubeObject, whole: KubeObject, chance: Random) -> KubeObject:
    kept = ("name", "namespace", "uid", "resourceVersion", "managedFields")
    metadata = {key: live["metadata"][key] for key in kept if key in live["metadata"]}
    if chance.random() < 0.3:
        metadata.pop("managedFields", None)
    body = {**live, **whole, "metadata": {**whole["metadata"], **metadata}}
    if not sort.full_update:
        body["spec"] = {**live["spec"], **whole["spec"]}
    return body


def _metadata(chance: Random) -> KubeObject:
    found: KubeObject = {}
    if chance.random() < 0.5:
        found["labels"] = _some(chance, a="12", b="12", c="1")
    if chance.random() < 0.3:
        found["annotations"] = _some(chance, x="12", y="1")
    if chance.random() < 0.2:
        found["finalizers"] = _few(chance, ["t.test/a", "t.test/b", "t.test/c"])
    return found


def _some(chance: Random, **choices: Sequence[Any]) -> KubeObject:
    """Draw some of the fields, each with one of its values."""
    return {name: chance.choice(of) for name, of in choices.items() if chance.random() < 0.5}


def _few(chance: Random, items: Sequence[Any]) -> list[Any]:
    """Draw some of the items, in any order."""
    found = [item for item in items if chance.random() < 0.5]
    chance.shuffle(found)
    return found


def _config_map(chance: Random) -> KubeObject:
    return {"data": _some(chance, k="12", l="12", m="1")} if chance.random() < 0.8 else {}


def _lease(chance: Random) -> KubeObject:
    times = [f"2026-01-01T00:00:0{second}.000000Z" for second in (1, 2)]
    return {
        "spec": _some(
            chance,
            holderIdentity="ab",
            leaseDurationSeconds=[10, 20],
            renewTime=times,
            acquireTime=times[:1],
        )
    }


def _binding(chance: Random) -> KubeObject:
    group = "rbac.authorization.k8s.io"
    subjects = [
        {"kind": "User", "name": "u", "apiGroup": group},
        {"kind": "ServiceAccount", "name": "s", "namespace": "n"},
    ]
    role = {"apiGroup": group, "kind": "Role", "name": "r"}
    return {"roleRef": role, "subjects": _few(chance, subjects) or subjects}


def _container(chance: Random, name: str) -> KubeObject:
    container: KubeObject = {"name": name, "image": chance.choice(["one", "two"])}
    ports = [
        {"containerPort": 80, "protocol": "TCP", "name": f"{name}-http"},
        {"containerPort": 80, "protocol": "UDP"},
        {"containerPort": 9090, "protocol": "TCP"},
    ]
    if chance.random() < 0.6:
        container["ports"] = _few(chance, ports)
    if chance.random() < 0.6:
        container["env"] = _few(
            chance, [{"name": "A", "value": chance.choice("12")}, {"name": "B", "value": "1"}]
        )
    if chance.random() < 0.3:
        container["args"] = _few(chance, ["a", "b"])
    if chance.random() < 0.3:
        container["resources"] = {"limits": _some(chance, cpu="12", memory=["1Gi"])}
    return container


def _deployment(chance: Random) -> KubeObject:
    names = _few(chance, ["c1", "c2", "c3"]) or ["c1"]
    pod: KubeObject = {"containers": [_container(chance, name) for name in names]}
    if chance.random() < 0.3:
        pod["volumes"] = _few(
            chance,
            [{"name": "v1", "emptyDir": {}}, {"name": "v2", "configMap": {"name": "x"}}],
        )
    spec: KubeObject = {
        "selector": {"matchLabels": {"app": "x"}},
        "template": {"metadata": {"labels": {"app": "x", **_some(chance, a="12")}}, "spec": pod},
    }
    if chance.random() < 0.4:
        spec["replicas"] = chance.choice([1, 2])
    return {"spec": spec}


def _deployment_status(chance: Random) -> KubeObject:
    return {**_some(chance, replicas=[1, 2], observedGeneration=[1]), **_conditions(chance)}


def _widget(chance: Random) -> KubeObject:
    parts = [
        {"id": 1, **_some(chance, zone="ab", color=["red", "green"])},
        {"id": 2, **_some(chance, color=["red"], sub=[{}, {"a": "1"}, {"a": "2", "b": "2"}])},
        {"id": 10, "zone": "b"},
    ]
    spec = {
        "size": chance.choice([1, 2]),
        "tags": _few(chance, ["a", "b", "c<d"]),
        "parts": _few(chance, parts),
        "plain": _few(chance, ["a", "b"]),
        "options": _some(chance, a="12", b="1"),
        "frozen": _some(chance, a="12", b="1"),
        "anything": _some(
            chance,
            s=[1, "1", True, [1, 2], {"deep": {"er": 1}}, {"deep": {}}],
            t=[[{"v": 1}], {}, {"u": 1}],
        ),
    }
    return {"spec": {name: value for name, value in spec.items() if chance.random() < 0.5}}


def _widget_status(chance: Random) -> KubeObject:
    return {**_some(chance, ready=[True, False]), **_conditions(chance)}


def _conditions(chance: Random) -> KubeObject:
    conditions = [
        {"type": "A", "status": chance.choice(["True", "False"])},
        {"type": "B", "status": "True"},
    ]
    return {"conditions": _few(chance, conditions)}


def _built_in(kind: str) -> Kind:
    return next(found for found in built_in.kinds() if found.resource.kind == kind)


SORTS = {
    "config-map": Sort(_built_in("ConfigMap"), _config_map),
    "lease": Sort(_built_in("Lease"), _lease),
    "role-binding": Sort(_built_in("RoleBinding"), _binding),
    "deployment": Sort(_built_in("Deployment"), _deployment, _deployment_status, full_update=False),
    "custom": Sort(
        Kind(
            WIDGETS,
            frozenset(),
            "widget",
            "WidgetList",
            schema=Schema(WIDGET_SCHEMA),
            subresources={"status": Subresource("status", frozenset())},
            custom=True,
        ),
        _widget,
        _widget_status,
    ),
}
"""The kinds that differ in how their fields are owned."""
