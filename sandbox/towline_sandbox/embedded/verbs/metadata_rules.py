"""Rules for `metadata` that hold for objects of every kind."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from towline_api.resources import KubeObject
from towline_sandbox.embedded.built_in.name_rules import dns_subdomain
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Kind
from towline_sandbox.embedded.queries.label_syntax import problems_of_key, problems_of_value

ORPHAN = "orphan"
FOREGROUND = "foregroundDeletion"
_STANDARD_FINALIZERS = ("kubernetes", ORPHAN, FOREGROUND)
_TAKE_PLAIN_FINALIZERS = (
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "apiregistration.k8s.io",
    "coordination.k8s.io",
    "node.k8s.io",
)
_LARGEST_ANNOTATIONS = 256 * 1024
_LONGEST_MANAGER = 128
_UNCHANGEABLE = (
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
)


def broken_when_new(metadata: KubeObject, *, kind: Kind) -> list[Cause]:
    """Return the rules that the metadata of an object about to be created breaks."""
    return [
        *_names(metadata, kind),
        *_namespace(metadata, kind),
        *_contents(metadata),
        *_plain_finalizers(metadata, kind),
    ]


def broken_when_changed(metadata: KubeObject, before: KubeObject, *, kind: Kind) -> list[Cause]:
    """Return the rules that changed metadata breaks.

    For custom kinds Kubernetes looks several times, and tells each time what it finds.
    """
    contents = list(_contents(metadata))
    changes = [*_changes(metadata, before), *contents, *_plain_finalizers(metadata, kind)]
    return [*contents, *changes, *changes] if kind.custom else list(dict.fromkeys(changes))


def _changes(metadata: KubeObject, before: KubeObject) -> Iterator[Cause]:
    if "deletionTimestamp" in before:
        known = before.get("finalizers") or ()
        added = sorted({name for name in metadata.get("finalizers") or () if name not in known})
        if added:
            told = ", ".join(_json(name) for name in added)
            yield Cause(
                "FieldValueForbidden",
                "Forbidden: no new finalizers can be added if the object is being deleted, "
                f"found new finalizers []string{{{told}}}",
                "metadata.finalizers",
            )
    for key in _UNCHANGEABLE:
        if metadata.get(key) != before.get(key):
            yield _invalid(f"metadata.{key}", metadata.get(key, ""), "field is immutable")


def _names(metadata: KubeObject, kind: Kind) -> Iterator[Cause]:
    base = metadata.get("generateName")
    if base:
        # What follows makes a hyphen at the end good.
        complete = f"{base[:-2]}a" if len(base) > 1 and base.endswith("-") else base
        for problem in _name_problems(complete, kind):
            yield _invalid("metadata.generateName", base, problem)
    name = metadata.get("name")
    if not name:
        yield _required("metadata.name", "name or generateName is required")
        return
    for problem in _name_problems(name, kind):
        yield _invalid("metadata.name", name, problem)


def _name_problems(name: str, kind: Kind) -> list[str]:
    found = list(dns_subdomain(name) if kind.custom else kind.traits.check_name(name))
    if found:
        return found
    if name in (".", ".."):
        return [f"may not be '{name}'"]
    return [f"may not contain '{character}'" for character in "/%" if character in name]


def _namespace(metadata: KubeObject, kind: Kind) -> Iterator[Cause]:
    namespace = metadata.get("namespace")
    if kind.resource.namespaced and not namespace:
        yield _required("metadata.namespace", "")
    elif namespace and not kind.resource.namespaced:
        yield Cause(
            "FieldValueForbidden", "Forbidden: not allowed on this type", "metadata.namespace"
        )


def _contents(metadata: KubeObject) -> Iterator[Cause]:
    generation = metadata.get("generation", 0)
    if generation < 0:
        yield _invalid("metadata.generation", generation, "must be greater than or equal to 0")
    for key, value in (metadata.get("labels") or {}).items():
        for problem in problems_of_key(key):
            yield _invalid("metadata.labels", key, problem)
        for problem in problems_of_value(value):
            yield _invalid("metadata.labels", value, problem)
    yield from _annotations(metadata.get("annotations") or {})
    yield from _owners(metadata.get("ownerReferences") or ())
    yield from _finalizers(metadata.get("finalizers") or ())
    for index, entry in enumerate(metadata.get("managedFields") or ()):
        yield from _managed(entry, f"metadata.managedFields[{index}]")


def _annotations(annotations: KubeObject) -> Iterator[Cause]:
    size = 0
    for key, value in annotations.items():
        for problem in problems_of_key(key.lower()):
            yield _invalid("metadata.annotations", key, problem)
        size += len(key.encode()) + len(value.encode())
    if size > _LARGEST_ANNOTATIONS:
        yield Cause(
            "FieldValueTooLong",
            f"Too long: may not be more than {_LARGEST_ANNOTATIONS} bytes",
            "metadata.annotations",
        )


def _owners(references: Sequence[KubeObject]) -> Iterator[Cause]:
    controller = ""
    for index, reference in enumerate(references):
        path = f"metadata.ownerReferences[{index}]"
        version, kind = reference.get("apiVersion", ""), reference.get("kind", "")
        if not version:
            yield _required(f"{path}.apiVersion", "must not be empty")
        elif version.count("/") > 1 or version.endswith("/"):
            yield _invalid(f"{path}.apiVersion", version, "must be <group>/<version> or <version>")
        for key in ("kind", "name", "uid"):
            if not reference.get(key):
                yield _required(f"{path}.{key}", "must not be empty")
        if (version, kind) == ("v1", "Event"):
            yield _invalid(path, reference, "/v1, Kind=Event is disallowed from being an owner")
        if reference.get("controller"):
            name = f"{kind}/{reference.get('name', '')}"
            if controller:
                yield _invalid(
                    "metadata.ownerReferences",
                    references,
                    'Only one reference can have Controller set to true. Found "true" in '
                    f"references for {controller} and {name}",
                )
            else:
                controller = name


def _finalizers(finalizers: Sequence[str]) -> Iterator[Cause]:
    for name in finalizers:
        for problem in problems_of_key(name):
            yield _invalid("metadata.finalizers", name, problem)
    if ORPHAN in finalizers and FOREGROUND in finalizers:
        yield _invalid(
            "metadata.finalizers",
            finalizers,
            f"finalizer {ORPHAN} and {FOREGROUND} cannot be both set",
        )


def _plain_finalizers(metadata: KubeObject, kind: Kind) -> Iterator[Cause]:
    if kind.custom or kind.resource.group in _TAKE_PLAIN_FINALIZERS:
        return
    for index, name in enumerate(metadata.get("finalizers") or ()):
        if "/" not in name and name not in _STANDARD_FINALIZERS:
            yield _invalid(
                f"metadata.finalizers[{index}]",
                name,
                "name is neither a standard finalizer name nor is it fully qualified",
            )


def _managed(entry: KubeObject, path: str) -> Iterator[Cause]:
    operation = entry.get("operation", "")
    if not operation:
        yield _required(f"{path}.operation", "must not be empty")
    elif operation not in ("Apply", "Update"):
        yield Cause(
            "FieldValueNotSupported",
            f'Unsupported value: {_json(operation)}: supported values: "Apply", "Update"',
            f"{path}.operation",
        )
    if entry.get("fieldsType", "FieldsV1") != "FieldsV1":
        yield _invalid(f"{path}.fieldsType", entry["fieldsType"], "must be `FieldsV1`")
    if len(entry.get("manager", "").encode()) > _LONGEST_MANAGER:
        yield Cause(
            "FieldValueTooLong",
            f"Too long: may not be more than {_LONGEST_MANAGER} bytes",
            f"{path}.manager",
        )


def _invalid(field: str, value: Any, why: str) -> Cause:
    return Cause("FieldValueInvalid", f"Invalid value: {_json(value)}: {why}", field)


def _required(field: str, why: str) -> Cause:
    return Cause("FieldValueRequired", f"Required value: {why}".rstrip(": "), field)


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()
