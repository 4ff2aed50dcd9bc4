"""What every Kubernetes object says about itself in `metadata`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from towline_api.errors import WireError
from towline_api.resources import KubeObject, Resource
from towline_api.timestamps import parse_time

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, order=True)
class ObjectKey:
    """Which object of a kind is meant; printed as `namespace/name`, or `name` cluster-wide.

    Args:
        name: Name of the object.
        namespace: Its namespace; None for cluster-scoped kinds.
    """

    name: str
    namespace: str | None = None

    def __str__(self) -> str:
        return self.name if self.namespace is None else f"{self.namespace}/{self.name}"


def key_of(obj: KubeObject) -> ObjectKey:
    """Return an object's name and namespace as one value.

    Raises:
        WireError: The object has no name.
    """
    return ObjectKey(name_of(obj), namespace_of(obj))


def name_of(obj: KubeObject) -> str:
    """Return an object's name.

    Raises:
        WireError: The object has no name.
    """
    return _required(obj, "name")


def namespace_of(obj: KubeObject) -> str | None:
    """Return an object's namespace, or None if it is cluster-scoped."""
    return _optional(obj, "namespace", str) or None


def uid_of(obj: KubeObject) -> str:
    """Return an object's UID, which no later object of the same name shares.

    Raises:
        WireError: The object has no UID, so it was never stored.
    """
    return _required(obj, "uid")


def resource_version_of(obj: KubeObject) -> str:
    """Return the version to send along so that a write fails if the object changed meanwhile.

    Raises:
        WireError: The object has no resource version, so it was never stored.
    """
    return _required(obj, "resourceVersion")


def generation_of(obj: KubeObject) -> int | None:
    """Return how many times the spec has changed, or None for kinds that do not count."""
    return _optional(obj, "generation", int)


def labels_of(obj: KubeObject) -> Mapping[str, str]:
    """Return an object's labels; empty if it has none."""
    return _optional(obj, "labels", dict) or {}


def annotations_of(obj: KubeObject) -> Mapping[str, str]:
    """Return an object's annotations; empty if it has none."""
    return _optional(obj, "annotations", dict) or {}


def finalizers_of(obj: KubeObject) -> tuple[str, ...]:
    """Return what must still be cleaned up before the object can go; empty if nothing."""
    return tuple(_optional(obj, "finalizers", list) or ())


def owner_references_of(obj: KubeObject) -> tuple[Mapping[str, Any], ...]:
    """Return the references to the objects this one goes away with; empty if it has none."""
    return tuple(_optional(obj, "ownerReferences", list) or ())


def creation_time_of(obj: KubeObject) -> datetime:
    """Return when the API server stored the object.

    Raises:
        WireError: The object was never stored, or its time is none.
    """
    field = "creationTimestamp"
    return parse_time(_required(obj, field), field=f"metadata.{field}")


def is_being_deleted(obj: KubeObject) -> bool:
    """Return whether somebody deleted the object and only finalizers hold it."""
    return _metadata(obj).get("deletionTimestamp") is not None


def owner_reference(
    obj: KubeObject, *, controller: bool = False, resource: Resource | None = None
) -> dict[str, Any]:
    """Return the entry for `metadata.ownerReferences` that makes this object the owner.

    Args:
        obj: The owner, as stored.
        controller: Whether it is the one controlling owner. It then also blocks foreground
            deletion until the owned object is gone, as Kubernetes' own controllers do.
        resource: Kind of the owner, needed for items of a list of a built-in kind, which do not
            carry their own.

    Raises:
        WireError: The object lacks its kind, name or UID.
    """
    reference: dict[str, Any] = {
        "apiVersion": resource.api_version if resource else _top_level(obj, "apiVersion"),
        "kind": resource.kind if resource else _top_level(obj, "kind"),
        "name": name_of(obj),
        "uid": uid_of(obj),
    }
    if controller:
        reference.update(controller=True, blockOwnerDeletion=True)
    return reference


def _metadata(obj: KubeObject) -> Mapping[str, Any]:
    metadata = obj.get("metadata")
    if metadata is None:
        return {}
    if not isinstance(metadata, dict):
        raise WireError(
            f"metadata should be an object; found {str(metadata)[:64]!r}", field="metadata"
        )
    return metadata


def _optional(obj: KubeObject, key: str, expected: type[_T]) -> _T | None:
    value = _metadata(obj).get(key)
    if value is None or isinstance(value, expected):
        return value
    field = f"metadata.{key}"
    raise WireError(
        f"{field} of {_describe(obj)} should be {expected.__name__}; found {str(value)[:64]!r}",
        field=field,
    )


def _required(obj: KubeObject, key: str) -> str:
    value = _optional(obj, key, str)
    if not value:
        field = f"metadata.{key}"
        raise WireError(f"{_describe(obj)} has no {field}", field=field)
    return value


def _top_level(obj: KubeObject, key: str) -> str:
    value = obj.get(key)
    if not isinstance(value, str) or not value:
        raise WireError(f"{_describe(obj)} has no {key}", field=key)
    return value


def _describe(obj: KubeObject) -> str:
    kind = obj.get("kind")
    name = _metadata(obj).get("name")
    return f"{kind if isinstance(kind, str) else 'object'} {name!r}"
