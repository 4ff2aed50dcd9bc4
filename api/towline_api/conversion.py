"""Add-on kinds from one API version to the other, with nothing lost on the way there and back.

The fields go where OCM puts them. What the other version has no field for is remembered in one
annotation and comes back with it. A part of an object that is remembered comes back only in the
place of exactly what it was converted to: who edits it in the other version means what is there
then, and whoever may write annotations but not the status cannot change the status by one.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from towline_api.dns_names import is_dns_label
from towline_api.errors import WireError
from towline_api.names import (
    CONVERSION_ANNOTATION,
    KUBE_CLIENT_SIGNER,
    NO_DEFAULT_CONFIG,
    V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION,
)
from towline_api.resources import (
    CLUSTER_MANAGEMENT_ADDONS,
    CLUSTER_MANAGEMENT_ADDONS_V1BETA1,
    MANAGED_CLUSTER_ADDONS,
    MANAGED_CLUSTER_ADDONS_V1BETA1,
    KubeObject,
)

Json = dict[str, Any]

_KUBE_CLIENT = "kubeClient"
_CUSTOM_SIGNER = "customSigner"


class ConversionError(WireError):
    """An object cannot be said in the other version; the message says why."""


def convert(obj: KubeObject, *, api_version: str) -> KubeObject:
    """Return an object in another API version; the given one is not changed.

    Args:
        obj: A ClusterManagementAddOn or ManagedClusterAddOn in v1alpha1 or v1beta1.
        api_version: Group and version to convert to.

    Raises:
        ConversionError: There is no such kind or version, or the object is malformed.

    Of the metadata only annotations change, as API servers ask of conversion webhooks.
    """
    present, kind = str(obj.get("apiVersion")), str(obj.get("kind"))
    if (present, kind) in _KINDS and present == api_version:
        return obj
    conversion = _CONVERSIONS.get((present, kind, api_version))
    if conversion is None:
        raise ConversionError(
            f"{kind[:64]} cannot be converted from {present[:64]} to {api_version[:64]}",
            field="apiVersion",
        )
    parts = _Parts.of(obj)
    conversion(parts)
    return parts.assemble(obj, api_version=api_version)


@dataclass(slots=True)
class _Parts:
    """An object under conversion: its parts that may change, and what is remembered of it.

    Args:
        spec: Its spec; None if it has none.
        status: Its status; None if it has none.
        annotations: Its annotations without ours.
        remembered: What the version converted to said last, by the name of the part.
        remember: What it cannot say.
    """

    spec: Json | None
    status: Json | None
    annotations: Json
    remembered: Json
    remember: Json = field(default_factory=dict)

    @classmethod
    def of(cls, obj: KubeObject) -> "_Parts":
        metadata = _object(obj, "metadata") or {}
        annotations = dict(_object(metadata, "annotations") or {})
        remembered = _parse_memory(annotations.pop(CONVERSION_ANNOTATION, None))
        spec, status = _object(obj, "spec"), _object(obj, "status")
        return cls(
            None if spec is None else dict(spec),
            None if status is None else dict(status),
            annotations,
            remembered,
        )

    def assemble(self, obj: KubeObject, *, api_version: str) -> KubeObject:
        if self.remember:
            self.annotations[CONVERSION_ANNOTATION] = json.dumps(
                self.remember, sort_keys=True, separators=(",", ":"), ensure_ascii=False
            )
        metadata = dict(_object(obj, "metadata") or {})
        metadata.pop("annotations", None)
        if self.annotations:
            metadata["annotations"] = self.annotations
        converted = {**obj, "apiVersion": api_version, "metadata": metadata}
        parts = {"spec": self.spec, "status": self.status}
        return converted | {name: part for name, part in parts.items() if part is not None}


def _addon_to_v1beta1(parts: _Parts) -> None:
    _namespace_to_annotation(parts)
    status = parts.status
    if status is None:
        return
    _put_away(status, "addOnConfiguration", parts)
    driver = status.pop("kubeClientDriver", None)
    registrations = _convert_list(
        parts, status, "registrations", _registration_to_v1beta1, _registration_to_v1alpha1
    )
    ours = [item for item in registrations or () if item.get("type") == _KUBE_CLIENT]
    drivers = [driver] * len(ours)
    if driver is not None and not ours:
        parts.remember["driver"] = driver
    match parts.remembered.get("drivers"):
        case list(told) if len(told) == len(ours) and _one_driver(told) == driver:
            drivers = told
    for item, own in zip(ours, drivers, strict=True):
        if own is not None:
            item[_KUBE_CLIENT] = {**(item.get(_KUBE_CLIENT) or {}), "driver": own}
    _convert_list(parts, status, "configReferences", _reference_to_v1beta1, _reference_to_v1alpha1)


def _addon_to_v1alpha1(parts: _Parts) -> None:
    _namespace_to_field(parts)
    status = parts.status
    if status is None:
        return
    _take_out(status, "addOnConfiguration", parts)
    drivers = []
    if "registrations" in status:
        entries = [dict(item) for item in _objects(status, "registrations")]
        drivers = [_pop_driver(item) for item in entries if item.get("type") == _KUBE_CLIENT]
        status["registrations"] = entries
    driver = _one_driver(drivers)
    if drivers != [driver] * len(drivers):
        parts.remember["drivers"] = drivers
    if not drivers and isinstance(parts.remembered.get("driver"), str):
        driver = parts.remembered["driver"]
    if driver is not None:
        status["kubeClientDriver"] = driver
    _convert_list(
        parts, status, "registrations", _registration_to_v1alpha1, _registration_to_v1beta1
    )
    _convert_list(parts, status, "configReferences", _reference_to_v1alpha1, _reference_to_v1beta1)


def _definition_to_v1beta1(parts: _Parts) -> None:
    if parts.spec is not None:
        _put_away(parts.spec, "addOnConfiguration", parts)
        _convert_list(
            parts,
            parts.spec,
            "supportedConfigs",
            _supported_to_default,
            _default_to_supported,
            renamed="defaultConfigs",
        )
    if parts.status is not None:
        _rename(parts.status, "defaultconfigReferences", "defaultConfigReferences")


def _definition_to_v1alpha1(parts: _Parts) -> None:
    if parts.spec is not None:
        _take_out(parts.spec, "addOnConfiguration", parts)
        _convert_list(
            parts,
            parts.spec,
            "defaultConfigs",
            _default_to_supported,
            _supported_to_default,
            renamed="supportedConfigs",
        )
    if parts.status is not None:
        _rename(parts.status, "defaultConfigReferences", "defaultconfigReferences")


def _namespace_to_annotation(parts: _Parts) -> None:
    """Move the install namespace into the annotation that stands for it."""
    namespace = (parts.spec or {}).pop("installNamespace", None)
    found = parts.annotations.get(V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION)
    if _is_namespace(namespace) and (found is None or _is_namespace(found)):
        parts.annotations[V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION] = namespace
        if found is not None:
            parts.remember["shadowedNamespace"] = found
    elif namespace != (found if _is_namespace(found) else None):
        # An annotation that names no namespace stays as it is; so does one beside no field.
        parts.remember["installNamespace"] = [found, namespace]


def _namespace_to_field(parts: _Parts) -> None:
    """Move the install namespace out of its annotation, if it is one."""
    found = parts.annotations.get(V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION)
    namespace = None
    match parts.remembered.get("installNamespace"):
        case [seen, namespace] if seen == found:
            pass
        case _ if _is_namespace(found):
            namespace = found
            del parts.annotations[V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION]
            shadowed = parts.remembered.get("shadowedNamespace")
            if shadowed is not None:
                parts.annotations[V1ALPHA1_INSTALL_NAMESPACE_ANNOTATION] = shadowed
    if namespace is not None:
        parts.spec = {**(parts.spec or {}), "installNamespace": namespace}


def _registration_to_v1beta1(item: Json) -> Json:
    subject = _object(item, "subject")
    signer = item.get("signerName")
    rest = {key: value for key, value in item.items() if key not in ("signerName", "subject")}
    if not isinstance(signer, str):
        raise ConversionError("a registration names no signer", field="status.registrations")
    if signer == KUBE_CLIENT_SIGNER:
        told: Json = {}
        if subject is not None:
            # This signer takes no organizational units, so v1beta1 has no place for them here.
            told["subject"] = {k: v for k, v in subject.items() if k != "organizationUnit"}
        return {**rest, "type": _KUBE_CLIENT, **({_KUBE_CLIENT: told} if told else {})}
    custom: Json = {"signerName": signer}
    if subject is not None:
        custom["subject"] = dict(subject)
        _rename(custom["subject"], "organizationUnit", "organizationUnits")
    return {**rest, "type": _CUSTOM_SIGNER, _CUSTOM_SIGNER: custom}


def _registration_to_v1alpha1(item: Json) -> Json:
    told = {name: _object(item, name) for name in (_KUBE_CLIENT, _CUSTOM_SIGNER)}
    rest = {key: value for key, value in item.items() if key not in (*told, "type")}
    kind = item.get("type")
    chosen = told.get(str(kind)) or {}
    signer = KUBE_CLIENT_SIGNER if kind == _KUBE_CLIENT else chosen.get("signerName")
    if not isinstance(signer, str):
        raise ConversionError(
            f"a registration of type {str(kind)[:64]!r} names no signer; type {_CUSTOM_SIGNER!r} "
            f"needs {_CUSTOM_SIGNER}.signerName",
            field="status.registrations",
        )
    converted: Json = {**rest, "signerName": signer}
    subject = _object(chosen, "subject")
    if subject is not None:
        converted["subject"] = dict(subject)
        _rename(converted["subject"], "organizationUnits", "organizationUnit")
    return converted


def _one_driver(drivers: list[Any]) -> str | None:
    """Return the driver that stands for those of all registrations: the first there is."""
    return next((item for item in drivers if isinstance(item, str)), None)


def _pop_driver(item: Json) -> str | None:
    """Take the driver out of a registration, and what held nothing else with it."""
    told = _object(item, _KUBE_CLIENT)
    if told is None or not isinstance(told.get("driver"), str):
        return None
    rest = {key: value for key, value in told.items() if key != "driver"}
    if rest:
        item[_KUBE_CLIENT] = rest
    else:
        del item[_KUBE_CLIENT]
    driver: str = told["driver"]
    return driver


def _reference_to_v1beta1(item: Json) -> Json:
    return {key: value for key, value in item.items() if key not in ("namespace", "name")}


def _reference_to_v1alpha1(item: Json) -> Json:
    named = _object(item, "desiredConfig") or _object(item, "lastAppliedConfig") or {}
    converted: Json = {**item, "name": named.get("name", "")}
    if "namespace" in named:
        converted["namespace"] = named["namespace"]
    return converted


def _supported_to_default(item: Json) -> Json:
    default = _object(item, "defaultConfig")
    rest = {key: value for key, value in item.items() if key != "defaultConfig"}
    return {**rest, **(default if default is not None else {"name": NO_DEFAULT_CONFIG})}


def _default_to_supported(item: Json) -> Json:
    rest = {key: value for key, value in item.items() if key not in ("namespace", "name")}
    if item.get("name") == NO_DEFAULT_CONFIG:
        return rest
    named = {key: item[key] for key in ("namespace", "name") if key in item}
    return {**rest, "defaultConfig": named}


def _convert_list(
    parts: _Parts,
    holder: Json,
    name: str,
    there: Callable[[Json], Json],
    back: Callable[[Json], Json],
    *,
    renamed: str | None = None,
) -> list[Json] | None:
    """Convert the entries of a list one by one, and remember those that would not come back.

    Args:
        parts: Holds what is remembered.
        holder: Holds the list; it is replaced there.
        name: Its name.
        there: Converts an entry.
        back: Converts one the other way.
        renamed: The name it gets; None for the same.

    Returns:
        The converted list, which is the caller's to go on with; None if there is none.
    """
    renamed = renamed or name
    if holder.get(name) is None:
        return None
    items = list(_objects(holder, name))
    recalled = _recall(parts.remembered.get(renamed), items, back)
    converted = [
        recalled[index] if index in recalled else there(item) for index, item in enumerate(items)
    ]
    lost = [
        [index, item]
        for index, (item, result) in enumerate(zip(items, converted, strict=True))
        if index not in recalled and back(result) != item
    ]
    del holder[name]
    holder[renamed] = converted
    if lost:
        parts.remember[name] = lost
    return converted


def _recall(told: object, items: list[Json], back: Callable[[Json], Json]) -> dict[int, Json]:
    """Return what entries of a list were before they were converted, by their index.

    Args:
        told: As it was remembered: pairs of an index and an entry.
        items: The list as it is now.
        back: Converts a remembered entry to what should stand in its place now.
    """
    recalled: dict[int, Json] = {}
    moved: list[tuple[Json, Json]] = []
    for pair in told if isinstance(told, list) else ():
        match pair:
            case [int(index), dict(original)]:
                try:
                    seen = back(original)
                except ConversionError:  # somebody made it up
                    continue
                if 0 <= index < len(items) and items[index] == seen:
                    recalled[index] = original
                else:
                    moved.append((seen, original))
    for seen, original in moved:
        for index, item in enumerate(items):
            if index not in recalled and item == seen:
                recalled[index] = original
                break
    return recalled


def _put_away(holder: Json, name: str, parts: _Parts) -> None:
    """Remember a member that the other version does not have."""
    if name in holder:
        parts.remember[name] = holder.pop(name)


def _take_out(holder: Json, name: str, parts: _Parts) -> None:
    """Bring back a member that the other version does not have."""
    found = parts.remembered.get(name)
    if isinstance(found, dict):
        holder[name] = found


def _rename(holder: Json, old: str, new: str) -> None:
    if old in holder:
        holder[new] = holder.pop(old)


def _is_namespace(text: object) -> bool:
    return isinstance(text, str) and is_dns_label(text)


def _parse_memory(text: object) -> Json:
    """Return what our annotation remembers: nothing, if somebody made something else of it."""
    if not isinstance(text, str):
        return {}
    try:
        memory = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return memory if isinstance(memory, dict) else {}


def _object(holder: Mapping[str, Any], name: str) -> Json | None:
    found = holder.get(name)
    if found is None or isinstance(found, dict):
        return found
    raise ConversionError(f"{name} should be an object; found {str(found)[:64]!r}", field=name)


def _objects(holder: Mapping[str, Any], name: str) -> Iterable[Json]:
    found = holder.get(name)
    for item in found if isinstance(found, list) else (found,):
        if not isinstance(item, dict):
            raise ConversionError(
                f"{name} should be a list of objects; found {str(item)[:64]!r}", field=name
            )
        yield item


_CONVERSIONS: Mapping[tuple[str, str, str], Callable[[_Parts], None]] = {
    (source.api_version, source.kind, target.api_version): conversion
    for source, target, conversion in (
        (MANAGED_CLUSTER_ADDONS, MANAGED_CLUSTER_ADDONS_V1BETA1, _addon_to_v1beta1),
        (MANAGED_CLUSTER_ADDONS_V1BETA1, MANAGED_CLUSTER_ADDONS, _addon_to_v1alpha1),
        (CLUSTER_MANAGEMENT_ADDONS, CLUSTER_MANAGEMENT_ADDONS_V1BETA1, _definition_to_v1beta1),
        (CLUSTER_MANAGEMENT_ADDONS_V1BETA1, CLUSTER_MANAGEMENT_ADDONS, _definition_to_v1alpha1),
    )
}
_KINDS = frozenset((version, kind) for version, kind, _ in _CONVERSIONS)
