"""The schemas of an OpenAPI document: those of its kinds, and all that they refer to."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from towline_sandbox.embedded.model.kinds import GroupVersion, Kind
from towline_sandbox.embedded.model.schema import Node

REFERENCE = "#/components/schemas/"
_MACHINERY = "io.k8s.apimachinery.pkg.apis.meta.v1"
OBJECT_META = f"{_MACHINERY}.ObjectMeta"
LIST_META = f"{_MACHINERY}.ListMeta"
DELETE_OPTIONS = f"{_MACHINERY}.DeleteOptions"
PATCH = f"{_MACHINERY}.Patch"
STATUS = f"{_MACHINERY}.Status"


def reference(name: str) -> dict[str, str]:
    """Return what refers to a schema."""
    return {"$ref": f"{REFERENCE}{name}"}


class SchemaNames:
    """What the schemas of kinds are called.

    Args:
        definitions: Schemas of the built-in kinds, by name.
    """

    def __init__(self, definitions: Mapping[str, Node]) -> None:
        self._names = {
            (GroupVersion(each["group"], each["version"]), each["kind"]): name
            for name, node in definitions.items()
            for each in node.get("x-kubernetes-group-version-kind", ())
        }

    def of(self, group_version: GroupVersion, kind_name: str) -> str:
        """Return the name of a kind's schema."""
        known = self._names.get((group_version, kind_name))
        if known is not None:
            return known
        group = ".".join(reversed(group_version.group.split(".")))
        return f"{group}.{group_version.version}.{kind_name}"


def schemas_of(
    kinds: Iterable[Kind], *, names: SchemaNames, definitions: Mapping[str, Node]
) -> dict[str, Node]:
    """Return the schemas that the document of some kinds needs, by name and in order of names."""
    found: dict[str, Node] = {}
    for kind in kinds:
        if kind.custom:
            name = names.of(kind.group_version, kind.resource.kind)
            found[name] = _custom_schema(kind)
            found[names.of(kind.group_version, kind.list_kind)] = _custom_list(kind, item=name)
    wanted = [PATCH, DELETE_OPTIONS, STATUS, *_used_names(kinds, names=names)]
    for node in found.values():
        wanted += _references(node)
    while wanted:
        name = wanted.pop()
        if name not in found and name in definitions:
            found[name] = definitions[name]
            wanted += _references(definitions[name])
    return dict(sorted(found.items()))


def _used_names(kinds: Iterable[Kind], *, names: SchemaNames) -> Iterator[str]:
    for kind in kinds:
        yield names.of(kind.group_version, kind.resource.kind)
        yield names.of(kind.group_version, kind.list_kind)
        for subresource in kind.subresources.values():
            if subresource.kind:
                yield names.of(subresource.group_version or kind.group_version, subresource.kind)


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, Mapping):
        target = node.get("$ref")
        if isinstance(target, str):
            yield target.removeprefix(REFERENCE)
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


def _custom_schema(kind: Kind) -> Node:
    declared = kind.schema.node
    return {
        **declared,
        "type": "object",
        "properties": {**declared.get("properties", {}), **_typed(OBJECT_META)},
        "x-kubernetes-group-version-kind": [_identity(kind, kind.resource.kind)],
    }


def _custom_list(kind: Kind, *, item: str) -> Node:
    return {
        "description": f"{kind.list_kind} is a list of {kind.resource.kind}",
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "array", "items": reference(item)},
            **_typed(LIST_META),
        },
        "x-kubernetes-group-version-kind": [_identity(kind, kind.list_kind)],
    }


def _typed(metadata: str) -> dict[str, Node]:
    return {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": {"allOf": [reference(metadata)]},
    }


def _identity(kind: Kind, kind_name: str) -> dict[str, str]:
    return {**kind.group_version._asdict(), "kind": kind_name}
