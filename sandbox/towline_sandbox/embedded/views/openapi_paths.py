"""The paths of an OpenAPI document: where kinds are served, with which verbs and parameters."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from towline_sandbox.embedded.model.kinds import GroupVersion, Kind
from towline_sandbox.embedded.views.openapi_schemas import (
    DELETE_OPTIONS,
    PATCH,
    STATUS,
    SchemaNames,
    reference,
)

Json = dict[str, Any]

_DRY_RUN = ("dryRun", "string")
_MANAGER = ("fieldManager", "string")
_VALIDATION = ("fieldValidation", "string")
_WRITING = (_DRY_RUN, _MANAGER, _VALIDATION)
_PATCHING = (*_WRITING, ("force", "boolean"))
_DELETING = (
    _DRY_RUN,
    ("gracePeriodSeconds", "integer"),
    ("orphanDependents", "boolean"),
    ("propagationPolicy", "string"),
)
_SELECTING = (
    ("continue", "string"),
    ("fieldSelector", "string"),
    ("labelSelector", "string"),
    ("limit", "integer"),
    ("resourceVersion", "string"),
    ("resourceVersionMatch", "string"),
    ("sendInitialEvents", "boolean"),
    ("timeoutSeconds", "integer"),
)
_LISTING = (*_SELECTING, ("allowWatchBookmarks", "boolean"), ("watch", "boolean"))

_FORMATS = ("application/json", "application/yaml")
_PATCH_FORMATS = (
    "application/apply-patch+yaml",
    "application/json-patch+json",
    "application/merge-patch+json",
)
_STRATEGIC = "application/strategic-merge-patch+json"

# Verb, HTTP method, beginning of operation ids around the group and version, parameters.
_ON_COLLECTIONS = (
    ("list", "get", "list{}", _LISTING),
    ("create", "post", "create{}", _WRITING),
    ("deletecollection", "delete", "delete{}Collection", (*_DELETING, *_SELECTING)),
)
_ON_OBJECTS = (
    ("get", "get", "read{}", ()),
    ("update", "put", "replace{}", _WRITING),
    ("delete", "delete", "delete{}", _DELETING),
    ("patch", "patch", "patch{}", _PATCHING),
)
_ON_SUBRESOURCES = (*_ON_OBJECTS, ("create", "post", "create{}", _WRITING))

_Actions = Sequence[tuple[str, str, str, Sequence[tuple[str, str]]]]


def paths_of(kinds: Sequence[Kind], *, names: SchemaNames) -> dict[str, Json]:
    """Return the paths at which kinds are served, in order."""
    found = {path: item for kind in kinds for path, item in _paths(kind, names)}
    return dict(sorted(found.items()))


def collection_path(kind: Kind) -> str:
    """Return the path of all objects, as documents write it."""
    scope = "/namespaces/{namespace}" if kind.resource.namespaced else ""
    return f"{_root(kind)}{scope}/{kind.resource.plural}"


def _root(kind: Kind) -> str:
    group_version = kind.group_version
    return f"/{'apis' if group_version.group else 'api'}/{group_version}"


def _paths(kind: Kind, names: SchemaNames) -> Iterator[tuple[str, Json]]:
    resource = kind.resource
    collection = collection_path(kind)
    if resource.namespaced and "list" in kind.verbs:
        listing = _item(
            kind,
            names,
            _ON_COLLECTIONS[:1],
            verbs=kind.verbs,
            scope="",
            everywhere="ForAllNamespaces",
        )
        yield f"{_root(kind)}/{resource.plural}", listing
    in_scope = "Namespaced" if resource.namespaced else ""
    yield collection, _item(kind, names, _ON_COLLECTIONS, verbs=kind.verbs, scope=in_scope)
    one = _item(kind, names, _ON_OBJECTS, verbs=kind.verbs, scope=in_scope, named=True)
    if len(one) > 1:
        yield f"{collection}/{{name}}", one
    for subresource in kind.subresources.values():
        yield (
            f"{collection}/{{name}}/{subresource.name}",
            _item(
                kind,
                names,
                _ON_SUBRESOURCES,
                verbs=subresource.verbs,
                scope=in_scope,
                named=True,
                below=subresource.name,
            ),
        )


def _item(
    kind: Kind,
    names: SchemaNames,
    actions: _Actions,
    *,
    verbs: frozenset[str],
    scope: str,
    named: bool = False,
    below: str = "",
    everywhere: str = "",
) -> Json:
    group_version, kind_name = _body_kind(kind, below)
    body = names.of(group_version, kind_name)
    several = names.of(kind.group_version, kind.list_kind)
    identity = {**group_version._asdict(), "kind": kind_name}
    object_words = f"{scope}{kind.resource.kind}{below.capitalize()}{everywhere}"
    item: Json = {}
    for verb, method, word, parameters in actions:
        if verb in verbs:
            answer = {"list": several, "delete": STATUS, "deletecollection": STATUS}
            item[method] = {
                "operationId": word.format(_words(kind.group_version)) + object_words,
                "parameters": [_parameter(name, type_) for name, type_ in parameters],
                **_request_body(kind, verb, body),
                "responses": _responses(verb, answer.get(verb, body)),
                "x-kubernetes-action": {"create": "post", "update": "put"}.get(verb, verb),
                "x-kubernetes-group-version-kind": identity,
            }
    in_path = [("name", named), ("namespace", scope == "Namespaced")]
    item["parameters"] = [
        {**_parameter(name, "string"), "in": "path", "required": True}
        for name, is_there in in_path
        if is_there
    ] + [_parameter("pretty", "string")]
    return item


def _body_kind(kind: Kind, below: str) -> tuple[GroupVersion, str]:
    subresource = kind.subresources.get(below)
    if subresource is None or not subresource.kind:
        return kind.group_version, kind.resource.kind
    return subresource.group_version or kind.group_version, subresource.kind


def _parameter(name: str, type_: str) -> Json:
    return {"name": name, "in": "query", "schema": {"type": type_, "uniqueItems": True}}


def _request_body(kind: Kind, verb: str, body: str) -> Json:
    match verb:
        case "create" | "update":
            return {"requestBody": {"content": _content(("*/*",), body), "required": True}}
        case "patch":
            formats = _PATCH_FORMATS if kind.custom else (*_PATCH_FORMATS, _STRATEGIC)
            return {"requestBody": {"content": _content(formats, PATCH), "required": True}}
        case "delete" | "deletecollection":
            return {"requestBody": {"content": _content(("*/*",), DELETE_OPTIONS)}}
    return {}


def _responses(verb: str, answer: str) -> Json:
    content = _content(_FORMATS, answer)
    codes = {"200": "OK"}
    if verb in ("create", "update", "patch"):
        codes["201"] = "Created"
    if verb in ("create", "delete"):
        codes["202"] = "Accepted"
    described = {code: {"description": word, "content": content} for code, word in codes.items()}
    return {**described, "401": {"description": "Unauthorized"}}


def _content(formats: Sequence[str], schema: str) -> Mapping[str, Json]:
    return {each: {"schema": reference(schema)} for each in formats}


def _words(group_version: GroupVersion) -> str:
    group = group_version.group.removesuffix(".k8s.io") or "core"
    return "".join(part.capitalize() for part in (*group.split("."), group_version.version))
