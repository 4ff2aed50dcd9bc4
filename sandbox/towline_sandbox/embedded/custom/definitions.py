"""CustomResourceDefinitions themselves: what is filled in, and what a valid one is."""

import re
from collections.abc import Iterable, Iterator
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.declared_rules import rule_causes
from towline_sandbox.embedded.custom.declared_versions import (
    column_causes,
    conversion_causes,
    scale_causes,
    selectable_causes,
)
from towline_sandbox.embedded.custom.departing import begin_deletion
from towline_sandbox.embedded.custom.structural import schema_causes
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Traits
from towline_sandbox.embedded.model.wording import (
    invalid_value,
    required,
    unsupported,
)

_LABEL = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_LABEL_RULE = (
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
    "alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', "
    "regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"
)
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_DOMAIN_RULE = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or "
    "'.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used "
    f"for validation is '{_DOMAIN.pattern}')"
)
_APPROVAL = "api-approved.kubernetes.io"
_SHARED_PARTS = ("schema", "subresources", "additionalPrinterColumns", "selectableFields")


def complete_crd(crd: KubeObject) -> None:
    """Set what fields that were left out stand for, as if the caller had written it."""
    spec = crd.get("spec")
    if not isinstance(spec, dict):
        return
    names = spec.get("names")
    if isinstance(names, dict) and names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    for version in spec.get("versions") or ():
        schema = version.get("schema") or {}
        if not schema.get("openAPIV3Schema"):
            version.pop("schema", None)


def fill_crd(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    """Set what the server sets in a CustomResourceDefinition."""
    if call.subresource:
        return
    stored = [
        version["name"]
        for version in (new.get("spec") or {}).get("versions") or ()
        if version.get("storage") and version.get("name")
    ]
    if old is None:
        new["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored[:1],
        }
        return
    status = new.get("status") or {}
    before = status.get("storedVersions") or []
    new["status"] = {
        **status,
        "storedVersions": [*before, *(name for name in stored[:1] if name not in before)],
    }


def check_crd(call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[Cause]:
    """Name every rule that a CustomResourceDefinition breaks."""
    if call.subresource:
        # Whoever may write the status may forget stored versions: that is how one is given up.
        return
    spec: KubeObject = new.get("spec") or {}
    if old is None:
        yield from _own_name(new, spec)
    else:
        yield from _unchanged(spec, old["spec"], old)
    yield from _identity(new, spec)
    yield from _versions(spec)
    yield from _names(spec.get("names") or {})
    yield from conversion_causes(spec.get("conversion") or {})
    yield from _parts(spec)
    yield from _stored_versions(new, spec)


def _unchanged(spec: KubeObject, before: KubeObject, old: KubeObject) -> Iterator[Cause]:
    names, names_before = spec.get("names") or {}, before["names"]
    is_established = any(
        condition["type"] == "Established" and condition["status"] == "True"
        for condition in (old.get("status") or {}).get("conditions") or ()
    )
    fields = [
        ("spec.group", spec.get("group"), before["group"]),
        ("spec.names.plural", names.get("plural"), names_before["plural"]),
    ]
    if is_established:
        fields += [
            ("spec.scope", spec.get("scope"), before["scope"]),
            ("spec.names.kind", names.get("kind"), names_before["kind"]),
        ]
    for field, value, value_before in fields:
        if value != value_before:
            yield invalid_value(field, value, "field is immutable")


def _own_name(new: KubeObject, spec: KubeObject) -> Iterator[Cause]:
    group, plural = spec.get("group") or "", (spec.get("names") or {}).get("plural") or ""
    name = new["metadata"].get("name", "")
    if name != f"{plural}.{group}":
        told = 'must be spec.names.plural+"."+spec.group'
        yield invalid_value("metadata.name", name, told)


def _identity(new: KubeObject, spec: KubeObject) -> Iterator[Cause]:
    group = spec.get("group") or ""
    annotations = new["metadata"].get("annotations") or {}
    if re.search(r"(^|\.)(k8s|kubernetes)\.io$", group) and not annotations.get(_APPROVAL):
        yield required(
            f"metadata.annotations[{_APPROVAL}]",
            f'protected groups must have approval annotation "{_APPROVAL}", see '
            "https://github.com/kubernetes/enhancements/pull/1111",
        )
    if not group:
        yield required("spec.group")
    elif _DOMAIN.fullmatch(group) is None:
        yield invalid_value("spec.group", group, _DOMAIN_RULE)
    elif "." not in group:
        yield invalid_value("spec.group", group, "should be a domain with at least one dot")
    scope = spec.get("scope")
    if not scope:
        yield required("spec.scope")
    elif scope not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", scope, ("Cluster", "Namespaced"))
    if spec.get("preserveUnknownFields"):
        yield invalid_value(
            "spec.preserveUnknownFields",
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in "
            "spec.versions[*].schema instead",
        )


def _versions(spec: KubeObject) -> Iterator[Cause]:
    versions: list[KubeObject] = spec.get("versions") or []
    names = [version.get("name") or "" for version in versions]
    for index, version in enumerate(versions):
        name = names[index]
        if _LABEL.fullmatch(name) is None:
            yield invalid_value(f"spec.versions[{index}].name", name, _LABEL_RULE)
        if version.get("deprecationWarning") and not version.get("deprecated"):
            yield invalid_value(
                f"spec.versions[{index}].deprecationWarning",
                version["deprecationWarning"],
                "can only be set for deprecated versions",
            )
    if len(set(names)) < len(names):
        yield invalid_value("spec.versions", _as_go(versions), "must contain unique version names")
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value(
            "spec.versions",
            None if spec.get("versions") is None else _as_go(versions),
            "must have exactly one version marked as storage version",
        )
    if versions and _LABEL.fullmatch(names[0]) is None:
        yield invalid_value("spec.version", names[0], _LABEL_RULE)


def _as_go(versions: Iterable[KubeObject]) -> list[KubeObject]:
    """Return versions as the real server shows them: in its own, older form."""
    return [
        {
            "Name": version.get("name", ""),
            "Served": bool(version.get("served")),
            "Storage": bool(version.get("storage")),
            "Deprecated": bool(version.get("deprecated")),
            "DeprecationWarning": version.get("deprecationWarning"),
            "Schema": None,
            "Subresources": None,
            "AdditionalPrinterColumns": None,
            "SelectableFields": None,
        }
        for version in versions
    ]


def _names(names: KubeObject) -> Iterator[Cause]:
    for field in ("plural", "singular", "kind", "listKind"):
        value = names.get(field) or ""
        if not value:
            yield required(f"spec.names.{field}")
        elif field in ("plural", "singular"):
            if _LABEL.fullmatch(value) is None:
                yield invalid_value(f"spec.names.{field}", value, _LABEL_RULE)
        elif _LABEL.fullmatch(value.lower()) is None:
            told = f"may have mixed case, but should otherwise match: {_LABEL_RULE}"
            yield invalid_value(f"spec.names.{field}", value, told)
    for field in ("shortNames", "categories"):
        for index, value in enumerate(names.get(field) or ()):
            if _LABEL.fullmatch(value) is None:
                yield invalid_value(f"spec.names.{field}[{index}]", value, _LABEL_RULE)
    if names.get("kind") and names.get("kind") == names.get("listKind"):
        told = "kind and listKind may not be the same"
        yield invalid_value("spec.names.listKind", names["listKind"], told)


def _parts(spec: KubeObject) -> Iterator[Cause]:
    """Look at what each version says about its objects."""
    versions: list[KubeObject] = spec.get("versions") or []
    # What all versions have in common the real server keeps, and complains about, in one place.
    shared = {
        part
        for part in _SHARED_PARTS
        if versions and all(version.get(part) == versions[0].get(part) for version in versions)
    }
    for index, version in enumerate(versions):
        base = f"spec.versions[{index}]"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if not schema:
            yield required(f"{base}.schema.openAPIV3Schema")
            schema = None
        elif index == 0 or "schema" not in shared:
            place = "spec.validation" if "schema" in shared else f"{base}.schema"
            yield from _schema(schema, f"{place}.openAPIV3Schema")
        for part, causes in (
            ("additionalPrinterColumns", column_causes),
            ("subresources", scale_causes),
            ("selectableFields", selectable_causes),
        ):
            if version.get(part) and (index == 0 or part not in shared):
                place = f"spec.{part}" if part in shared else f"{base}.{part}"
                yield from causes(version[part], path=place, schema=schema)


def _schema(schema: KubeObject, path: str) -> Iterator[Cause]:
    causes = schema_causes(schema, path=path)
    yield from causes
    if not causes:
        yield from rule_causes(schema, path=path)


def _stored_versions(new: KubeObject, spec: KubeObject) -> Iterator[Cause]:
    versions: list[Any] = spec.get("versions") or []
    declared = [version.get("name") for version in versions]
    stored = (new.get("status") or {}).get("storedVersions") or []
    if not stored:
        yield invalid_value("status.storedVersions", None, "must have at least one stored version")
        return
    for index, name in enumerate(stored):
        if name not in declared:
            yield invalid_value(
                f"status.storedVersions[{index}]",
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must "
                "remain in spec.versions until a storage migration ensures no data remains "
                f"persisted in {name} and removes {name} from status.storedVersions",
            )
    storage = [version.get("name") for version in versions if version.get("storage")]
    if storage and storage[-1] not in stored:
        told = f"must have the storage version {storage[-1]}"
        yield invalid_value("status.storedVersions", stored, told)


def _check_name(name: str) -> list[str]:
    return [] if _DOMAIN.fullmatch(name) else [_DOMAIN_RULE]


CRD_TRAITS = Traits(
    complete=complete_crd,
    fill=fill_crd,
    check=check_crd,
    begin_deletion=begin_deletion,
    counts_generation=True,
)
"""How CustomResourceDefinitions behave when written."""
