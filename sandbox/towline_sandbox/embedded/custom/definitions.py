"""CustomResourceDefinitions themselves: what is filled in, and what a valid one is."""

from collections.abc import Iterable, Iterator
from typing import Any

from towline_api.resources import KubeObject
from towline_sandbox.embedded.custom.custom_kinds import CLEAN_UP
from towline_sandbox.embedded.custom.structural import schema_causes
from towline_sandbox.embedded.custom.wording import (
    invalid_value,
    required,
    unsupported,
)
from towline_sandbox.embedded.model.calls import Call
from towline_sandbox.embedded.model.failures import Cause
from towline_sandbox.embedded.model.kinds import Traits


def fill_crd(call: Call, new: KubeObject, old: KubeObject | None) -> None:
    """Set what the server sets in a CustomResourceDefinition."""
    spec = new.setdefault("spec", {})
    names = spec.setdefault("names", {})
    if names.get("kind"):
        names.setdefault("singular", names["kind"].lower())
        names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    if not call.subresource:
        _fill_status(new, old)


def _fill_status(new: KubeObject, old: KubeObject | None) -> None:
    stored = [
        version["name"] for version in new["spec"].get("versions") or () if version.get("storage")
    ]
    if old is None:
        new["metadata"].setdefault("finalizers", [CLEAN_UP])
        new["status"] = {
            "conditions": None,
            "acceptedNames": {"plural": "", "kind": ""},
            "storedVersions": stored,
        }
        return
    status = new.get("status") or {}
    before = status.get("storedVersions") or []
    new["status"] = {
        **status,
        "storedVersions": [*before, *(name for name in stored if name not in before)],
    }


def check_crd(_call: Call, new: KubeObject, old: KubeObject | None) -> Iterable[Cause]:
    """Name every rule that a CustomResourceDefinition breaks."""
    spec = new.get("spec") or {}
    yield from _names(new, spec)
    yield from _versions(spec)
    yield from _stored_versions(new, spec)


def _names(new: KubeObject, spec: KubeObject) -> Iterator[Cause]:
    names = spec.get("names") or {}
    group, plural = spec.get("group", ""), names.get("plural", "")
    expected = f"{plural}.{group}"
    name = new["metadata"].get("name", "")
    if name != expected:
        yield invalid_value("metadata.name", name, 'must be spec.names.plural+"."+spec.group')
    for field, value in (("spec.group", group), ("spec.names.plural", plural)):
        if not value:
            yield required(field)
    if not names.get("kind"):
        yield required("spec.names.kind")
    scope = spec.get("scope")
    if scope not in ("Cluster", "Namespaced"):
        yield unsupported("spec.scope", scope or "", ("Cluster", "Namespaced"))


def _versions(spec: KubeObject) -> Iterator[Cause]:
    versions: list[Any] = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        yield invalid_value(
            "spec.versions", versions, "must have exactly one version marked as storage version"
        )
    for index, version in enumerate(versions):
        path = f"spec.versions[{index}].schema.openAPIV3Schema"
        schema = (version.get("schema") or {}).get("openAPIV3Schema")
        if schema is None:
            yield required(path, "schemas are required")
        else:
            yield from schema_causes(schema, path=path)


def _stored_versions(new: KubeObject, spec: KubeObject) -> Iterator[Cause]:
    declared = [version.get("name") for version in spec.get("versions") or ()]
    stored = (new.get("status") or {}).get("storedVersions") or []
    for index, name in enumerate(stored):
        if name not in declared:
            yield invalid_value(
                f"status.storedVersions[{index}]",
                name,
                "missing from spec.versions; "
                f"{name} was previously a storage version, and must remain in spec.versions until "
                "a storage migration ensures no data remains persisted in "
                f"{name} and removes {name} from status.storedVersions",
            )


CRD_TRAITS = Traits(fill=fill_crd, check=check_crd, counts_generation=True)
"""How CustomResourceDefinitions behave when written."""
